package import GRPCCore
package import StackmeterRPC
package import StackmeterWire

/// The methods of `stackmeter.v1.Rating`, which query answers.
package enum RatingMethods {
  package static let service = "stackmeter.v1.Rating"
  package static let listRateCards = RPCMethod<ListRateCardsRequest, ListRateCardsResponse>(
    service, "ListRateCards")
  package static let getRateCard = RPCMethod<GetRateCardRequest, GetRateCardResponse>(
    service, "GetRateCard")
}

extension QueryClient {
  /// The versions of rate cards, by name and version; for operators.
  package func listRateCards(
    _ request: ListRateCardsRequest
  ) async throws(RPCError) -> ListRateCardsResponse {
    try await channel.call(RatingMethods.listRateCards, request, timeout: QueryClient.timeout)
  }

  /// One version with its text; for operators.
  package func rateCard(
    _ request: GetRateCardRequest
  ) async throws(RPCError) -> GetRateCardResponse {
    try await channel.call(RatingMethods.getRateCard, request, timeout: QueryClient.timeout)
  }
}
