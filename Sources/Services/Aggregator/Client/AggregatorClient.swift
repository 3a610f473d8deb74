package import GRPCCore
package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Aggregator`.
package enum AggregatorMethods {
  package static let service = "stackmeter.v1.Aggregator"
  package static let getStatus = RPCMethod<GetStatusRequest, AggregatorStatus>(service, "GetStatus")
}

/// Calls the aggregator.
package struct AggregatorClient: Sendable {
  package static let statusTimeout: Duration = .seconds(1)

  private let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  package func status() async throws(RPCError) -> AggregatorStatus {
    try await channel.call(
      AggregatorMethods.getStatus, GetStatusRequest(), timeout: AggregatorClient.statusTimeout)
  }
}
