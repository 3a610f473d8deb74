internal import StackmeterCore

/// What the statements of a subscription have charged for its commitment in one billing period.
///
/// Both amounts are functions of the cost of the period's usage. Later usage is charged the difference, so that late
/// usage, in any number of statements, costs what it would have cost in one.
package struct CommitmentState: Hashable, Sendable {
  /// What was committed to when the period was first charged. It stays that for the period.
  package let commitment: Commitment
  /// The exact cost of the usage, at its prices.
  package private(set) var cost = Cost.zero
  /// What the commitment took off it; not above zero.
  package private(set) var discount: Money
  /// What was charged for the part that was not used.
  package private(set) var unused: Money

  package init(_ commitment: Commitment) {
    self.commitment = commitment
    discount = .zero(commitment.amount.currency)
    unused = .zero(commitment.amount.currency)
  }

  /// What was kept.
  init(_ commitment: Commitment, cost: Cost, discount: Money, unused: Money) {
    self.commitment = commitment
    self.cost = cost
    self.discount = discount
    self.unused = unused
  }

  /// Charges more usage; the lines are what changes. Each amount is rounded once, of the whole.
  mutating func charge(
    more: Cost, period: BillingPeriod, rounding: Rounding, settles: Bool
  ) throws(StatementError) -> [StatementLine] {
    let currency = commitment.amount.currency
    let digits = currency.fractionDigits
    guard let cost = cost.adding(more), let most = commitment.amount.cost else { throw .tooLarge }
    let covered = min(max(cost, .zero), most)
    guard let rest = most.subtracting(covered),
      let discount = covered.rounded(
        commitment.discount, fractionDigits: digits, rounding),
      let unused = rest.rounded(
        commitment.discount.complement, fractionDigits: digits, rounding)
    else { throw .tooLarge }
    self.cost = cost
    var lines: [StatementLine] = []
    let change = Money(-discount - self.discount.minorUnits, currency)
    if !change.isZero {
      self.discount = Money(-discount, currency)
      lines.append(
        try StatementLine(
          .commitmentDiscount, change,
          "commitment of \(commitment.amount.amountText): \(commitment.discount) off the usage that it covers",
          period: period))
    }
    guard settles else { return lines }
    let charged = Money(unused - self.unused.minorUnits, currency)
    if !charged.isZero {
      self.unused = Money(unused, currency)
      lines.append(
        try StatementLine(
          .commitmentUnused, charged,
          "commitment of \(commitment.amount.amountText): the part that was not used",
          period: period))
    }
    return lines
  }
}
