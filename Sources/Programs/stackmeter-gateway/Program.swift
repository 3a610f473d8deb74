import BridgeClient
import CollectorClient
import GatewayServer
import QueryClient
import StackmeterRPC
import StackmeterRuntime

/// Speaks HTTP and JSON with clients.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("gateway") { settings, logger in
      try StateLock.makeDirectory(settings.stateDirectory)
      let query = try RPCConnection(socketPath: settings.socketPath("query"))
      let collector = try RPCConnection(socketPath: settings.socketPath("collector"))
      let bridge = try RPCConnection(socketPath: settings.socketPath("bridge"))
      let gateway = try Gateway(
        configuration: GatewayConfiguration(settings), query: QueryClient(query.channel),
        collector: CollectorClient(collector.channel), bridge: BridgeClient(bridge.channel),
        clock: SystemClock(), logger: logger)
      return [
        StoppablePart(run: query.run, stop: query.stop),
        StoppablePart(run: collector.run, stop: collector.stop),
        StoppablePart(run: bridge.run, stop: bridge.stop),
        gateway,
      ]
    }
  }
}
