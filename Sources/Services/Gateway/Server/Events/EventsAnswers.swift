internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import NIOCore
internal import StackmeterCore

/// `POST /v1/events`: CloudEvents in, one result for each out.
///
/// An accepted event is durable before the answer. Without an answer, or with 503, nothing is known of any
/// event of the request, and sending all of it again is safe: the collector counts every event once. 429 is
/// the gateway's own: nothing was sent to the collector.
struct EventsAnswers: Sendable {
  private let collector: CollectorClient
  private let metrics: GatewayMetrics
  private let words = SeriesWords.Pool(countMax: SeriesWords.poolMax)
  private let slots = RequestSlots(max: GatewayLimits.eventRequestsMax, of: "requests with events")

  init(collector: CollectorClient, metrics: GatewayMetrics) {
    self.collector = collector
    self.metrics = metrics
  }

  func report(_ request: GatewayRequest) async throws -> Reply {
    try await slots.using { try await answer(request) }
  }

  private func answer(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let headers = request.head.headerFields
    let form = try EventsForm(headers)
    if form == .lines { return try await reportLines(request) }
    let bytes = try await request.bytes(.events)
    let body =
      form == .binary
      ? EventsBody(single: try BinaryEvent.value(headers, bytes))
      : try EventsBody(bytes, form: form, words)
    var outcome = ReportOutcome()
    outcome.add(body, try await report(body.batches, of: request.caller))
    metrics.add(outcome)
    if request.prefersMinimal, let reply = outcome.minimalReply() { return reply }
    return body.isSingle ? try outcome.singleReply() : outcome.reply()
  }

  /// CloudEvents' handshake of web hooks: whoever has a key may send, as often as the limits of requests allow.
  func handshake(_ request: GatewayRequest) throws -> Reply {
    try request.refuseParameters()
    guard let origin = request.head.headerFields[.webHookRequestOrigin] else {
      return Reply(empty: .noContent, headers: [.allow: "POST, OPTIONS"])
    }
    return Reply(
      empty: .noContent,
      headers: [
        .allow: "POST, OPTIONS", .webHookAllowedOrigin: origin, .webHookAllowedRate: "*",
      ])
  }

  /// Reports the lines while they arrive, one part after the other, and the next one is read meanwhile. What is told
  /// at the end is bounded, as is the memory for a body of any length.
  private func reportLines(_ request: GatewayRequest) async throws -> Reply {
    let outcome = try await request.reading(.eventLines) { [self] body in
      try await withThrowingTaskGroup(of: (EventsBody, [EventResults]).self) { group in
        var outcome = ReportOutcome()
        func add(_ part: (EventsBody, [EventResults])) {
          outcome.add(part.0, part.1, rejectedMax: GatewayLimits.eventsRejectedMax)
        }
        func begin(_ part: EventsBody) async throws {
          if let before = try await group.next() { add(before) }
          group.addTask { (part, try await self.report(part.batches, of: request.caller)) }
        }
        var lines = EventLines(words)
        for try await chunk in body {
          for part in lines.append(chunk.readableBytesView) { try await begin(part) }
        }
        for part in lines.finish() { try await begin(part) }
        while let last = try await group.next() { add(last) }
        return outcome
      }
    }
    metrics.add(outcome)
    if request.prefersMinimal, let reply = outcome.minimalReply() { return reply }
    return outcome.reply()
  }

  private func report(
    _ batches: [SourcedBatch], of caller: Caller
  ) async throws(HTTPProblem) -> [EventResults] {
    guard !batches.isEmpty else { return [] }
    try caller.requireSources(batches.lazy.map(\.batch.source))
    do throws(RPCError) {
      return try await collector.report(batches: batches.map(\.batch))
    } catch {
      throw EventsAnswers.problem(error)
    }
  }

  /// Later calls may fail after earlier ones were accepted; so the answer speaks of no event at all.
  ///
  /// What the collector has no room for, on its disk or in its queue, is told in its own words: only
  /// operators report, and they can help it.
  private static func problem(_ error: RPCError) -> HTTPProblem {
    if error.code == .resourceExhausted {
      return HTTPProblem(
        .serviceUnavailable, "ServiceUnavailable",
        "the collector does not take events now: \(error.message); retrying is safe: events count once"
      ).retry(afterSeconds: 1)
    }
    guard let problem = HTTPProblem(error), problem.status == .serviceUnavailable else {
      return HTTPProblem(
        .internalServerError, "InternalServerError",
        "the collector could not take the events; retrying is safe: events count once")
    }
    return HTTPProblem(
      problem.status, problem.code,
      "the collector does not take events now; retrying is safe: events count once",
      headers: problem.headers)
  }
}

extension GatewayRequest {
  /// RFC 7240: whether an answer without a body is enough where there is nothing to say.
  fileprivate var prefersMinimal: Bool {
    head.headerFields[values: .prefer].contains { value in
      value.split { $0 == "," || $0 == ";" }.contains {
        String($0.filter { $0 != " " && $0 != "\"" }).asciiLowercased == "return=minimal"
      }
    }
  }
}

extension HTTPField.Name {
  fileprivate static let webHookRequestOrigin = HTTPField.Name("WebHook-Request-Origin")!
  fileprivate static let webHookAllowedOrigin = HTTPField.Name("WebHook-Allowed-Origin")!
  fileprivate static let webHookAllowedRate = HTTPField.Name("WebHook-Allowed-Rate")!
}
