package import StackmeterCore

extension CSVWriter {
  /// The names of the columns of `statement`.
  package mutating func statementColumns() {
    row(
      [
        "statement", "status", "subscriptionId", "displayName", "owner", "costCenter", "period",
        "kind", "adjustment", "usagePeriod", "usageDay", "description", "meterId", "unit",
        "rateCard", "tier", "quantity", "pricedQuantity", "listPrice", "price", "exactCost",
        "amount", "currency",
      ].map { .literal($0) })
  }

  /// The lines of a statement, one a row, then its usage without a price, which has no amount. So the amounts of a
  /// column sum to the total, which is no row. Figures are exact and have a point; texts from outside are no formulas.
  package mutating func statement(_ statement: Statement) {
    let status =
      statement.isClosed ? "closed" : statement.isProvisional ? "provisional draft" : "draft"
    let subscription = statement.subscription
    let head: [Cell] = [
      .text(statement.number ?? ""), .literal(status), .text(subscription.id),
      .text(subscription.displayName), .text(subscription.owner), .text(subscription.costCenter),
      .literal(statement.period.description),
    ]
    for line in statement.lines {
      let rate = line.rate
      let isUsage = line.kind == .usage
      let figures = [line.quantity, line.pricedQuantity].map { isUsage ? $0.description : "" }
      let prices = [line.listPrice, line.price].map { isUsage ? $0.description : "" }
      row(
        head + [
          .literal(line.kind.rawValue),
          .literal(line.period == statement.period ? "false" : "true"),
          .literal(line.period.description), .literal(line.day?.description ?? ""),
          .text(line.title), .text(line.meter), .text(rate?.unit ?? ""),
          .text(rate.map { "\($0.card) \($0.version)" } ?? ""),
          .literal(isUsage ? "\(line.tier)" : ""),
        ] + (figures + prices + [line.cost.description, line.amount.amountText]).map(Cell.literal)
          + [.literal(statement.currency.code)])
    }
    for unrated in statement.unrated {
      let isAdjustment = unrated.period != statement.period
      row(
        head + [
          .literal("unrated"), .literal(isAdjustment ? "true" : "false"),
          .literal(unrated.period.description), .literal(""),
          .text("\(unrated.meter): no price"), .text(unrated.meter), .literal(""), .literal(""),
          .literal(""), .literal(unrated.quantity.description),
        ] + Array(repeating: .literal(""), count: 5) + [.literal(statement.currency.code)])
    }
  }
}
