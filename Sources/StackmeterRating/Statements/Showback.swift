package import StackmeterCore

/// What statements of one period come to, part by part, gathered one by one. Parts sum to the total.
package struct Showback: Sendable {
  /// What is one part.
  package struct Key: Hashable, Sendable {
    /// Nil for what has no name.
    package let name: ExactText?
    /// `usage`, or the kind of lines that are of no usage.
    package let kind: String

    package init(name: String?, kind: String) {
      self.name = name.map(ExactText.init)
      self.kind = kind
    }
  }

  package struct Part: Hashable, Sendable {
    package let key: Key
    package let amount: Money
    /// What a shared cost adds to it, see `sharing`.
    package var share: Money?
  }

  package static let usage = "usage"

  package private(set) var total: Money?
  private var amounts: [Key: Money] = [:]

  package init() {}

  /// Adds an amount to a part.
  package mutating func add(_ key: Key, _ amount: Money) throws(MoneyError) {
    if amounts[key] == nil { nameBytes += key.name?.text.utf8.count ?? 0 }
    amounts[key] = try (amounts[key] ?? .zero(amount.currency)).adding(amount)
    total = try (total ?? .zero(amount.currency)).adding(amount)
  }

  /// Adds a statement by something that it says of its subscription.
  package mutating func add(
    _ statement: Statement, by grouping: StatementGrouping
  ) throws(MoneyError) -> Key {
    let key = Key(name: grouping.name(of: statement.subscription), kind: Showback.usage)
    guard let amount = statement.total else { throw .tooLarge }
    try add(key, amount)
    return key
  }

  /// Adds a statement by what the usage of its charges says. The amounts of its lines of usage are divided between the
  /// parts by their exact costs; other lines are parts of their kinds.
  package mutating func add(
    _ statement: Statement, _ costs: CostBreakdown
  ) throws(MoneyError) {
    var usage = Money.zero(statement.currency)
    for line in statement.lines {
      if line.kind == .usage || line.kind == .minimum {
        usage = try usage.adding(line.amount)
      } else {
        try add(Key(name: nil, kind: line.kind.rawValue), line.amount)
      }
    }
    for part in try costs.amounts(total: usage) {
      try add(Key(name: part.name, kind: Showback.usage), part.amount)
    }
  }

  package var partCount: Int { amounts.count }
  /// What the names take.
  package private(set) var nameBytes = 0

  /// The parts of usage in the order of their names, that without a name behind them, then those of other lines.
  package var parts: [Part] {
    amounts.map { Part(key: $0.key, amount: $0.value) }.sorted { one, two in
      let kinds = (one.key.kind == Showback.usage, two.key.kind == Showback.usage)
      if kinds.0 != kinds.1 { return kinds.0 }
      if one.key.kind != two.key.kind { return one.key.kind < two.key.kind }
      guard let name = one.key.name else { return false }
      guard let other = two.key.name else { return true }
      return name.text.byteOrder(other.text) < 0
    }
  }

  /// By what a cost that several bear together is divided between the named parts.
  package enum SharingKey: String, Hashable, Sendable, CaseIterable {
    /// The same for each.
    case equal
    /// By their amounts; what is not above zero bears nothing.
    case cost
  }

  /// The parts with the share of a cost that each named one bears. Shares sum to the cost.
  package func sharing(_ cost: Money, by key: SharingKey) throws(MoneyError) -> [Part] {
    var parts = parts
    let bearers = parts.indices.filter { parts[$0].key.name != nil }
    var weights: [Quantity] = []
    for index in bearers {
      guard parts[index].amount.currency == cost.currency else {
        throw .twoCurrencies(cost.currency.code, parts[index].amount.currency.code)
      }
      switch key {
      case .equal: weights.append(Quantity(1))
      case .cost:
        guard let weight = Quantity(attos: max(0, parts[index].amount.minorUnits)) else {
          throw .tooLarge
        }
        weights.append(weight)
      }
    }
    for (index, share) in zip(bearers, try cost.allocated(by: weights)) {
      parts[index].share = share
    }
    return parts
  }
}
