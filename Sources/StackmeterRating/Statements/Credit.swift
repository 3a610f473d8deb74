package import StackmeterCore

/// An amount that a subscription has paid or been given before, to be used up by its statements.
package struct Credit: Hashable, Sendable {
  package let id: String
  package let description: String
  package let granted: Day
  /// The first day on which it is worth nothing; nil for never.
  package let expires: Day?
  /// What is left of it.
  package private(set) var balance: Money

  package init(id: String, description: String, granted: Day, expires: Day? = nil, balance: Money) {
    precondition(!balance.isNegative, "a credit is worth something")
    self.id = id
    self.description = description
    self.granted = granted
    self.expires = expires
    self.balance = balance
  }

  /// Those that expire first are used first; of those, the oldest.
  fileprivate func isUsed(before other: Credit) -> Bool {
    let one = (expires?.index ?? .max, granted.index)
    let two = (other.expires?.index ?? .max, other.granted.index)
    return one != two ? one < two : id.byteOrder(other.id) < 0
  }

  fileprivate mutating func use(_ most: Money) -> Money {
    let used = Money(min(most.minorUnits, balance.minorUnits), balance.currency)
    balance = Money(balance.minorUnits - used.minorUnits, balance.currency)
    return used
  }
}

extension Statement {
  /// Uses up credits of the subscription, never below a total of zero, and returns them as they are after that. Only
  /// those that were granted and had not expired when the period ended are used.
  package mutating func use(_ credits: [Credit]) throws(StatementError) -> [Credit] {
    for credit in credits where credit.balance.currency != currency {
      throw .twoCurrencies(currency.code, credit.balance.currency.code)
    }
    var credits = credits
    let order = credits.indices.sorted { credits[$0].isUsed(before: credits[$1]) }
    for index in order {
      let credit = credits[index]
      guard let total, !total.isNegative, !total.isZero else { break }
      guard credit.granted < period.end, credit.expires.map({ $0 >= period.end }) ?? true else {
        continue
      }
      let used = credits[index].use(total)
      if used.isZero { continue }
      try append(StatementLine(.credit, used.negated, credit.description, period: period))
    }
    return credits
  }
}
