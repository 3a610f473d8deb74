package import StackmeterCore

/// What the units of a meter cost a subscription, as steps: how price lists are shown.
package struct PriceSchedule: Hashable, Sendable {
  package struct Step: Hashable, Sendable {
    /// Where it begins, of what is not included.
    package let from: Quantity
    /// Of one unit, or of one package where those count when begun.
    package let price: Price
  }

  /// Free in each billing period, before the steps begin.
  package let included: Quantity
  /// At least one; the first begins at 0.
  package let steps: [Step]
}

extension Rate {
  /// The prices for members of `group`, their discount taken off.
  package func schedule(for group: RateGroup?) -> PriceSchedule {
    let discount = discount(for: group)
    var steps: [PriceSchedule.Step] = []
    var from: Int128 = 0
    for tier in pricing.tiers {
      // The card was checked: the price of one is exact, and so is what a discount leaves of it.
      let list =
        pricing.countsStarted ? tier.price : tier.price.divided(by: pricing.package) ?? tier.price
      let shift = isIncludedBeforeTiers ? 0 : included.attos
      let start = max(0, from - shift)
      from = tier.upTo?.attos ?? .max
      // A tier that is all included has no price.
      guard from > shift, let start = Quantity(attos: start) else { continue }
      steps.append(.init(from: start, price: list.discounted(by: discount) ?? list))
    }
    return PriceSchedule(included: included, steps: steps)
  }
}

extension RatedMeter {
  /// The rates that members of a group have, by location: that of everywhere first, then by their names.
  package func rates(for group: RateGroup?) -> [Rate] {
    var locations: [String] = []
    var hasGeneral = false
    for rate in rates where rate.group == nil || rate.group == group?.name {
      guard let location = rate.location else {
        hasGeneral = true
        continue
      }
      if !locations.contains(where: { $0.asciiLowercased == location.asciiLowercased }) {
        locations.append(location)
      }
    }
    let general = hasGeneral ? rate(group: group?.name, location: "").map { [$0] } ?? [] : []
    return general
      + locations.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.compactMap {
        rate(group: group?.name, location: $0)
      }
  }
}
