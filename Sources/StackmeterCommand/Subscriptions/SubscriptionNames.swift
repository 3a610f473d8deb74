internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// What people call subscriptions, as far as the directory says.
struct SubscriptionNames: Sendable {
  private var names: [ExactText: String] = [:]

  init(_ subscriptions: [Subscription] = []) {
    for subscription in subscriptions {
      names[ExactText(subscription.id)] = subscription.displayName
    }
  }

  /// Asks for those that are not known yet.
  mutating func learn(_ ids: some Sequence<String>, from query: QueryClient) async throws {
    let unknown = Set(ids.map { ExactText($0) }).filter { names[$0] == nil }.map(\.text).sorted()
    var rest = unknown[...]
    while !rest.isEmpty {
      var request = ListSubscriptionsRequest(
        caller: .operator, ids: Array(rest.prefix(ListUsageRequest.filterMax)))
      rest = rest.dropFirst(ListUsageRequest.filterMax)
      repeat {
        let page = try await query.listSubscriptions(request)
        for subscription in page.subscriptions {
          names[ExactText(subscription.id)] = subscription.displayName
        }
        request.after = page.nextAfter
      } while !request.after.isEmpty
    }
  }

  /// Empty where the directory does not say.
  subscript(id: String) -> String { names[ExactText(id)] ?? "" }

  /// `name (id)`, or the id alone.
  func label(_ id: String) -> String {
    let name = self[id]
    return name.isEmpty ? id : "\(name) (\(id))"
  }
}
