package import StackmeterCore

/// Which rate made a charge: all that a line says about it.
package final class RateReference: Sendable {
  package let card: String
  package let version: Int
  package let meter: String
  package let meterName: String
  package let unit: String
  package let billingMeter: String
  package let group: String?
  package let location: String?
  /// What the card writes the prices for: 1, or 10000. Charges have the price of one, or of one package where those
  /// count when begun.
  package let package: Quantity
  package let countsStarted: Bool
  package let form: Pricing.Form
  package let discount: Percent

  init(_ rate: Rate, of meter: RatedMeter, in card: RateCard, discount: Percent) {
    self.card = card.name
    version = card.version
    self.meter = meter.id
    meterName = meter.name
    unit = meter.unit
    billingMeter = meter.billingMeter
    group = rate.group
    location = rate.location
    package = rate.pricing.package
    countsStarted = rate.pricing.countsStarted
    form = rate.pricing.form
    self.discount = discount
  }

  /// What a document says about a rate.
  init(
    card: String, version: Int, meter: String, meterName: String, unit: String,
    billingMeter: String, group: String?, location: String?, package: Quantity,
    countsStarted: Bool, form: Pricing.Form, discount: Percent
  ) {
    self.card = card
    self.version = version
    self.meter = meter
    self.meterName = meterName
    self.unit = unit
    self.billingMeter = billingMeter
    self.group = group
    self.location = location
    self.package = package
    self.countsStarted = countsStarted
    self.form = form
    self.discount = discount
  }

  /// Which of its prices a tier has, to stand behind the name of the meter: ` tier 2`; empty where it has one.
  func step(_ tier: Int) -> String {
    if tier == 0 { return " included" }
    return form == .flat ? "" : " tier \(tier)"
  }
}

extension RateReference: Hashable {
  package static func == (left: RateReference, right: RateReference) -> Bool {
    left === right
      || (left.version == right.version && left.card == right.card && left.meter == right.meter
        && left.group == right.group && left.location == right.location
        && left.discount == right.discount)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(version)
    hasher.combine(meter)
    hasher.combine(group)
    hasher.combine(location)
  }
}

/// One rate as it is for a subscription: its ladders, and what it asks at least.
final class RatePlan: Sendable {
  let reference: RateReference
  /// One; or one for each tier where the price of all units depends on how many there are.
  private let ladders: [PriceLadder]
  /// The last total that each of `ladders` is for, in attos; empty where there is one.
  private let totals: [Int128]
  let minimum: Cost?

  init(_ rate: Rate, of meter: RatedMeter, in card: RateCard, discount: Percent) {
    reference = RateReference(rate, of: meter, in: card, discount: discount)
    minimum = rate.minimum?.cost
    let pricing = rate.pricing
    let included = rate.included.attos
    let free = PriceLadder.Step(upTo: included, tier: 0, listPrice: .zero, price: .zero)
    let shift = rate.isIncludedBeforeTiers ? included : 0
    let tiers = pricing.tiers.enumerated().map { index, tier in
      // The card was checked: the price of one is exact, and so is what a discount leaves of it.
      let list =
        pricing.countsStarted ? tier.price : tier.price.divided(by: pricing.package) ?? tier.price
      return PriceLadder.Step(
        upTo: tier.upTo.map { $0.attos + shift } ?? .max, tier: index + 1, listPrice: list,
        price: list.discounted(by: discount) ?? list)
    }
    let started = pricing.countsStarted ? pricing.package.attos : nil
    func ladder(_ steps: [PriceLadder.Step]) -> PriceLadder {
      let paid = steps.filter { $0.upTo > included }
      return PriceLadder(steps: included > 0 ? [free] + paid : paid, startedPackage: started)
    }
    if pricing.form == .volume {
      ladders = tiers.map { tier in
        ladder([
          PriceLadder.Step(
            upTo: .max, tier: tier.tier, listPrice: tier.listPrice, price: tier.price)
        ])
      }
      totals = tiers.map(\.upTo)
    } else {
      ladders = [ladder(tiers)]
      totals = []
    }
  }

  /// Whether the price of a unit depends on how many are to come.
  var dependsOnTotal: Bool { !totals.isEmpty }

  /// The prices where `total` attos are used in the whole period.
  func ladder(total: Int128) -> PriceLadder {
    guard dependsOnTotal else { return ladders[0] }
    return ladders[totals.firstIndex { total <= $0 } ?? ladders.count - 1]
  }
}
