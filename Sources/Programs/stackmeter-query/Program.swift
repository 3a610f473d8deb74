import AggregatorClient
import BridgeClient
import CollectorClient
import QueryServer
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore

/// Answers every question about usage.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("query") { settings, logger in
      try StateLock.makeDirectory(settings.stateDirectory)
      let tokenKey = try secretFile(settings.queryKey, byteCount: 32)
      let collector = try RPCConnection(socketPath: settings.socketPath("collector"))
      let aggregator = try RPCConnection(socketPath: settings.socketPath("aggregator"))
      let bridge = try RPCConnection(socketPath: settings.socketPath("bridge"))
      let query = Query(
        database: UsageDatabase(
          postgresql: settings.storePostgreSQL, path: settings.usageDatabase, cell: settings.cell),
        tokenKey: tokenKey,
        collector: CollectorClient(collector.channel),
        aggregator: AggregatorClient(aggregator.channel), bridge: BridgeClient(bridge.channel),
        clock: SystemClock())
      let server = try RPCServer(
        socketPath: settings.socketPath("query"),
        endpoints: [
          QueryEndpoint(query),
          RatingEndpoint(
            Rating(
              query, card: settings.rateCard, issuer: settings.issuer, tokenKey: tokenKey,
              clock: SystemClock())),
        ], logger: logger, isReady: query.isReady)
      return [
        StoppablePart(run: collector.run, stop: collector.stop),
        StoppablePart(run: aggregator.run, stop: aggregator.stop),
        StoppablePart(run: bridge.run, stop: bridge.stop),
        StoppablePart { try await query.watchDatabase(logger: logger) },
        StoppablePart(run: server.run, stop: server.stop),
      ]
    }
  }
}
