import StackmeterCore
import StackmeterTesting

@testable import StackmeterRating

let november = BillingPeriod(parsing: "2026-11")!
let december = BillingPeriod(parsing: "2026-12")!

/// One aggregate of an hour; `time` is `2026-11-23T15`.
func usage(
  _ quantity: String, _ time: String = "2026-11-10T00", subscription: String = "s",
  meter: String = "m", location: String = "", uri: String = "/r", tags: String = "",
  window: Hour? = nil, isProvisional: Bool = false
) throws -> UsageAggregate {
  let start = Instant(parsing: "\(time):00:00Z")!
  return UsageAggregate(
    series: Series(
      subscription: subscription, meter: meter,
      resource: Resource(uri: uri, location: location, tags: tags)),
    usageStart: start, usageEnd: start.hour.end, quantity: try Quantity(parsing: quantity),
    window: window ?? start.hour.next, isProvisional: isProvisional)
}

/// All charges of usage, and what is carried on.
func rated(
  _ usage: [UsageAggregate], _ rater: Rater, carried: RatingState = RatingState(),
  settled: BillingPeriod? = november, closed: BillingPeriod? = nil
) throws -> (charges: [Charge], state: RatingState) {
  var state = carried
  var charges: [Charge] = []
  try rater.rate(usage, carried: &state, settled: settled, closed: closed) { charges.append($0) }
  return (charges, state)
}

/// The charges of usage by a small card, as `kind quantity at price = cost`.
func lines(_ card: String, _ usage: [UsageAggregate]) throws -> [String] {
  let rater = Rater(try RateBook([smallCard("meter m\nrate\n" + card)]))
  return try rated(usage, rater).charges.map(\.line)
}

extension Charge {
  var line: String {
    let counted = quantity == pricedQuantity ? "" : " as \(pricedQuantity)"
    return "\(kind.rawValue) \(quantity)\(counted) at \(price) = \(cost)"
  }
}

extension Sequence<Charge> {
  /// The exact sum.
  var cost: Cost {
    reduce(.zero) { $0.adding($1.cost)! }
  }

  var quantity: Quantity {
    reduce(.zero) { $0.adding($1.quantity)! }
  }
}
