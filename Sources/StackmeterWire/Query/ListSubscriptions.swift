package import CStackmeterProto
package import StackmeterCore

/// `Query.ListSubscriptions`.
package struct ListSubscriptionsRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000

  package var caller: Caller
  /// Empty for all that the caller may see.
  package var ids: [String]
  /// Empty for the first page.
  package var after: String
  /// 0 for the most.
  package var pageSize: UInt32

  package init(caller: Caller, ids: [String] = [], after: String = "", pageSize: UInt32 = 0) {
    self.caller = caller
    self.ids = ids
    self.after = after
    self.pageSize = pageSize
  }

  package init(wire raw: borrowing Stackmeter__V1__ListSubscriptionsRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    ids = try filter(raw.ids, raw.n_ids, "ids").map(\.asciiLowercased)
    after = text(raw.after)
    pageSize = raw.page_size
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListSubscriptionsRequest, _ packer: borrowing Packer
  ) {
    raw.caller = caller.wire(packer.arena)
    raw.n_ids = ids.count
    raw.ids = packer.arena.texts(ids)
    raw.after = packer.arena.text(after)
    raw.page_size = pageSize
  }
}

/// A page of subscriptions, by id.
package struct ListSubscriptionsResponse: WireMessage, Hashable {
  package var subscriptions: [Subscription]
  /// Empty on the last page.
  package var nextAfter: String

  package init(subscriptions: [Subscription], nextAfter: String) {
    self.subscriptions = subscriptions
    self.nextAfter = nextAfter
  }

  package init(wire raw: borrowing Stackmeter__V1__ListSubscriptionsResponse) throws(WireError) {
    nextAfter = text(raw.next_after)
    subscriptions = try elements(raw.subscriptions, raw.n_subscriptions) {
      (raw) throws(WireError) in
      guard let state = Subscription.State(rawValue: text(raw.state)) else {
        throw .invalidField(
          field: "subscriptions.state", problem: "\"\(text(raw.state))\" is unknown")
      }
      return Subscription(
        id: text(raw.id), displayName: text(raw.display_name), owner: text(raw.owner),
        costCenter: text(raw.cost_center), tags: text(raw.tags), state: state)
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListSubscriptionsResponse, _ packer: borrowing Packer
  ) {
    raw.next_after = packer.arena.text(nextAfter)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.messages(subscriptions) {
      (subscription, raw: inout Stackmeter__V1__Subscription) in
      raw.id = packer.arena.text(subscription.id)
      raw.display_name = packer.arena.text(subscription.displayName)
      raw.owner = packer.arena.text(subscription.owner)
      raw.cost_center = packer.arena.text(subscription.costCenter)
      raw.tags = packer.arena.text(subscription.tags)
      raw.state = packer.arena.text(subscription.state.rawValue)
    }
  }
}
