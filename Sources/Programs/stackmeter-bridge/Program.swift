import BridgeServer
import QueryClient
import StackmeterRPC
import StackmeterRuntime

/// Brings usage to a remote commerce service.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("bridge", heapsMax: 2) { settings, logger in
      try StateLock.makeDirectory(settings.stateDirectory)
      let query = try RPCConnection(socketPath: settings.socketPath("query"))
      let bridge = try Bridge(
        directory: settings.bridgeDirectory, query: QueryClient(query.channel),
        configuration: BridgeConfiguration(settings.bridge), clock: SystemClock(), logger: logger)
      let server = try RPCServer(
        socketPath: settings.socketPath("bridge"), endpoints: [BridgeEndpoint(bridge)],
        logger: logger)
      return [
        StoppablePart(run: query.run, stop: query.stop),
        StoppablePart { try await bridge.run() },
        StoppablePart(run: server.run, stop: server.stop),
      ]
    }
  }
}
