internal import StackmeterCommerce
internal import StackmeterCore

/// What a commerce service has answered, as bytes.
struct HTTPAnswer: Equatable, Sendable {
  var status: Int
  /// Of the headers `Retry-After` and `Location`.
  var retryAfter: String?
  var location: String?
  var body: [UInt8]

  init(status: Int, retryAfter: String? = nil, location: String? = nil, body: [UInt8] = []) {
    self.status = status
    self.retryAfter = retryAfter
    self.location = location
    self.body = body
  }
}

/// What an answer means for a batch.
enum Verdict: Equatable, Sendable {
  /// What became of each record, for good.
  case settled([CommerceAnswer.Refusal])
  /// The batch is not taken, and it is not said of which record that is.
  case divided(code: String, reason: String)
  /// The site is not known, or no longer. Nothing was taken; the same is sent again later.
  case unregistered(String)
  /// Unknown, or later: the same is sent again.
  case again(String, after: Duration?)

  init(_ answer: HTTPAnswer, to batch: OutgoingBatch, at now: Instant) {
    let said = CommerceAnswer(parsing: answer.body)
    let isOurs = said?.batch == batch.id
    switch answer.status {
    case 200...299, 409:
      if let said, isOurs {
        guard said.records == batch.records,
          Set(said.refused.map(\.id)).count == said.refused.count
        else {
          self = .again(
            "answers \(answer.status) about \(said.records) of \(batch.records) records", after: nil
          )
          return
        }
        self = .settled(said.refused.map(Verdict.bounded))
      } else if answer.status == 409, let (code, reason) = Verdict.refusal(answer.body, batch) {
        self = .divided(code: code, reason: reason)
      } else {
        self = .again(
          "answers \(answer.status) with what is no answer to batch \(batch.id)", after: nil)
      }
    case 413:
      let (code, reason) = Verdict.refusal(answer.body, batch) ?? ("TooLarge", "answers 413")
      self = .divided(code: code, reason: reason)
    case 400, 422:
      if let (code, reason) = Verdict.refusal(answer.body, batch) {
        self = .divided(code: code, reason: reason)
      } else {
        // A proxy, or something that is no commerce service: refusing all usage for it would be wrong.
        self = .again(
          "answers \(answer.status) without naming the batch; see that the endpoint is a commerce "
            + "service", after: nil)
      }
    case 401, 403, 410:
      self = .unregistered("answers \(answer.status): the registration is not taken")
    case 300...399:
      self = .again(
        "redirects (\(answer.status)) to \(answer.location ?? "nowhere"), which is not followed; "
          + "register the right endpoint", after: nil)
    default:
      self = .again(
        "answers \(answer.status)",
        after: answer.retryAfter.flatMap { Verdict.retryAfter($0, at: now) })
    }
  }

  /// The code and the reason of a body that names the batch.
  private static func refusal(
    _ body: [UInt8], _ batch: OutgoingBatch
  ) -> (code: String, reason: String)? {
    guard let root = try? JSONValue(parsing: body, limits: .batch),
      let object = JSONObject(root, path: ""), object["batch"]?.string == batch.id
    else { return nil }
    let refusal = bounded(
      CommerceAnswer.Refusal(
        id: "", code: object["code"]?.string ?? "Refused",
        reason: object["reason"]?.string ?? object["detail"]?.string ?? ""))
    return (refusal.code, refusal.reason)
  }

  private static func bounded(_ refusal: CommerceAnswer.Refusal) -> CommerceAnswer.Refusal {
    func start(_ text: String) -> String {
      guard text.utf8.count > BridgeLimits.reasonBytesMax else { return text }
      return String(decoding: Array(text.utf8.prefix(BridgeLimits.reasonBytesMax)), as: UTF8.self)
    }
    return CommerceAnswer.Refusal(
      id: refusal.id, code: start(refusal.code), reason: start(refusal.reason))
  }

  /// Seconds, or a date as in RFC 9110: `Sun, 06 Nov 1994 08:49:37 GMT`.
  static func retryAfter(_ text: String, at now: Instant) -> Duration? {
    if let seconds = Int64(text), seconds >= 0 {
      return .seconds(min(seconds, BridgeLimits.retryAfterMax.components.seconds))
    }
    let parts = text.split(separator: " ")
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]),
      let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
      let date = CivilDate(year: year, month: month + 1, day: day),
      let time = Instant(parsing: "\(date.date)T\(parts[4])Z")
    else { return nil }
    return max(.zero, time - now)
  }
}
