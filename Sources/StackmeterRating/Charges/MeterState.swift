package import StackmeterCore

/// What was charged of one meter of one subscription in one billing period: all that rating more of it needs to know,
/// however much that was.
package struct MeterState: Hashable, Sendable {
  /// What one rate has counted. A rate for a location counts by itself.
  package struct Track: Hashable, Sendable {
    /// The location of the rate, in lower case; empty for the rate of everywhere.
    package let location: String
    /// What was used while each version of the card held, the earliest first.
    package internal(set) var segments: [Segment]
    /// What was charged on top, to reach the least amount of a period.
    package internal(set) var minimumCharged: Cost
  }

  package struct Segment: Hashable, Sendable {
    package let version: Int
    /// The group of the card that the subscription was in. It stays in it for this period, so that what was charged
    /// remains what it was.
    package let group: String?
    package internal(set) var quantity: Quantity
  }

  /// In the order of their locations.
  package internal(set) var tracks: [Track]

  /// Of a period of which nothing was rated.
  package static let none = MeterState(tracks: [])
}

/// Names what a `MeterState` is of.
package struct MeterPeriod: Hashable, Sendable {
  package let subscription: String
  /// In lower case.
  package let meter: String
  package let period: BillingPeriod

  package init(subscription: String, meter: String, period: BillingPeriod) {
    self.subscription = subscription
    self.meter = meter.asciiLowercased
    self.period = period
  }
}

extension MeterPeriod: Comparable {
  package static func < (left: MeterPeriod, right: MeterPeriod) -> Bool {
    var order = left.subscription.byteOrder(right.subscription)
    if order == 0 { order = left.meter.byteOrder(right.meter) }
    return order == 0 ? left.period < right.period : order < 0
  }
}
