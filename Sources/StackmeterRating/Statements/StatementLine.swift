package import StackmeterCore

/// One line of a statement: an exact cost, rounded here and nowhere else.
package struct StatementLine: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Usage of the period at one price.
    case usage
    /// What is missing to the least amount of a meter in the period.
    case minimum
    /// What a commitment takes off the usage that it covers.
    case commitmentDiscount = "commitment-discount"
    /// The part of a commitment that was not used.
    case commitmentUnused = "commitment-unused"
    /// A part of a cost that several share, or what is handed on to them.
    case shared
    /// What an operator has added or taken off, with the reason.
    case manual
    /// What was paid before.
    case credit
  }

  package let kind: Kind
  /// The period of the usage. Another one than that of the statement makes the line an adjustment.
  package let period: BillingPeriod
  /// The day of usage that came after its period was closed.
  package let day: Day?
  /// Empty where the line is of no meter.
  package let meter: String
  package let rate: RateReference?
  /// From 1, as on the card; 0 for what is included.
  package let tier: Int
  package let quantity: Quantity
  package let pricedQuantity: Quantity
  package let listPrice: Price
  package let price: Price
  /// What a person is told where there is no rate: the reason of a credit.
  package let description: String
  /// Exact.
  package let cost: Cost
  /// The cost, rounded.
  package let amount: Money
}

extension StatementLine {
  /// A line of an amount that is no usage.
  init(_ kind: Kind, _ amount: Money, _ description: String, period: BillingPeriod)
    throws(StatementError)
  {
    guard let cost = amount.cost else { throw .tooLarge }
    self.init(
      kind: kind, period: period, day: nil, meter: "", rate: nil, tier: 0, quantity: .zero,
      pricedQuantity: .zero, listPrice: .zero, price: .zero, description: description, cost: cost,
      amount: amount)
  }

  /// Whether a charge of its statement is one of those that it sums up, see `StatementBuilder`.
  package func sums(_ charge: Charge) -> Bool {
    guard kind == (charge.kind == .minimum ? .minimum : .usage), let rate, rate == charge.rate,
      period == charge.period
    else { return false }
    return tier == charge.tier && listPrice == charge.listPrice && price == charge.price
      && day == (charge.isAdjustment ? charge.day : nil)
  }

  /// The line in words: `compute-hours tier 2: 100 at 0.5`.
  package var title: String {
    guard let rate else {
      return kind == .credit || kind == .manual || kind == .shared
        ? "\(kind.rawValue): \(description)" : description
    }
    if kind == .minimum { return "\(label): minimum charge" }
    return "\(label): \(quantityText) at \(priceText(price, rate))"
      + (listPrice == price ? "" : " (list \(priceText(listPrice, rate)))")
  }

  /// What a line of a rate is of: `compute-hours in west tier 2`.
  var label: String {
    guard let rate else { return description }
    let name = rate.meterName.isEmpty ? meter : rate.meterName
    let place = rate.location.map { " in \($0)" } ?? ""
    return name + place + (kind == .minimum ? "" : rate.step(tier))
  }

  /// `25000 in 3 packages` where packages count when begun, else the quantity.
  var quantityText: String {
    rate?.countsStarted == true
      ? "\(quantity) in \(pricedQuantity) packages" : quantity.description
  }

  /// The price as the card writes it: for as many as it says.
  func priceText(_ price: Price, _ rate: RateReference) -> String {
    if rate.countsStarted { return "\(price) per started \(rate.package)" }
    if rate.package == Quantity(1) { return price.description }
    let (units, overflow) = price.attos.multipliedReportingOverflow(by: rate.package.units128)
    let whole = rate.package.remainingAttos == 0 && !overflow
    return whole
      ? PlainDecimal.text(units, fractionDigits: Price.fractionDigits) + " per \(rate.package)"
      : price.description
  }

  /// Where the line stands: by kind, meter, rate and tier, and usage day.
  func stands(before other: StatementLine) -> Bool {
    let kinds = Kind.allCases
    let one = (period, kinds.firstIndex(of: kind)!)
    let two = (other.period, kinds.firstIndex(of: other.kind)!)
    if one != two { return one < two }
    for order in [
      meter.asciiLowercased.byteOrder(other.meter.asciiLowercased),
      (rate?.location ?? "").byteOrder(other.rate?.location ?? ""),
      (rate?.group ?? "").byteOrder(other.rate?.group ?? ""),
    ] where order != 0 { return order < 0 }
    let days = (day?.index ?? 0, other.day?.index ?? 0)
    if days.0 != days.1 { return days.0 < days.1 }
    let numbers = (rate?.version ?? 0, tier)
    let others = (other.rate?.version ?? 0, other.tier)
    if numbers != others { return numbers < others }
    if price != other.price { return price > other.price }
    if listPrice != other.listPrice { return listPrice > other.listPrice }
    return (rate?.discount.partsPerMillion ?? 0) < (other.rate?.discount.partsPerMillion ?? 0)
  }
}

extension Quantity {
  fileprivate var units128: Int128 { Int128(units) }
}

/// Why a statement cannot be made or closed.
package enum StatementError: Error, Equatable, CustomStringConvertible {
  case tooLarge
  case twoCurrencies(String, String)
  /// A charge of another subscription, or of a period after that of the statement.
  case foreign(subscription: String, period: BillingPeriod)
  /// Some of it may still change.
  case provisional(subscription: String)
  /// Usage of these meters has no price.
  case unrated(subscription: String, meters: [String])
  case noNumber

  package var description: String {
    switch self {
    case .tooLarge: "an amount of the statement does not fit"
    case .twoCurrencies(let one, let other):
      "a statement in \(one) cannot have an amount in \(other)"
    case .foreign(let subscription, let period):
      "a charge of subscription \(subscription) for \(period) does not belong on this statement"
    case .provisional(let subscription):
      "the statement of \(subscription) cannot be closed: some of its usage may still change; close it when the "
        + "windows of its period are closed and it was rated to the end"
    case .unrated(let subscription, let meters):
      "the statement of \(subscription) cannot be closed: usage of \(meters.joined(separator: ", ")) has no price; add "
        + "a rate, or close it with what has no price"
    case .noNumber: "a statement that is closed needs a number"
    }
  }
}
