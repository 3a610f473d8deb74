package import StackmeterCore

/// Gathers the charges of one subscription into a draft of its statement for one billing period. It keeps lines, and
/// no charges.
package struct StatementBuilder {
  /// What makes charges one line.
  private struct LineKey: Hashable {
    let kind: StatementLine.Kind
    let period: BillingPeriod
    let day: Day?
    let rate: RateReference
    let tier: Int
    let listPrice: Price
    let price: Price
  }

  private struct LineSum {
    var quantity = Quantity.zero
    var priced = Quantity.zero
    var cost = Cost.zero
  }

  private struct UnratedKey: Hashable {
    let meter: String
    let period: BillingPeriod
  }

  private let rater: Rater
  package let subscription: Subscription
  package let period: BillingPeriod
  private var sums: [LineKey: LineSum] = [:]
  private var unrated: [UnratedKey: Quantity] = [:]
  /// The exact cost of each period's usage.
  private var costs: [BillingPeriod: Cost] = [:]
  private var isProvisional = false

  package init(_ rater: Rater, subscription: String, period: BillingPeriod) {
    self.rater = rater
    self.subscription = rater.subscription(subscription)
    self.period = period
  }

  /// Adds a charge of the subscription: of the period, or of an earlier one as an adjustment.
  package mutating func add(_ charge: Charge) throws(StatementError) {
    guard charge.subscription.hasSameBytes(as: subscription.id),
      charge.period == period || (charge.period < period && charge.isAdjustment)
    else { throw .foreign(subscription: charge.subscription, period: charge.period) }
    if charge.isProvisional { isProvisional = true }
    guard let rate = charge.rate else {
      let key = UnratedKey(meter: charge.meter, period: charge.period)
      guard let sum = (unrated[key] ?? .zero).adding(charge.quantity) else { throw .tooLarge }
      unrated[key] = sum
      return
    }
    let key = LineKey(
      kind: charge.kind == .minimum ? .minimum : .usage, period: charge.period,
      day: charge.isAdjustment ? charge.day : nil, rate: rate, tier: charge.tier,
      listPrice: charge.listPrice, price: charge.price)
    var sum = sums[key] ?? LineSum()
    guard let quantity = sum.quantity.adding(charge.quantity),
      let priced = sum.priced.adding(charge.pricedQuantity),
      let cost = sum.cost.adding(charge.cost),
      let total = (costs[charge.period] ?? .zero).adding(charge.cost)
    else { throw .tooLarge }
    (sum.quantity, sum.priced, sum.cost) = (quantity, priced, cost)
    sums[key] = sum
    costs[charge.period] = total
  }

  /// The draft of all that was added, and what the commitments of each period have been charged by then.
  ///
  /// - Parameters:
  ///   - commitments: What earlier statements have charged.
  ///   - settles: The period has ended: what was committed and not used is charged.
  package func draft(commitments: [BillingPeriod: CommitmentState] = [:], settles: Bool)
    throws(StatementError) -> (statement: Statement, commitments: [BillingPeriod: CommitmentState])
  {
    let card = rater.book.versions[rater.book.indices(in: period).last ?? 0]
    var lines: [StatementLine] = []
    for (key, sum) in sums {
      if sum.quantity == .zero && sum.priced == .zero && sum.cost.isZero { continue }
      guard let amount = Money(sum.cost, card.currency, card.rounding) else { throw .tooLarge }
      lines.append(
        StatementLine(
          kind: key.kind, period: key.period, day: key.day, meter: key.rate.meter, rate: key.rate,
          tier: key.tier, quantity: sum.quantity, pricedQuantity: sum.priced,
          listPrice: key.listPrice, price: key.price, description: "", cost: sum.cost,
          amount: amount))
    }
    var states = commitments
    if states[period] == nil, let commitment = rater.commitment(of: subscription, in: period) {
      states[period] = CommitmentState(commitment)
    }
    // Of earlier periods only those that were charged for a commitment then.
    for period in Set(costs.keys).union([self.period]).sorted() {
      guard var state = states[period] else { continue }
      lines += try state.charge(
        more: costs[period] ?? .zero, period: period, rounding: card.rounding,
        settles: settles || period < self.period)
      states[period] = state
    }
    let statement = Statement(
      subscription: subscription, period: period, currency: card.currency,
      rounding: card.rounding,
      cards: Set(sums.keys.map { Version(card: $0.rate.card, number: $0.rate.version) })
        .sorted().map { "\($0.card) \($0.number)" },
      taxNote: card.taxNote, lines: lines,
      unrated: unrated.filter { $0.value != .zero }
        .map { Statement.Unrated(meter: $0.key.meter, period: $0.key.period, quantity: $0.value) }
        .sorted { ($0.period, $0.meter) < ($1.period, $1.meter) },
      isProvisional: isProvisional || !settles)
    guard statement.total != nil else { throw .tooLarge }
    return (statement, states)
  }

  private struct Version: Hashable, Comparable {
    let card: String
    let number: Int

    static func < (left: Version, right: Version) -> Bool {
      (left.number, left.card) < (right.number, right.card)
    }
  }
}

extension Rater {
  /// What a subscription has committed to in a period: by the card that holds at its end.
  package func commitment(of subscription: Subscription, in period: BillingPeriod) -> Commitment? {
    guard let last = book.indices(in: period).last else { return nil }
    return book.versions[last].group(of: subscription)?.commitment
  }
}
