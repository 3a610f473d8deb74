internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/subscriptions` and `/subscriptions/{id}`, which Azure's clients ask before anything else.
struct AzureSubscriptions: Sendable {
  let query: QueryClient
  let links: GatewayLinks

  /// A page of what the caller may see, by id. Deleted ones are among them: they have usage to be billed.
  func list(_ request: GatewayRequest) async throws -> Reply {
    let parameters = try AzureParameters(request)
    let after = try parameters.text("$skiptoken") ?? ""
    let (page, next) = try await page(request.caller, after: after.asciiLowercased)
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for subscription in page {
            writer.object { $0.azureMembers(of: subscription) }
          }
        })
      if !next.isEmpty {
        writer.member(
          "nextLink", string: links.next(request, parameters, token: next, as: "$skiptoken"))
      }
    }
  }

  /// Foreign and absent subscriptions are told apart by nothing.
  func show(_ request: GatewayRequest) async throws -> Reply {
    _ = try AzureParameters(request)
    let id = request.pathValue.asciiLowercased
    guard request.caller.maySee(id) else {
      throw HTTPProblem.subscriptionNotFound(request.pathValue)
    }
    let found = try await query.listSubscriptions(
      ListSubscriptionsRequest(caller: request.caller, ids: [id], pageSize: 1)
    ).subscriptions.first
    let subscription = found ?? unknown(id, request.caller)
    guard let subscription, subscription.id == id else {
      throw HTTPProblem.subscriptionNotFound(request.pathValue)
    }
    return Reply { $0.azureMembers(of: subscription) }
  }

  /// At most a thousand after one, and after which one the next page begins; empty where there is none.
  private func page(
    _ caller: Caller, after: String
  ) async throws -> (subscriptions: [Subscription], next: String) {
    switch caller {
    case .operator, .provider, .reporter:
      let page = try await query.listSubscriptions(
        ListSubscriptionsRequest(caller: caller, after: after))
      return (page.subscriptions, page.nextAfter)
    case .tenant(let own):
      // A tenant has its subscriptions from the first day on, before there is usage or anybody has named them.
      let rest = Set(own).filter { $0 > after }.sorted()
      let asked = rest.prefix(ListSubscriptionsRequest.pageSizeMax)
      guard let last = asked.last else { return ([], "") }
      let page = try await query.listSubscriptions(
        ListSubscriptionsRequest(caller: caller, ids: Array(asked), after: after))
      let known = Dictionary(
        page.subscriptions.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
      let end = page.nextAfter.isEmpty ? last : page.nextAfter
      let shown = asked.filter { $0 <= end }
      return (
        shown.compactMap { known[$0] ?? unknown($0, caller) }, shown.count < rest.count ? end : ""
      )
    }
  }

  /// A subscription that the caller was given and nobody knows of yet; nil where it is not the caller's.
  private func unknown(_ id: String, _ caller: Caller) -> Subscription? {
    switch caller {
    case .operator, .provider, .reporter: nil
    case .tenant(let own): own.contains(id) ? Subscription(id: id, state: .unassigned) : nil
    }
  }
}

extension JSONWriter {
  fileprivate mutating func azureMembers(of subscription: Subscription) {
    member("id", string: "/subscriptions/\(subscription.id)")
    member("subscriptionId", string: subscription.id)
    let name = subscription.displayName
    member("displayName", string: name.isEmpty ? subscription.id : name)
    member("state", string: subscription.state.azureText)
    member("tags", raw: subscription.tags.isEmpty ? "{}" : subscription.tags)
  }
}

extension Subscription.State {
  /// One that nobody has written down is as good as any.
  fileprivate var azureText: String {
    switch self {
    case .active, .unassigned: "Enabled"
    case .suspended: "Disabled"
    case .deleted: "Deleted"
    }
  }
}
