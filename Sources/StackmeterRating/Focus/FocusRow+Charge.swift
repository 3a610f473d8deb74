internal import StackmeterCore

/// What the catalog says about a meter, in the words of FOCUS.
struct FocusMeter: Hashable, Sendable {
  let name: String
  let unit: String
  let service: FocusService

  init(_ id: String, _ meter: Meter?) {
    name = meter?.name ?? id
    unit = meter?.unit ?? ""
    service = FocusService(category: meter?.category ?? "")
  }
}

extension FocusRow {
  /// A charge: usage at its price, usage without a price, or the rest of a minimum.
  init(_ charge: Charge, of meter: FocusMeter, on bill: FocusBill) {
    let rate = charge.rate
    let name = rate.flatMap { $0.meterName.isEmpty ? nil : $0.meterName } ?? meter.name
    let unit = rate.flatMap { $0.unit.isEmpty ? nil : $0.unit } ?? meter.unit
    let isMinimum = charge.kind == .minimum
    self.init(
      bill: bill, category: isMinimum ? .adjustment : .usage, isCorrection: charge.isAdjustment,
      frequency: isMinimum ? .recurring : .usageBased,
      description: FocusRow.description(charge, name), start: charge.start, end: charge.end,
      // The rest of a minimum has no list price: all its costs are the billed one.
      costs: Costs(list: charge.listCost, contracted: charge.cost, billed: charge.cost),
      sku: SKU(
        id: charge.meter, meter: name, priceID: charge.priceID, priceDetails: charge.priceDetails,
        billingMeter: rate?.billingMeter ?? charge.meter, unit: unit,
        rateCard: rate.map { "\($0.card) \($0.version)" }),
      service: meter.service, resource: charge.usage?.series.resource,
      window: charge.usage?.window, kind: charge.kind.rawValue,
      isProvisional: charge.isProvisional)
    guard !isMinimum else { return }
    consumed = Consumed(quantity: charge.quantity, unit: FocusUnit.text(unit))
    pricing = Pricing(
      quantity: rate == nil ? charge.quantity : charge.pricedQuantity,
      unit: rate.flatMap { $0.countsStarted ? FocusUnit.text($0.package, unit) : nil }
        ?? FocusUnit.text(unit),
      list: charge.listPrice, contracted: charge.price,
      category: rate == nil ? "Other" : "Standard")
  }

  private static func description(_ charge: Charge, _ name: String) -> String {
    switch charge.kind {
    case .minimum: return "\(name): minimum charge"
    case .unrated: return "\(name): no price"
    case .usage: return name + charge.step
    case .retiered: return "\(name)\(charge.step): of another tier since earlier usage came"
    case .repriced: return "\(name)\(charge.step): another price for the total of the period"
    }
  }

  /// A line of a statement that is of no charge.
  init(_ line: StatementLine, on bill: FocusBill, isProvisional: Bool) {
    self.init(
      bill: bill, category: line.kind == .credit ? .credit : .adjustment,
      isCorrection: line.period != bill.period,
      frequency: line.kind == .commitmentDiscount || line.kind == .commitmentUnused
        ? .recurring : .oneTime,
      description: line.title, start: line.period.start.start, end: line.period.end.start,
      costs: Costs(list: line.cost, contracted: line.cost, billed: line.cost),
      kind: line.kind.rawValue, isProvisional: isProvisional)
  }

  /// What the rounding of the lines of a statement makes of its charges.
  init(rounding cost: Cost, by rule: Rounding, on bill: FocusBill, isProvisional: Bool) {
    self.init(
      bill: bill, category: .adjustment, isCorrection: false, frequency: .recurring,
      description: "rounding of the lines of the statement: \(rule.rawValue)",
      start: bill.period.start.start, end: bill.period.end.start,
      costs: Costs(list: cost, contracted: cost, billed: cost), kind: "rounding",
      isProvisional: isProvisional)
  }
}

extension Charge {
  /// The time of the usage; of what is of the whole period, the period.
  var start: Instant { usage?.usageStart ?? period.start.start }
  var end: Instant { usage?.usageEnd ?? period.end.start }

  fileprivate var step: String { rate?.step(tier) ?? "" }

  /// Names the list price: meter, card and version, group and location of the rate, tier.
  fileprivate var priceID: String {
    guard let rate else { return "\(meter)/no-price" }
    let scope = [rate.group.map { "/for-\($0)" }, rate.location.map { "/in-\($0)" }]
      .compactMap { $0 }.joined()
    let step = kind == .minimum ? "minimum" : tier == 0 ? "included" : "tier-\(tier)"
    return "\(meter)/\(rate.card)-\(rate.version)\(scope)/\(step)"
  }

  /// What the card says about the price, as one flat object. Its names begin with `x_`: none is one of FOCUS.
  fileprivate var priceDetails: String {
    var writer = JSONWriter()
    writer.object { writer in
      guard let rate else { return writer.member("x_Priced", false) }
      writer.member("x_Form", string: rate.form.rawValue)
      writer.member("x_Tier", tier)
      writer.member("x_Package", string: rate.package.description)
      if let group = rate.group { writer.member("x_Group", string: group) }
      if let location = rate.location { writer.member("x_Location", string: location) }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
