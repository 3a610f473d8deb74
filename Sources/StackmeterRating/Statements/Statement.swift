package import StackmeterCore

/// What one subscription owes for one billing period: a draft until it has a number, then never altered.
package struct Statement: Hashable, Sendable {
  /// Usage without a price: shown, not hidden, and no part of the total.
  package struct Unrated: Hashable, Sendable {
    package let meter: String
    package let period: BillingPeriod
    package let quantity: Quantity
  }

  package let subscription: Subscription
  package let period: BillingPeriod
  package let currency: Currency
  /// How each line is rounded.
  package let rounding: Rounding
  /// The versions of the card that lines were priced by: `standard 3`.
  package let cards: [String]
  package let taxNote: String
  /// In the order in which they stand on it.
  package private(set) var lines: [StatementLine]
  package let unrated: [Unrated]
  /// Some of it may still change.
  package let isProvisional: Bool
  /// Nil for a draft.
  package private(set) var number: String?

  /// A draft.
  init(
    subscription: Subscription, period: BillingPeriod, currency: Currency, rounding: Rounding,
    cards: [String], taxNote: String, lines: [StatementLine], unrated: [Unrated],
    isProvisional: Bool
  ) {
    self.subscription = subscription
    self.period = period
    self.currency = currency
    self.rounding = rounding
    self.cards = cards
    self.taxNote = taxNote
    // Usage of the period first, then adjustments of earlier ones.
    self.lines = lines.sorted {
      ($0.period == period) == ($1.period == period)
        ? $0.stands(before: $1) : $0.period == period
    }
    self.unrated = unrated
    self.isProvisional = isProvisional
  }

  /// One that was written before, with its lines in their order.
  init(
    written number: String?, subscription: Subscription, period: BillingPeriod, currency: Currency,
    rounding: Rounding, cards: [String], taxNote: String, lines: [StatementLine],
    unrated: [Unrated], isProvisional: Bool
  ) {
    self.number = number
    self.subscription = subscription
    self.period = period
    self.currency = currency
    self.rounding = rounding
    self.cards = cards
    self.taxNote = taxNote
    self.lines = lines
    self.unrated = unrated
    self.isProvisional = isProvisional
  }

  package var isClosed: Bool { number != nil }

  /// The sum of the lines; nil where it does not fit.
  package var total: Money? {
    var total = Money.zero(currency)
    for line in lines {
      guard let sum = try? total.adding(line.amount) else { return nil }
      total = sum
    }
    return total
  }

  /// Adds a line to a draft. What follows usage keeps the order of the calls.
  mutating func append(_ line: StatementLine) throws(StatementError) {
    precondition(!isClosed, "a closed statement is never altered")
    guard line.amount.currency == currency else {
      throw .twoCurrencies(currency.code, line.amount.currency.code)
    }
    lines.append(line)
    if total == nil {
      lines.removeLast()
      throw .tooLarge
    }
  }

  /// Adds a share of a cost that several bear, or the whole where that is handed on to them.
  package mutating func share(_ amount: Money, text: String) throws(StatementError) {
    try append(StatementLine(.shared, amount, text, period: period))
  }

  /// Adds what an operator charges or gives back, with the reason.
  package mutating func adjust(by amount: Money, reason: String) throws(StatementError) {
    try append(StatementLine(.manual, amount, reason, period: period))
  }

  /// The statement under its number. `acceptsUnrated` says that usage without a price is known and meant.
  package func closed(number: String, acceptsUnrated: Bool = false) throws(StatementError)
    -> Statement
  {
    precondition(!isClosed, "a statement is closed once")
    guard !number.isEmpty else { throw .noNumber }
    guard !isProvisional else { throw .provisional(subscription: subscription.id) }
    guard unrated.isEmpty || acceptsUnrated else {
      throw .unrated(subscription: subscription.id, meters: unrated.map(\.meter))
    }
    var closed = self
    closed.number = number
    return closed
  }
}

/// The numbers of closed statements: one sequence without gaps for each year of periods, `2026-000001`.
package struct StatementNumbers: Hashable, Sendable {
  /// The last that was given, by year.
  package private(set) var last: [Int: Int]

  package init(last: [Int: Int] = [:]) {
    self.last = last
  }

  /// The next number for a statement of a period.
  package mutating func next(for period: BillingPeriod) -> String {
    let number = (last[period.year] ?? 0) + 1
    last[period.year] = number
    let digits = String(number)
    return "\(period.year)-" + String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits
  }
}

extension Statement {
  /// What lines of the period say that was used of each meter, by its id in lower case, with what has no price. Nil of
  /// a meter where the sum does not fit.
  package var periodUsage: [String: Quantity?] {
    var usage: [String: Quantity?] = [:]
    func add(_ meter: String, _ quantity: Quantity) {
      let meter = meter.asciiLowercased
      usage[meter] = (usage[meter] ?? .zero)?.adding(quantity)
    }
    for line in lines where line.period == period && line.kind == .usage {
      add(line.meter, line.quantity)
    }
    for unrated in unrated where unrated.period == period {
      add(unrated.meter, unrated.quantity)
    }
    return usage
  }
}
