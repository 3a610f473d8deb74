internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import StackmeterCommerce
internal import StackmeterCore

/// `POST /v1/commerce/usage`: the usage of other sites, as their bridges send it.
///
/// A record becomes an event: its source is the site, its id the record's, its subscription who pays. So it counts
/// once, however often it comes, and another record under its id is a conflict. Without an answer, or with 503, nothing
/// is known of any record, and sending the batch again is safe.
struct CommerceAnswers: Sendable {
  private let collector: CollectorClient
  private let slots = RequestSlots(max: GatewayLimits.eventRequestsMax, of: "batches of sites")

  init(collector: CollectorClient) {
    self.collector = collector
  }

  func report(_ request: GatewayRequest) async throws -> Reply {
    try await slots.using { try await answer(request) }
  }

  private func answer(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let text = try await request.bytes(.commerce)
    let batch: CommerceBatch.Parsed
    do throws(CommerceError) {
      batch = try CommerceBatch.parse(text)
    } catch {
      throw HTTPProblem(.badRequest, "InvalidProperty", error.description)
    }
    try request.caller.requireSources([batch.site])
    let key = request.bearerToken
    if let signature = request.head.headerFields[.stackmeterSignature] {
      guard
        let key,
        CommerceSignature.isValid(signature, .usage, batch: batch.id, text, key: key)
      else {
        throw HTTPProblem(
          .badRequest, "SignatureInvalid",
          "the file is not as the site with this key has written it")
      }
    }
    var answer = CommerceAnswer(batch: batch.id, accepted: 0, duplicates: 0)
    var events: [UsageEvent] = []
    for (id, record) in batch.records {
      switch record {
      case .success(let record): events.append(UsageEvent(record, site: batch.site))
      case .failure(let error):
        answer.refused.append(
          .init(id: id, code: Refusal.Reason.malformed.name, reason: error.description))
      }
    }
    for (event, result) in zip(events, try await report(events)) {
      switch result {
      case .accepted: answer.accepted += 1
      case .duplicate, .parked: answer.duplicates += 1
      case .conflict(_, let refusal):
        answer.refused.append(
          .init(
            id: event.id, code: CommerceAnswer.conflict,
            reason: "\(refusal.field): \(refusal.message)"))
      case .quarantined(let refusal), .invalid(let refusal):
        answer.refused.append(
          .init(
            id: event.id, code: refusal.reason.name,
            reason: "\(refusal.field): \(refusal.message)"))
      }
    }
    var headers = HTTPFields()
    let json = answer.json()
    if let key {
      headers[.stackmeterSignature] = CommerceSignature.text(
        .receipt, batch: batch.id, json, key: key)
    }
    let isConflict = answer.refused.contains { $0.code == CommerceAnswer.conflict }
    return Reply(
      isConflict ? .conflict : .ok, headers: headers, json,
      type: "application/json; charset=utf-8")
  }

  private func report(_ events: [UsageEvent]) async throws(HTTPProblem) -> [EventResult] {
    guard !events.isEmpty else { return [] }
    do throws(RPCError) {
      return try await collector.report(events)
    } catch {
      // Whatever it is, the site sends the batch again.
      throw HTTPProblem(
        .serviceUnavailable, "ServiceUnavailable",
        "the collector does not take usage now; retrying is safe: records count once"
      ).retry(afterSeconds: 1)
    }
  }
}

extension GatewayRequest {
  /// The key that the caller was known by; nil where it was something else. It proves a carried file, and the receipt.
  fileprivate var bearerToken: String? {
    guard let field = head.headerFields[.authorization],
      let space = field.firstIndex(of: " "), field[..<space].lowercased() == "bearer"
    else { return nil }
    return String(field[space...].drop { $0 == " " })
  }
}

extension HTTPField.Name {
  fileprivate static let stackmeterSignature = HTTPField.Name(CommerceSignature.header)!
}

extension UsageEvent {
  /// What a site says of a usage hour, as an event of the site.
  fileprivate init(_ record: CommerceRecord, site: String) {
    self.init(
      id: record.id, source: site,
      series: Series(
        subscription: record.customer.isEmpty ? record.subscription : record.customer,
        meter: record.meter, resource: record.resource),
      usageStart: record.usageStart, usageEnd: record.usageEnd, quantity: record.quantity)
  }
}

extension BodyLimits {
  static let commerce = BodyLimits(bytesMax: CommerceBatch.receivedBytesMax)
}
