internal import GRPCCore
internal import StackmeterWire

/// Asks a server's standard health service.
package struct HealthClient: Sendable {
  package static let timeout: Duration = .seconds(1)

  private let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  /// Whether the server answers, and answers that it serves. Never throws: no answer is an answer here.
  package func isServing() async -> Bool {
    let response = try? await channel.call(
      HealthMethods.check, HealthCheckRequest(), timeout: HealthClient.timeout)
    return response?.status == .serving
  }
}
