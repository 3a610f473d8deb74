package import StackmeterCore

/// One version of a list of prices: what the units of each meter cost from a day on. Never altered once it is in
/// effect; another price is another version.
///
/// Made by reading its text, which checks it; see `RateCard.init(parsing:)`.
package struct RateCard: Hashable, Sendable {
  package let name: String
  package let version: Int
  /// The first day of UTC on which it holds.
  package let effective: Day
  package let currency: Currency
  package let rounding: Rounding
  /// What statements say about tax; empty for nothing. No tax is computed.
  package let taxNote: String
  /// The first that a subscription is a member of counts.
  package let groups: [RateGroup]
  package let meters: [RatedMeter]

  /// `standard 3`.
  package var reference: String { "\(name) \(version)" }

  /// The meter with this id, whatever the case.
  package func meter(_ id: String) -> RatedMeter? {
    let folded = ExactText(id.asciiLowercased)
    return meters.first { ExactText($0.id.asciiLowercased) == folded }
  }

  /// The same prices from another day on.
  package func holding(from day: Day) -> RateCard {
    RateCard(
      name: name, version: version, effective: day, currency: currency, rounding: rounding,
      taxNote: taxNote, groups: groups, meters: meters)
  }

  package func group(_ name: String) -> RateGroup? {
    groups.first { $0.name == name }
  }

  /// The group that a subscription belongs to, or nil.
  package func group(of subscription: Subscription) -> RateGroup? {
    groups.first { $0.contains(subscription) }
  }
}

/// Subscriptions that have prices of their own, or a discount.
package struct RateGroup: Hashable, Sendable {
  package struct Tag: Hashable, Sendable {
    package let name: ExactText
    package let value: ExactText
  }

  package let name: String
  /// In lower case.
  package let subscriptions: [String]
  package let costCenters: [String]
  package let owners: [String]
  package let tags: [Tag]
  /// Off every rate that is not of the group itself and has no discount of its own.
  package let discount: Percent
  package let commitment: Commitment?

  /// A member is one that any of the four names.
  package func contains(_ subscription: Subscription) -> Bool {
    if subscriptions.contains(where: { $0.hasSameBytes(as: subscription.id.asciiLowercased) }) {
      return true
    }
    if costCenters.contains(where: { $0.hasSameBytes(as: subscription.costCenter) }) { return true }
    if owners.contains(where: { $0.hasSameBytes(as: subscription.owner) }) { return true }
    guard !tags.isEmpty else { return false }
    let members = Resource(uri: "", tags: subscription.tags).tagMembers
    return tags.contains { tag in
      members.contains { ExactText($0.name) == tag.name && ExactText($0.value) == tag.value }
    }
  }
}

/// What each member of a group has committed to: usage worth `amount` at its prices in each billing period, used or
/// not, for which it pays that much less.
package struct Commitment: Hashable, Sendable {
  package let amount: Money
  package let discount: Percent
}

/// The rates of one meter.
package struct RatedMeter: Hashable, Sendable {
  package let id: String
  /// What people call it, and what its quantities count; for reading only.
  package let name: String
  package let unit: String
  /// The id under which a remote commerce service bills it; its own where the card says nothing.
  package let billingMeter: String
  package let rates: [Rate]

  /// The rate that is closest to a member of `group` at `location`: that for both, else that for the group, else that
  /// for the location, else the general one; nil where none fits. Case does not matter in locations.
  package func rate(group: String?, location: String) -> Rate? {
    let folded = location.asciiLowercased
    var best: Rate?
    for rate in rates {
      if let wanted = rate.group, wanted != group { continue }
      if let wanted = rate.location, !wanted.asciiLowercased.hasSameBytes(as: folded) { continue }
      if best.map({ rate.closeness > $0.closeness }) ?? true { best = rate }
    }
    return best
  }
}

/// What the units of one meter cost, for some subscriptions at some location.
package struct Rate: Hashable, Sendable {
  /// Whom it is for; nil for all.
  package let group: String?
  /// Where; nil for everywhere.
  package let location: String?
  package let pricing: Pricing
  /// The quantity of each billing period that costs nothing.
  package let included: Quantity
  /// Whether tiers begin to count after what is included, and not with it.
  package let isIncludedBeforeTiers: Bool
  /// What a subscription pays at least in a billing period in which it used the meter.
  package let minimum: Money?
  /// Off the prices; nil where that of the group holds.
  package let discount: Percent?

  /// A group weighs more than a location.
  var closeness: Int { (group == nil ? 0 : 2) + (location == nil ? 0 : 1) }

  /// The discount that a member of `group` has.
  package func discount(for group: RateGroup?) -> Percent {
    discount ?? (self.group == nil ? group?.discount ?? .zero : .zero)
  }
}

/// How a quantity of a billing period becomes a price.
package struct Pricing: Hashable, Sendable {
  package enum Form: String, Hashable, Sendable {
    /// One price for all units.
    case flat = "price"
    /// Each unit has the price of the tier that it falls in.
    case graduated
    /// All units have the price of the tier that the last of them falls in.
    case volume
  }

  package struct Tier: Hashable, Sendable {
    /// The last quantity that is in it; nil for the last tier, which has no end.
    package let upTo: Quantity?
    package let price: Price
  }

  package let form: Form
  /// What the prices are for: 1, or 10000 where so many transactions have one price.
  package let package: Quantity
  /// Whether a package that is begun counts as a whole one.
  package let countsStarted: Bool
  /// At least one; the last has no end.
  package let tiers: [Tier]
}

/// The limits of a rate card.
package enum RateCardLimits {
  package static let fileBytesMax = 4 << 20
  package static let metersMax = 10_000
  package static let groupsMax = 1_000
  package static let groupMembersMax = 10_000
  package static let ratesOfMeterMax = 1_000
  package static let tiersMax = 100
  package static let textBytesMax = 256
  package static let nameBytesMax = 64
  package static let versionMax = 999_999
  /// Problems that are reported of one file.
  package static let problemsMax = 1_000
  /// Versions of one card.
  package static let versionsMax = 1_000
}
