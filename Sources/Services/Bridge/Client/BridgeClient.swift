package import GRPCCore
package import StackmeterRPC
package import StackmeterWire

/// Calls the bridge.
package struct BridgeClient: Sendable {
  package static let timeout: Duration = .seconds(10)
  /// For who has other things to tell as well.
  package static let statusTimeout: Duration = .seconds(1)

  package let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  package func status(
    timeout: Duration = BridgeClient.timeout
  ) async throws(RPCError) -> BridgeStatus {
    try await channel.call(BridgeMethods.getStatus, GetStatusRequest(), timeout: timeout)
  }

  package func register(_ request: RegisterBridgeRequest) async throws(RPCError) -> BridgeStatus {
    try await channel.call(BridgeMethods.register, request, timeout: BridgeClient.timeout)
  }

  /// How many windows, dead letters or records it was about.
  package func control(_ request: ControlBridgeRequest) async throws(RPCError) -> UInt64 {
    try await channel.call(BridgeMethods.control, request, timeout: BridgeClient.timeout).count
  }

  /// One page; the next one by its `nextAfter`.
  package func listDeadLetters(
    _ request: ListDeadLettersRequest
  ) async throws(RPCError) -> ListDeadLettersResponse {
    try await channel.call(BridgeMethods.listDeadLetters, request, timeout: BridgeClient.timeout)
  }
}
