import AgentServer
import CollectorClient
import Logging
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime

/// Meters this host by what its kernel counts.
@main
struct Program {
  static func main() async {
    await ServiceProgram.main("agent") { settings, logger in
      try StateLock.makeDirectory(settings.stateDirectory)
      let mapping: AgentConfiguration
      let content = try fileContent(settings.agentMapping)
      do throws(AgentConfigurationError) {
        mapping = try AgentConfiguration(json: content)
      } catch {
        throw SettingsError(problems: error.problems.map { "\(settings.agentMapping): \($0)" })
      }
      let connection = try RPCConnection(socketPath: settings.socketPath("collector"))
      let agent = try Agent(
        configuration: mapping, clock: SystemClock(), kernel: LinuxKernel(),
        statePath: settings.agentState,
        reporter: CollectorReporter(client: CollectorClient(connection.channel)), logger: logger)
      return [
        StoppablePart(run: connection.run, stop: connection.stop),
        StoppablePart { try await agent.run() },
      ]
    }
  }
}

/// Reports through the collector's socket.
private struct CollectorReporter: EventReporter {
  let client: CollectorClient

  func report(_ events: [UsageEvent]) async throws -> [EventResult] {
    try await client.report(events)
  }

  func heartbeat(_ heartbeat: Heartbeat) async throws {
    _ = try await client.heartbeat(heartbeat)
  }
}
