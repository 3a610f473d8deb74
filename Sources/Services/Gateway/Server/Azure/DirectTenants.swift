internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// Whose usage a caller of the provider API may ask for, in Azure's words its direct tenants.
///
/// Query says who they are, by the caller's scope: of an operator all subscriptions that are known, those of the
/// directory in whatever state, deleted ones too, and those that have usage. This is the one place that asks.
struct DirectTenants: Sendable {
  let query: QueryClient

  /// Throws what Azure answers where a subscription, in lower case, is none of the caller's direct tenants.
  func require(_ subscriber: String, of caller: Caller) async throws {
    let found = try await query.listSubscriptions(
      ListSubscriptionsRequest(caller: caller, ids: [subscriber], pageSize: 1))
    guard found.subscriptions.contains(where: { $0.id == subscriber }) else {
      throw HTTPProblem(
        .badRequest, "SubscriberIdIsNotDirectTenant",
        "subscriberId: \"\(subscriber)\" is not a direct tenant of the caller")
    }
  }
}
