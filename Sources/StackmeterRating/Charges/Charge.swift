package import StackmeterCore

/// One priced quantity: a usage aggregate, or the part of it that has one price.
///
/// Its cost is exactly its price times its priced quantity, but where it is the rest of a minimum.
package struct Charge: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Usage at its price.
    case usage
    /// Usage that was charged before and is of another tier since earlier usage came or went.
    case retiered
    /// Usage that was charged before and has another price since the total of the period is another.
    case repriced
    /// What is missing to the least amount of a period, or what was charged for that and is not missing any more.
    case minimum
    /// Usage that no rate prices.
    case unrated
  }

  package let kind: Kind
  /// In lower case.
  package let subscription: String
  /// As the card spells it, or without a rate as the usage does.
  package let meter: String
  /// The period of the usage.
  package let period: BillingPeriod
  /// The period was closed before: the charge is of a later statement.
  package let isAdjustment: Bool
  /// It may still change: it was reported in the open window, or its price depends on what is still to come.
  package let isProvisional: Bool
  /// The aggregate that it is of; nil for what is of the whole period.
  package let usage: UsageAggregate?
  /// Nil where no rate prices it.
  package let rate: RateReference?
  /// From 1, as on the card; 0 for what is included.
  package let tier: Int
  /// In the meter's unit.
  package let quantity: Quantity
  /// What the price is multiplied with: the quantity, or packages where those count when begun.
  package let pricedQuantity: Quantity
  package let listPrice: Price
  package let price: Price
  package let cost: Cost

  /// The day of the usage; nil for what is of the whole period.
  package var day: Day? { usage?.usageStart.hour.day }
  /// What it would cost without discounts.
  package var listCost: Cost { kind == .minimum ? cost : listPrice.times(pricedQuantity) }
}

/// Why usage cannot be rated.
package enum RatingError: Error, Equatable, CustomStringConvertible {
  /// A sum of quantities or of costs does not fit.
  case tooLarge(subscription: String, meter: String)
  /// What is carried was rated by a version that is not of the book.
  case unknownVersion(Int, subscription: String, meter: String)

  package var description: String {
    switch self {
    case .tooLarge(let subscription, let meter):
      "the usage of meter \(meter) by subscription \(subscription) sums to more than can be priced"
    case .unknownVersion(let version, let subscription, let meter):
      "meter \(meter) of subscription \(subscription) was rated by version \(version) of the card, which there is no "
        + "more: no version may be removed"
    }
  }
}
