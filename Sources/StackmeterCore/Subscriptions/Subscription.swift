/// Whom usage is counted for, as the operator's directory says. Takes no part in what is counted.
package struct Subscription: Hashable, Sendable {
  /// `unassigned` is what a subscription is that has usage and stands in no directory.
  package enum State: String, Hashable, Sendable, CaseIterable {
    case active, suspended, deleted, unassigned

    /// What a directory may say.
    package static let declared: [State] = [.active, .suspended, .deleted]
  }

  /// In lower case.
  package var id: String
  /// The others are empty where the directory does not say.
  package var displayName: String
  package var owner: String
  package var costCenter: String
  /// A JSON object of texts; empty for none.
  package var tags: String
  package var state: State

  package init(
    id: String, displayName: String = "", owner: String = "", costCenter: String = "",
    tags: String = "", state: State
  ) {
    self.id = id
    self.displayName = displayName
    self.owner = owner
    self.costCenter = costCenter
    self.tags = tags
    self.state = state
  }
}

extension Subscription {
  /// The directory's value of a grouping; nil where it says none, or the grouping is of something else.
  package func value(of grouping: Grouping) -> String? {
    let value: String? =
      switch grouping {
      case .owner: owner
      case .costCenter: costCenter
      case .subscriptionTag(let name): Resource(uri: "", tags: tags).tag(name)
      default: nil
      }
    guard let value, !value.isEmpty else { return nil }
    return value
  }
}

/// The limits of a directory of subscriptions.
package enum SubscriptionLimits {
  package static let subscriptionsMax = 100_000
  package static let fileBytesMax = 64 << 20
  package static let textBytesMax = 256
  /// Of one subscription.
  package static let tenanciesMax = 32
}

extension JSONWriter {
  /// A subscription, with the members of the directory's file.
  package mutating func subscription(_ subscription: Subscription) {
    object { writer in
      writer.member("id", string: subscription.id)
      writer.member("displayName", string: subscription.displayName)
      writer.member("owner", string: subscription.owner)
      writer.member("costCenter", string: subscription.costCenter)
      writer.member("tags", raw: subscription.tags.isEmpty ? "{}" : subscription.tags)
      writer.member("state", string: subscription.state.rawValue)
    }
  }
}
