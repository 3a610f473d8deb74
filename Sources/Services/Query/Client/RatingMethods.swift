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
  package static let listRates = RPCMethod<ListRatesRequest, ListRatesResponse>(
    service, "ListRates")
  package static let listCharges = RPCMethod<ListChargesRequest, ListChargesResponse>(
    service, "ListCharges")
  package static let listStatements = RPCMethod<ListStatementsRequest, ListStatementsResponse>(
    service, "ListStatements")
  package static let getStatement = RPCMethod<GetStatementRequest, GetStatementResponse>(
    service, "GetStatement")
  package static let tryRateCard = RPCMethod<TryRateCardRequest, TryRateCardResponse>(
    service, "TryRateCard")
  package static let listBudgets = RPCMethod<ListBudgetsRequest, ListBudgetsResponse>(
    service, "ListBudgets")
  package static let exportFocus = RPCMethod<ExportFocusRequest, ExportFocusResponse>(
    service, "ExportFocus")
  package static let showback = RPCMethod<ShowbackRequest, ShowbackResponse>(service, "Showback")
  package static let reconcile = RPCMethod<ReconcileRequest, ReconcileResponse>(
    service, "Reconcile")
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

  /// One page; the next one by its `nextPageToken`.
  package func listCharges(
    _ request: ListChargesRequest
  ) async throws(RPCError) -> ListChargesResponse {
    try await channel.call(RatingMethods.listCharges, request, timeout: QueryClient.timeout)
  }

  /// One page; the next one by its `nextAfter`.
  package func listStatements(
    _ request: ListStatementsRequest
  ) async throws(RPCError) -> ListStatementsResponse {
    try await channel.call(RatingMethods.listStatements, request, timeout: QueryClient.timeout)
  }

  /// A closed statement, or a draft.
  package func statement(
    _ request: GetStatementRequest
  ) async throws(RPCError) -> GetStatementResponse {
    try await channel.call(RatingMethods.getStatement, request, timeout: QueryClient.timeout)
  }

  /// One page of what a period would cost by a draft; the next one by its `nextAfter`. For operators.
  package func tryRateCard(
    _ request: TryRateCardRequest
  ) async throws(RPCError) -> TryRateCardResponse {
    try await channel.call(RatingMethods.tryRateCard, request, timeout: QueryClient.timeout)
  }

  /// One part of the file; the next one by its `nextPageToken`.
  package func exportFocus(
    _ request: ExportFocusRequest
  ) async throws(RPCError) -> ExportFocusResponse {
    try await channel.call(RatingMethods.exportFocus, request, timeout: QueryClient.timeout)
  }

  /// The parts of some subscriptions; those of the next ones by its `nextAfter`.
  package func showback(_ request: ShowbackRequest) async throws(RPCError) -> ShowbackResponse {
    try await channel.call(RatingMethods.showback, request, timeout: QueryClient.timeout)
  }

  /// The statements of some subscriptions; those of the next ones by its `nextAfter`.
  package func reconcile(_ request: ReconcileRequest) async throws(RPCError) -> ReconcileResponse {
    try await channel.call(RatingMethods.reconcile, request, timeout: QueryClient.timeout)
  }

  /// One page of how budgets stand; the next one by its `nextAfter`.
  package func listBudgets(
    _ request: ListBudgetsRequest
  ) async throws(RPCError) -> ListBudgetsResponse {
    try await channel.call(RatingMethods.listBudgets, request, timeout: QueryClient.timeout)
  }

  /// One page; the next one by its `nextAfter`.
  package func listRates(_ request: ListRatesRequest) async throws(RPCError) -> ListRatesResponse {
    try await channel.call(RatingMethods.listRates, request, timeout: QueryClient.timeout)
  }
}
