package import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
package import Logging
internal import Synchronization

/// Serves endpoints, and the standard health and reflection services, on one Unix socket.
package final class RPCServer: Sendable {
  private let server: GRPCServer<HTTP2ServerTransport.Custom<SocketListener>>
  private let executor = LoopExecutor()
  private let supervisor: CallSupervisor
  private let health: HealthEndpoint
  private let socket: HeldSocket

  /// Takes the place on the file system at once; calls are answered once `run` is called. Health checks are told
  /// `isReady`, which does not wait.
  package init(
    socketPath: String, endpoints: [any RPCEndpoint], logger: Logger,
    callsInFlightMax: Int = RPCLimits.callsInFlightMax,
    isReady: @escaping @Sendable () -> Bool = { true }
  ) throws(ListeningSocketError) {
    var listening = try ListeningSocket(path: socketPath)
    let descriptor = listening.takeDescriptor()
    socket = HeldSocket(listening)
    supervisor = CallSupervisor(callsInFlightMax: callsInFlightMax, logger: logger)
    let services = endpoints.map { type(of: $0).serviceName }
    health = HealthEndpoint(services: services, isReady: isReady)
    let reflection = ReflectionEndpoint(services: services + [HealthEndpoint.serviceName])
    var config = HTTP2ServerTransport.Custom<SocketListener>.Config.defaults
    config.rpc.maxRequestPayloadSize = RPCLimits.framedBytesMax
    config.http2.maxConcurrentStreams = RPCLimits.streamsPerConnectionMax
    config.http2.maxFrameSize = RPCLimits.frameBytesMax
    config.http2.targetWindowSize = RPCLimits.windowBytes
    config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
    config.connection.keepalive.clientBehavior.allowWithoutCalls = true
    server = GRPCServer(
      transport: HTTP2ServerTransport.Custom(
        listenerFactory: SocketListener(descriptor: descriptor, eventLoopGroup: executor.loop),
        config: config),
      router: .serving(endpoints + [health, reflection], supervisor: supervisor))
  }

  /// Answers calls until `stop` is called or the task is cancelled, then lets calls end for a bounded time.
  package func run() async throws {
    defer { socket.release() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask(executorPreference: executor) { [server] in try await server.serve() }
      group.addTask { [server, supervisor] in
        await supervisor.stop.wait()
        // A listener may not be closed while it is being set up, so an early stop waits for it.
        _ = await server.transport.listeningAddress
        server.beginGracefulShutdown()
        try? await Task.sleep(for: RPCLimits.drainMax)
      }
      // Either the server has ended by itself, or the time to drain is over.
      try await group.next()
      group.cancelAll()
    }
  }

  /// Refuses new calls, tells health checks, and ends streams. It may be called before `run`, which then ends at once.
  package func stop() {
    health.stop()
    supervisor.stop.raise()
  }

  /// Keeps the lock of the socket for as long as the server runs.
  private final class HeldSocket: Sendable {
    private let socket: Mutex<ListeningSocket?>

    init(_ socket: consuming sending ListeningSocket) {
      self.socket = Mutex(consume socket)
    }

    func release() {
      socket.withLock { $0 = nil }
    }
  }
}

extension RPCRouter {
  /// A router with the routes of all endpoints.
  package static func serving(
    _ endpoints: [any RPCEndpoint], logger: Logger,
    callsInFlightMax: Int = RPCLimits.callsInFlightMax
  ) -> RPCRouter {
    serving(
      endpoints, supervisor: CallSupervisor(callsInFlightMax: callsInFlightMax, logger: logger))
  }

  static func serving(
    _ endpoints: [any RPCEndpoint], supervisor: CallSupervisor
  ) -> RPCRouter {
    var routes = RPCRoutes<Transport>(supervisor: supervisor)
    for endpoint in endpoints { endpoint.register(with: &routes) }
    return routes.finished()
  }
}
