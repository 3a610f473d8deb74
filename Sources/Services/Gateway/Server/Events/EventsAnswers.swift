internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import StackmeterCore
internal import Synchronization

/// `POST /v1/events`: CloudEvents in, one result for each out.
///
/// An accepted event is durable before the answer. Without an answer, or with 503, nothing is known of any
/// event of the request, and sending all of it again is safe: the collector counts every event once. 429 is
/// the gateway's own: nothing was sent to the collector.
final class EventsAnswers: Sendable {
  private let collector: CollectorClient
  private let requestsInProgress = Atomic<Int>(0)

  init(collector: CollectorClient) {
    self.collector = collector
  }

  func report(_ request: GatewayRequest) async throws -> Reply {
    defer { requestsInProgress.subtract(1, ordering: .relaxed) }
    guard
      requestsInProgress.add(1, ordering: .relaxed).newValue <= GatewayLimits.eventRequestsMax
    else {
      throw HTTPProblem(
        .tooManyRequests, "TooManyRequests",
        "\(GatewayLimits.eventRequestsMax) requests with events are worked on already; retry after a pause"
      ).retry(afterSeconds: 1)
    }
    try ParameterReader(try QueryParameters(parsing: request.query), known: []).finish()
    let form = try EventsBody.Form(contentType: request.head.headerFields[.contentType])
    if let encoding = request.head.headerFields[.contentEncoding],
      encoding.asciiLowercased != "identity"
    {
      throw HTTPProblem(
        .unsupportedMediaType, "UnsupportedMediaType",
        "the Content-Encoding \"\(encoding)\" is not taken; send the body as it is",
        headers: [.acceptEncoding: "identity"])
    }
    let announced = request.head.headerFields[.contentLength].flatMap { Int($0) }
    let bytes = try await request.body.bytes(
      announced: announced, max: GatewayLimits.eventsBodyBytesMax,
      within: GatewayLimits.eventsBodyTimeMax)
    let body = try EventsBody(bytes, form: form)
    try request.caller.requireSources(body.batches.lazy.map(\.batch.source))
    let results = try await report(body.batches)
    let outcome = ReportOutcome(body, results)
    return body.isSingle ? try outcome.singleReply() : outcome.reply()
  }

  private func report(_ batches: [SourcedBatch]) async throws(HTTPProblem) -> [EventResults] {
    guard !batches.isEmpty else { return [] }
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
