package import GRPCCore
package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Billing`.
package enum BillingMethods {
  package static let service = "stackmeter.v1.Billing"
  package static let applyRateCard = RPCMethod<ApplyRateCardRequest, ApplyRateCardResponse>(
    service, "ApplyRateCard")
}

/// Has the aggregator write what bills are made of.
package struct BillingClient: Sendable {
  package static let timeout: Duration = .seconds(60)

  private let channel: any RPCChannel

  package init(_ channel: any RPCChannel) {
    self.channel = channel
  }

  /// Checks a version of a rate card and adds it. May be repeated blindly.
  package func applyRateCard(
    _ request: ApplyRateCardRequest
  ) async throws(RPCError) -> ApplyRateCardResponse {
    try await channel.call(BillingMethods.applyRateCard, request, timeout: BillingClient.timeout)
  }
}
