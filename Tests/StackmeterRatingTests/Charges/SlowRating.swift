import StackmeterCore
import StackmeterTesting

@testable import StackmeterRating

/// What usage costs, computed as plainly as can be: half a unit at a time, from the first of the period to the last,
/// each at the price that a walk through the tiers finds for it. Quantities are whole numbers of halves, prices those
/// of `CardGenerator`; the result is in 10⁻¹² of the currency's unit.
enum SlowRating {
  private static let picos: Int128 = 1_000_000_000_000

  /// The cost of the usage of one rate: `halves` for each version of the card that has the rate, in their order.
  static func cost(_ versions: [(rate: Rate, discount: Percent, halves: Int)], settles: Bool)
    -> Int128
  {
    let total = versions.reduce(0) { $0 + $1.halves }
    var cost: Int128 = 0
    var place = 0
    for version in versions {
      for _ in 0..<version.halves {
        cost += price(ofHalfAfter: place, total: total, version.rate, version.discount)
        place += 1
      }
    }
    let minimum = versions.last?.rate.minimum.map { Int128($0.minorUnits) * picos / 100 } ?? 0
    return settles && total > 0 ? max(cost, minimum) : cost
  }

  /// What the half unit costs that lies after `place` halves.
  private static func price(
    ofHalfAfter place: Int, total: Int, _ rate: Rate, _ discount: Percent
  ) -> Int128 {
    let included = Int(rate.included.units) * 2
    if place + 1 <= included { return 0 }
    let size = Int(rate.pricing.package.units)
    // Tiers are told by whole packages where those count when begun: a half is in the tier that its package ends in.
    var end = place + 1
    var last = total
    if rate.pricing.countsStarted {
      end = (end + 2 * size - 1) / (2 * size) * (2 * size)
      last = (last + 2 * size - 1) / (2 * size) * (2 * size)
    }
    let shift = rate.isIncludedBeforeTiers ? included : 0
    let deciding = (rate.pricing.form == .volume ? last : end) - shift
    let tier = rate.pricing.tiers.first { tier in
      tier.upTo.map { deciding <= Int($0.units) * 2 } ?? true
    }!
    let list = Int128(tier.price.attos / 1_000_000)
    let left = list * Int128(1_000_000 - discount.partsPerMillion) / 1_000_000
    guard rate.pricing.countsStarted else { return left / Int128(size) / 2 }
    // The package is paid with the half that begins it.
    return place % (2 * size) == 0 ? left : 0
  }
}

/// Random usage of some subscriptions and meters in November 2026, never less than nothing in sum: in halves, or with
/// all digits that there are.
enum UsageGenerator {
  static func rows(inHalves: Bool = true, using random: inout SeededRandom) throws
    -> [UsageAggregate]
  {
    let unit =
      inHalves
      ? Quantity.attosPerUnit / 2 : Int128.random(in: 1...Quantity.attosPerUnit, using: &random)
    var rows: [UsageAggregate] = []
    for _ in 0..<Int.random(in: 1...30, using: &random) {
      let subscription = ["s0", "s1", "s2"].randomElement(using: &random)!
      let meter = ["m0", "m1"].randomElement(using: &random)!
      let location = ["", "west", "East"].randomElement(using: &random)!
      let uri = "/r\(Int.random(in: 0...2, using: &random))"
      let hour = Hour(
        index: november.start.firstHour.index + Int64.random(in: 0..<720, using: &random))
      let halves = Int128.random(in: 0...24, using: &random)
      func row(_ halves: Int128, _ window: Int64) -> UsageAggregate {
        UsageAggregate(
          series: Series(
            subscription: subscription, meter: meter,
            resource: Resource(uri: uri, location: location)),
          usageStart: hour.start, usageEnd: hour.end,
          quantity: Quantity(attos: halves * unit)!,
          window: Hour(index: hour.index + window), isProvisional: false)
      }
      rows.append(row(halves, Int64.random(in: 0...3, using: &random)))
      // A correction, in a window of its own.
      if Bool.random(using: &random) {
        rows.append(
          row(
            -Int128.random(in: 0...halves, using: &random),
            Int64.random(in: 4...9, using: &random)))
      }
    }
    return rows
  }
}
