package import StackmeterCore

extension JSONWriter {
  /// A statement. Quantities, prices and amounts are texts: exact, and read by no one as a float.
  package mutating func statement(_ statement: Statement) {
    object { writer in
      if let number = statement.number { writer.member("number", string: number) }
      writer.member("status", string: statement.isClosed ? "closed" : "draft")
      writer.member("provisional", statement.isProvisional)
      writer.member("subscriptionId", string: statement.subscription.id)
      writer.member("displayName", string: statement.subscription.displayName)
      writer.member("owner", string: statement.subscription.owner)
      writer.member("costCenter", string: statement.subscription.costCenter)
      if !statement.subscription.tags.isEmpty {
        writer.member("tags", raw: statement.subscription.tags)
      }
      writer.member("subscriptionState", string: statement.subscription.state.rawValue)
      writer.member("period", string: statement.period.description)
      writer.member("periodStart", string: statement.period.start.start.description)
      writer.member("periodEnd", string: statement.period.end.start.description)
      writer.member("currency", string: statement.currency.code)
      writer.member("rounding", string: statement.rounding.rawValue)
      writer.member("taxNote", string: statement.taxNote)
      writer.member(
        "rateCards",
        array: { writer in
          for card in statement.cards { writer.string(card) }
        })
      writer.member(
        "lines",
        array: { writer in
          for line in statement.lines { writer.statementLine(line, of: statement.period) }
        })
      writer.member(
        "unrated",
        array: { writer in
          for unrated in statement.unrated {
            writer.object { writer in
              writer.member("meterId", string: unrated.meter)
              writer.member("period", string: unrated.period.description)
              writer.member("quantity", string: unrated.quantity.description)
            }
          }
        })
      writer.member("total", string: statement.total?.amountText ?? "")
    }
  }

  /// A line of a statement of that period.
  package mutating func statementLine(_ line: StatementLine, of period: BillingPeriod) {
    object { writer in
      writer.member("kind", string: line.kind.rawValue)
      writer.member("adjustment", line.period != period)
      writer.member("period", string: line.period.description)
      if let day = line.day { writer.member("usageDay", string: day.description) }
      writer.member("description", string: line.title)
      if let rate = line.rate {
        writer.rate(rate)
        writer.words(of: rate)
        writer.priced(line)
      }
      writer.member("exactCost", string: line.cost.description)
      writer.member("amount", string: line.amount.amountText)
    }
  }

  /// A charge: which usage, by which rate, at which price.
  package mutating func charge(_ charge: Charge) {
    object { writer in
      writer.member("kind", string: charge.kind.rawValue)
      writer.member("adjustment", charge.isAdjustment)
      writer.member("provisional", charge.isProvisional)
      writer.member("subscriptionId", string: charge.subscription)
      writer.member("period", string: charge.period.description)
      if let usage = charge.usage {
        writer.member("usageStart", string: usage.usageStart.description)
        writer.member("usageEnd", string: usage.usageEnd.description)
        writer.member("window", string: usage.window.description)
        writer.member("resourceUri", string: usage.series.resource.uri)
        writer.member("location", string: usage.series.resource.location)
        let tags = usage.series.resource.tags
        writer.member("tags", raw: tags.isEmpty ? "{}" : tags)
      }
      if let rate = charge.rate {
        writer.rate(rate)
      } else {
        writer.member("meterId", string: charge.meter)
      }
      writer.priced(charge)
      writer.member("listCost", string: charge.listCost.description)
      writer.member("cost", string: charge.cost.description)
    }
  }

  private mutating func priced(_ quantity: some PricedQuantity) {
    member("tier", quantity.tier)
    member("quantity", string: quantity.quantity.description)
    member("pricedQuantity", string: quantity.pricedQuantity.description)
    member("listPrice", string: quantity.listPrice.description)
    member("price", string: quantity.price.description)
  }

  private mutating func rate(_ rate: RateReference) {
    member("rateCard", string: rate.card)
    member("version", rate.version)
    member("meterId", string: rate.meter)
    member("billingMeterId", string: rate.billingMeter)
    if let group = rate.group { member("rateGroup", string: group) }
    if let location = rate.location { member("rateLocation", string: location) }
  }

  /// What else the CSV and the page of a statement say of a rate, so that its document is enough to make them. What is
  /// as it mostly is stays unsaid.
  private mutating func words(of rate: RateReference) {
    if !rate.meterName.isEmpty { member("meterName", string: rate.meterName) }
    if !rate.unit.isEmpty { member("unit", string: rate.unit) }
    if rate.form != .flat { member("form", string: rate.form.rawValue) }
    if rate.package != Quantity(1) { member("package", string: rate.package.description) }
    if rate.countsStarted { member("startedPackages", true) }
    if rate.discount != .zero { member("discount", string: rate.discount.description) }
  }
}

/// What charges and lines say alike.
private protocol PricedQuantity {
  var tier: Int { get }
  var quantity: Quantity { get }
  var pricedQuantity: Quantity { get }
  var listPrice: Price { get }
  var price: Price { get }
}

extension Charge: PricedQuantity {}
extension StatementLine: PricedQuantity {}
