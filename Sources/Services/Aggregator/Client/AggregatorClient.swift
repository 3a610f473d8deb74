package import GRPCCore
package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Aggregator`.
package enum AggregatorMethods {
  package static let service = "stackmeter.v1.Aggregator"
  package static let getStatus = RPCMethod<GetStatusRequest, AggregatorStatus>(service, "GetStatus")
  package static let restate = RPCMethod<RestateRequest, RestateResponse>(service, "Restate")
}

/// Calls the aggregator.
package struct AggregatorClient: Sendable {
  package static let statusTimeout: Duration = .seconds(1)
  /// Reading a journal takes its time.
  package static let restateTimeout: Duration = .seconds(24 * 3600)

  private let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  /// Counts the meters anew that the catalog says another aggregation of. May be repeated blindly.
  package func restate(
    _ request: RestateRequest, timeout: Duration = AggregatorClient.restateTimeout
  ) async throws(RPCError) -> RestateResponse {
    try await channel.call(AggregatorMethods.restate, request, timeout: timeout)
  }

  package func status() async throws(RPCError) -> AggregatorStatus {
    try await channel.call(
      AggregatorMethods.getStatus, GetStatusRequest(), timeout: AggregatorClient.statusTimeout)
  }
}
