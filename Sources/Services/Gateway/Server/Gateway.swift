package import BridgeClient
package import CollectorClient
internal import Glibc
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
package import QueryClient
internal import ServiceLifecycle
package import StackmeterCore
package import StackmeterRuntime

/// Why the gateway cannot serve.
package enum GatewayError: Error, Equatable, CustomStringConvertible {
  case addressInUse(host: String, port: Int)
  case cannotListen(host: String, port: Int, problem: String)

  package var description: String {
    switch self {
    case .addressInUse(let host, let port):
      "port \(port) of \(host) is in use; stop what uses it, or set gateway.port to another"
    case .cannotListen(let host, let port, let problem):
      "cannot listen on \(host), port \(port): \(problem)"
    }
  }
}

/// HTTP and JSON for clients: authenticates them once and passes their questions on. Keeps no state but the
/// keys of callers and copies of what query said.
package struct Gateway: Service {
  private let configuration: GatewayConfiguration
  private let responder: GatewayResponder
  private let connections: Connections
  private let keySetURL: KeySetURL?
  private let tls: TLSIdentity?
  private let audit: AuditLog?
  private let logger: Logger
  private let onListening: @Sendable (_ port: Int) async -> Void

  /// Reads the API keys, the key set of tokens and the certificates; throws every problem of them. `onListening` is
  /// told the bound port.
  package init(
    configuration: GatewayConfiguration, query: QueryClient, collector: CollectorClient,
    bridge: BridgeClient? = nil, clock: any HostClock, logger: Logger,
    onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) throws(SettingsError) {
    self.configuration = configuration
    self.logger = logger
    self.onListening = onListening
    let credentials = try Credentials(configuration, clock: clock, logger: logger)
    keySetURL = credentials.keySetURL
    tls = credentials.tls
    audit = credentials.audit
    let meters = MeterNames(query: query, clock: clock)
    let metrics = GatewayMetrics()
    connections = Connections(connectionsMax: configuration.connections.connectionsMax)
    responder = GatewayResponder(
      table: .gateway(
        azure: AzureAnswers(
          query: query, meters: meters, clock: clock,
          fallbackAuthority: "\(configuration.host):\(configuration.port)",
          tokens: configuration.tokens?.rules),
        usage: UsageAnswers(query: query, meters: meters, clock: clock),
        catalog: CatalogAnswers(query: query),
        status: StatusAnswers(query: query, collector: collector),
        events: EventsAnswers(collector: collector, metrics: metrics),
        commerce: CommerceAnswers(collector: collector),
        quarantine: QuarantineAnswers(collector: collector),
        explain: ExplainAnswers(query: query),
        sources: SourceAnswers(query: query, collector: collector),
        connect: ConnectAnswers(query: query, collector: collector),
        metrics: MetricsAnswers(metrics: metrics, connections: connections, bridge: bridge),
        exports: ExportAnswers(query: query),
        rated: RouteTable.rated(query, issuer: configuration.issuer),
        odata: ODataAnswers(
          query: query, meters: meters, clock: clock,
          links: GatewayLinks(fallbackAuthority: "\(configuration.host):\(configuration.port)"))),
      authenticator: Authenticator(
        keys: credentials.keys, tokens: credentials.tokens, clock: clock, logger: logger),
      limiter: RateLimiter(
        query: configuration.queryLimit, ingest: configuration.ingestLimit, clock: clock),
      trail: AuditTrail(log: credentials.audit, logger: logger), clock: clock,
      isSecure: credentials.tls != nil, metrics: metrics, logger: logger)
  }

  /// Serves until the task is cancelled or its service group stops gracefully. Then no connection is taken any
  /// more, and answers in progress have `drainMax` of the configuration.
  package func run() async throws {
    let application = application()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await serve(application) }
      group.addTask { [configuration] in
        try? await gracefulShutdown()
        try? await Task.sleep(for: configuration.drainMax)
      }
      if let keySetURL { group.addTask { await keySetURL.refresh() } }
      try await group.next()
      group.cancelAll()
    }
    await audit?.stop()
  }

  private func serve(_ application: some ApplicationProtocol) async throws {
    let (host, port) = (configuration.host, configuration.port)
    do {
      try await application.run()
    } catch is CancellationError {
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw GatewayError.addressInUse(host: host, port: port)
    } catch let error as IOError {
      throw GatewayError.cannotListen(
        host: host, port: port, problem: String(cString: strerror(error.errnoCode)))
    } catch let error as SocketAddressError {
      throw GatewayError.cannotListen(host: host, port: port, problem: "\(error)")
    }
  }

  private func server(_ http: HTTP1Channel.Configuration) -> HTTPServerBuilder {
    guard let tls else { return .http1(configuration: http) }
    return HTTPServerBuilder { responder in
      TLSConnections(
        base: HTTP1Channel(responder: responder, configuration: http), identity: tls)
    }
  }

  private func application() -> some ApplicationProtocol {
    var quiet = logger
    quiet.logLevel = max(.warning, logger.logLevel)
    let http = HTTP1Channel.Configuration(
      additionalChannelHandlers: [
        ConnectionGuard(limits: configuration.connections, connections: connections)
      ],
      idleTimeout: TimeAmount(configuration.connections.idleTimeMax),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: GatewayLimits.headBytesMax,
        maxHeaderListSize: GatewayLimits.headBytesMax,
        maxHeaderFieldCount: GatewayLimits.headerFieldsMax))
    return Application(
      responder: responder,
      server: server(http),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        availableConnectionsDelegate: .maximum(
          configuration.connections.connectionsMax + GatewayLimits.connectionsSpare, logger: quiet)),
      onServerRunning: { [configuration, logger, onListening] channel in
        let port = channel.localAddress?.port ?? configuration.port
        logger.info(
          "listening", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
        await onListening(port)
      },
      logger: quiet)
  }
}
