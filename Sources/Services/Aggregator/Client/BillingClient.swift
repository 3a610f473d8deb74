package import GRPCCore
package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Billing`.
package enum BillingMethods {
  package static let service = "stackmeter.v1.Billing"
  package static let applyRateCard = RPCMethod<ApplyRateCardRequest, ApplyRateCardResponse>(
    service, "ApplyRateCard")
  package static let closeStatements = RPCMethod<CloseStatementsRequest, CloseStatementsResponse>(
    service, "CloseStatements")
  package static let writePosting = RPCMethod<WritePostingRequest, WritePostingResponse>(
    service, "WritePosting")
  package static let shareCost = RPCMethod<ShareCostRequest, ShareCostResponse>(
    service, "ShareCost")
}

/// Has the aggregator write what bills are made of.
package struct BillingClient: Sendable {
  package static let timeout: Duration = .seconds(60)
  /// Much usage takes its time.
  package static let closeTimeout: Duration = .seconds(3600)

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

  /// Closes statements of some subscriptions; the next ones by `nextAfter`. May be repeated blindly.
  package func closeStatements(
    _ request: CloseStatementsRequest
  ) async throws(RPCError) -> CloseStatementsResponse {
    try await channel.call(
      BillingMethods.closeStatements, request, timeout: BillingClient.closeTimeout)
  }

  /// Writes a credit or an adjustment down. Each call is one more.
  package func write(
    _ request: WritePostingRequest
  ) async throws(RPCError) -> WritePostingResponse {
    try await channel.call(BillingMethods.writePosting, request, timeout: BillingClient.timeout)
  }

  /// Divides a cost between subscriptions. May be repeated blindly.
  package func shareCost(
    _ request: ShareCostRequest
  ) async throws(RPCError) -> ShareCostResponse {
    try await channel.call(BillingMethods.shareCost, request, timeout: BillingClient.closeTimeout)
  }
}
