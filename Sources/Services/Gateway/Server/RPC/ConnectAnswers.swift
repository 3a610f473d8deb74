internal import CollectorClient
internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRPC

/// `POST /{package}.{Service}/{Method}`: the services' own methods, their messages as JSON or encoded, in the unary
/// form of the Connect protocol.
struct ConnectAnswers: Sendable {
  let query: QueryClient
  let collector: CollectorClient
  private let slots = RequestSlots(
    max: GatewayLimits.rpcRequestsMax, of: "calls of services' methods")

  init(query: QueryClient, collector: CollectorClient) {
    self.query = query
    self.collector = collector
  }

  var routes: [Route] {
    ExposedMethod.all.map { exposed in
      Route(
        .post, PathPattern("/\(exposed.method.path)"), exposed.access, .method(exposed)
      ) { request in
        try await slots.using { try await call(exposed, request) }
      }.audited(exposed.audit)
    }
  }

  private func call(_ exposed: ExposedMethod, _ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let headers = request.head.headerFields
    let codec = try ConnectCodec(headers)
    try ConnectAnswers.check(headers)
    let timeout = try ConnectAnswers.timeout(headers)
    let message = try codec.read(
      try await request.bytes(.rpc), as: exposed.method.request, caller: request.caller)
    let channel =
      switch exposed.service {
      case .query: query.channel
      case .collector: collector.channel
      }
    do throws(RPCError) {
      let answer = try await channel.callPacked(
        exposed.method.descriptor, message, timeout: timeout)
      return Reply(
        .ok, try codec.write(answer, as: exposed.method.response), type: codec.contentType)
    } catch {
      // What is left is logged with its cause, and told as unexpected.
      throw HTTPProblem(connect: error) ?? error as any Error
    }
  }

  private static func check(_ headers: HTTPFields) throws(HTTPProblem) {
    if let version = headers[.connectProtocolVersion], version != "1" {
      throw HTTPProblem(.invalidArgument, "Connect-Protocol-Version: must be 1")
    }
  }

  /// How long a call may take: as long as the client waits, and no longer than calls of services do.
  private static func timeout(_ headers: HTTPFields) throws(HTTPProblem) -> Duration {
    guard let text = headers[.connectTimeout] else { return GatewayLimits.rpcTimeMax }
    guard (1...10).contains(text.utf8.count), let milliseconds = UInt64(text) else {
      throw HTTPProblem(
        .invalidArgument, "Connect-Timeout-Ms: must be a whole number of at most 10 digits")
    }
    guard milliseconds > 0 else {
      throw HTTPProblem(.deadlineExceeded, "the client's own time is over before the call")
    }
    return min(.milliseconds(milliseconds), GatewayLimits.rpcTimeMax)
  }
}

extension HTTPField.Name {
  fileprivate static let connectProtocolVersion = HTTPField.Name("Connect-Protocol-Version")!
  fileprivate static let connectTimeout = HTTPField.Name("Connect-Timeout-Ms")!
}
