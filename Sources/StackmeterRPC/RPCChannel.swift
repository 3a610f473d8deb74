package import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import StackmeterWire

/// Calls the methods of one server. Every call has a deadline.
package protocol RPCChannel: Sendable {
  /// One request, one response.
  func call<Request, Response>(
    _ method: RPCMethod<Request, Response>, _ request: Request, timeout: Duration
  ) async throws(RPCError) -> Response

  /// The same with messages that are packed, for who knows their types when it runs only.
  func callPacked(
    _ method: MethodDescriptor, _ request: [UInt8], timeout: Duration
  ) async throws(RPCError) -> [UInt8]

  /// One request, many responses, lent to `consume` while they arrive.
  func serverStreaming<Request, Response, Result: Sendable>(
    _ method: RPCMethod<Request, Response>, _ request: Request, timeout: Duration,
    _ consume: @escaping @Sendable (RPCAsyncSequence<Response, any Error>) async throws -> Result
  ) async throws -> Result

  /// Many requests from `produce`, many responses to `consume`, at the same time.
  func bidirectional<Request, Response, Result: Sendable>(
    _ method: RPCMethod<Request, Response>, timeout: Duration,
    produce: @escaping @Sendable (RPCWriter<Request>) async throws -> Void,
    consume: @escaping @Sendable (RPCAsyncSequence<Response, any Error>) async throws -> Result
  ) async throws -> Result
}

/// Calls over any gRPC transport.
package struct GRPCChannel<Transport: ClientTransport>: RPCChannel {
  private let client: GRPCClient<Transport>
  /// Made where the transport is known, so that it is specialized: most of what a call costs.
  private let unary: @Sendable (UnaryCall, _ timeout: Duration) async throws -> [UInt8]

  /// `transport` is the client's.
  package init(_ client: GRPCClient<Transport>, over transport: Transport) {
    self.init(client, over: transport, on: LoopExecutor())
  }

  /// `executor` runs on the transport's event loop.
  init(_ client: GRPCClient<Transport>, over transport: Transport, on executor: LoopExecutor) {
    self.client = client
    unary = { try await $0.run(over: transport, on: executor, timeout: $1) }
  }

  private func options(_ timeout: Duration?) -> CallOptions {
    var options = CallOptions.defaults
    options.timeout = timeout
    // A peer that is down is said to be down at once; whoever can wait retries.
    options.waitForReady = false
    options.maxResponseMessageBytes = RPCLimits.messageBytesMax
    return options
  }

  package func call<Request, Response>(
    _ method: RPCMethod<Request, Response>, _ request: Request, timeout: Duration
  ) async throws(RPCError) -> Response {
    // Packed before the call: what fails within it is told as a lost connection, and that would be tried again.
    let answer = try await callPacked(
      method.descriptor(.unary), request.packed(), timeout: timeout)
    do {
      return try WireDeserializer().deserialize(answer)
    } catch {
      throw error as? RPCError
        ?? RPCError(code: .internalError, message: "the answer could not be read: \(error)")
    }
  }

  package func callPacked(
    _ method: MethodDescriptor, _ request: [UInt8], timeout: Duration
  ) async throws(RPCError) -> [UInt8] {
    guard request.count <= RPCLimits.messageBytesMax else {
      throw RPCError(
        WireError.tooLarge(bytes: request.count, max: RPCLimits.messageBytesMax))
    }
    do {
      let call = UnaryCall(descriptor: method, options: options(nil), request: request)
      return try await unary(call, timeout)
    } catch {
      // The transport has several words for it.
      if Task.isCancelled { throw RPCError(code: .cancelled, message: "the call was cancelled") }
      throw error as? RPCError
        ?? RPCError(code: .unavailable, message: "the call could not be made: \(error)")
    }
  }

  package func serverStreaming<Request, Response, Result: Sendable>(
    _ method: RPCMethod<Request, Response>, _ request: Request, timeout: Duration,
    _ consume: @escaping @Sendable (RPCAsyncSequence<Response, any Error>) async throws -> Result
  ) async throws -> Result {
    try await client.serverStreaming(
      request: ClientRequest(message: request), descriptor: method.descriptor(.serverStreaming),
      serializer: WireSerializer(bytesMax: .max), deserializer: WireDeserializer<Response>(),
      options: options(timeout)
    ) { response in try await consume(response.messages) }
  }

  package func bidirectional<Request, Response, Result: Sendable>(
    _ method: RPCMethod<Request, Response>, timeout: Duration,
    produce: @escaping @Sendable (RPCWriter<Request>) async throws -> Void,
    consume: @escaping @Sendable (RPCAsyncSequence<Response, any Error>) async throws -> Result
  ) async throws -> Result {
    try await client.bidirectionalStreaming(
      request: StreamingClientRequest(producer: produce),
      descriptor: method.descriptor(.bidirectionalStreaming),
      serializer: WireSerializer(bytesMax: .max), deserializer: WireDeserializer<Response>(),
      options: options(timeout)
    ) { response in try await consume(response.messages) }
  }
}

/// The connection of a process to the server at a Unix socket, which need not be up yet: it is made, and made
/// again after every loss, for as long as `run` runs.
package final class RPCConnection: Sendable {
  private let client: GRPCClient<HTTP2ClientTransport.Posix>
  package let channel: any RPCChannel

  package init(socketPath: String) throws {
    let executor = LoopExecutor()
    let transport = try HTTP2ClientTransport.Posix(
      target: .unixDomainSocket(path: socketPath, authority: "localhost"),
      transportSecurity: .plaintext,
      config: .defaults { config in
        config.backoff = .init(
          initial: .milliseconds(50), max: .milliseconds(500), multiplier: 1.6, jitter: 0.2)
        config.http2.maxFrameSize = RPCLimits.frameBytesMax
        config.http2.targetWindowSize = RPCLimits.windowBytes
      }, eventLoopGroup: executor.loop)
    client = GRPCClient(transport: transport)
    channel = GRPCChannel(client, over: transport, on: executor)
  }

  /// Calls can be made while this runs.
  package func run() async throws {
    try await client.runConnections()
  }

  /// Lets the calls under way end.
  package func stop() {
    client.beginGracefulShutdown()
  }
}

/// Lends a channel for as long as `body` runs.
package func withRPCChannel<Result: Sendable>(
  socketPath: String, _ body: @Sendable (any RPCChannel) async throws -> Result
) async throws -> Result {
  let connection = try RPCConnection(socketPath: socketPath)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await connection.run() }
    defer { connection.stop() }
    return try await body(connection.channel)
  }
}
