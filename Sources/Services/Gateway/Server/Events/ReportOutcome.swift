internal import HTTPTypes
internal import StackmeterCore

/// What became of the events of one request, in the words of the answer.
struct ReportOutcome {
  /// An event that is not counted.
  struct Rejected: Hashable {
    let index: Int
    let id: String
    let code: String
    let field: String
    let message: String
  }

  private(set) var accepted = 0
  private(set) var duplicates = 0
  /// Corrections that wait for what they correct.
  private(set) var parked = 0
  /// In the order of the request.
  private(set) var rejected: [Rejected] = []
  /// Those that are not told of one by one.
  private(set) var otherRejected = 0
  /// The fields at fault of the last malformed event.
  private var fields: [HTTPProblem.Field] = []

  /// A body, or the parts of one in their order. `results` are those of `body.batches`. What was no event never
  /// reached the collector, so it is not in quarantine; its code `Malformed` says so. Of what is refused,
  /// `rejectedMax` are told of one by one.
  mutating func add(_ body: EventsBody, _ results: [EventResults], rejectedMax: Int = .max) {
    let before = rejected.count
    otherRejected += body.otherMalformed
    for malformed in body.malformed {
      fields = malformed.problems.map { .init(field: $0.field, message: $0.message) }
      let others = malformed.problems.dropFirst().map { "; \($0.field): \($0.message)" }
      rejected.append(
        Rejected(
          index: malformed.index, id: malformed.id, code: Refusal.Reason.malformed.name,
          field: malformed.problems[0].field,
          message: malformed.problems[0].message + others.joined()))
    }
    for (sourced, results) in zip(body.batches, results) {
      var offset = 0
      for run in results.runs {
        switch run.first {
        case .accepted: accepted += run.count
        case .duplicate: duplicates += run.count
        case .parked: parked += run.count
        case .conflict(_, let refusal), .quarantined(let refusal), .invalid(let refusal):
          for place in offset..<offset + run.count {
            rejected.append(
              Rejected(
                index: sourced.requestIndices[place], id: sourced.batch.id(place),
                code: refusal.reason.name, field: refusal.field, message: refusal.message))
          }
        }
        offset += run.count
      }
    }
    rejected[before...].sort { $0.index < $1.index }
    guard rejected.count > rejectedMax else { return }
    otherRejected += rejected.count - rejectedMax
    rejected.removeLast(rejected.count - rejectedMax)
  }

  /// 202 with the counts and every event that was refused.
  func reply() -> Reply {
    Reply(.accepted) { writer in
      writer.member("accepted", accepted)
      writer.member("duplicates", duplicates)
      writer.member("parked", parked)
      writer.member(
        "rejected",
        array: { writer in
          for rejected in rejected {
            writer.object { writer in
              writer.member("index", rejected.index)
              writer.member("id", string: rejected.id)
              writer.member("code", string: rejected.code)
              writer.member("field", string: rejected.field)
              writer.member("message", string: rejected.message)
            }
          }
        })
      if otherRejected > 0 { writer.member("rejectedOthers", otherRejected) }
    }
  }

  /// Nothing more than that every event counts, for who wants to know no more; else the usual answer.
  func minimalReply() -> Reply? {
    guard rejected.isEmpty else { return nil }
    return Reply(empty: .noContent, headers: [.preferenceApplied: "return=minimal"])
  }

  /// As `reply`, but a refused event is an error: 400 malformed, 409 conflict, 422 quarantined.
  func singleReply() throws(HTTPProblem) -> Reply {
    guard let rejected = rejected.first else { return reply() }
    let status: HTTPResponse.Status =
      switch rejected.code {
      case Refusal.Reason.malformed.name: .badRequest
      case Refusal.Reason.conflict.name: .conflict
      default: .unprocessableContent
      }
    throw HTTPProblem(
      status, rejected.code, "\(rejected.field): \(rejected.message)",
      fields: fields.isEmpty ? [.init(field: rejected.field, message: rejected.message)] : fields)
  }
}

extension HTTPField.Name {
  static let prefer = HTTPField.Name("Prefer")!
  fileprivate static let preferenceApplied = HTTPField.Name("Preference-Applied")!
}
