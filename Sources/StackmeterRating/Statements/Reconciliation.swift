package import StackmeterCore

/// Whether a statement ties: lines = total = usage × prices. Computed anew from what it is given, not from what the
/// statement was made of.
package struct Reconciliation: Hashable, Sendable {
  package struct Check: Hashable, Sendable {
    package let name: String
    package let holds: Bool
    /// Both sides.
    package let text: String
  }

  package let checks: [Check]
  package var holds: Bool { checks.allSatisfy(\.holds) }

  /// - Parameters:
  ///   - usage: What each meter used in the period and was rated, from another source than the charges.
  ///   - charged: The exact sum of all charges of the statement.
  package init(_ statement: Statement, usage: [String: Quantity], charged: Cost) {
    var checks: [Check] = []
    let lines = statement.lines
    let amounts = lines.reduce(Int128(0)) { $0 &+ $1.amount.minorUnits }
    let total = statement.total
    checks.append(
      Check(
        name: "the total is the sum of the lines", holds: total?.minorUnits == amounts,
        text:
          "\(Money(amounts, statement.currency)) = \(total.map { "\($0)" } ?? "nothing that fits")"
      ))
    let wrong = lines.filter {
      Money($0.cost, statement.currency, statement.rounding) != $0.amount
    }
    checks.append(
      Check(
        name: "each line is its exact cost, rounded once", holds: wrong.isEmpty,
        text: wrong.first.map { "\($0.title): \($0.cost) is not \($0.amount)" }
          ?? "\(lines.count) lines, \(statement.rounding.rawValue)"))
    let priced = lines.filter { $0.kind == .usage }
    let odd = priced.first { $0.price.times($0.pricedQuantity) != $0.cost }
    checks.append(
      Check(
        name: "each line of usage is its price times its quantity", holds: odd == nil,
        text: odd.map { "\($0.title) is not \($0.cost)" } ?? "\(priced.count) lines"))
    let costs = lines.filter { $0.kind == .usage || $0.kind == .minimum }
      .reduce(Cost?.some(.zero)) { sum, line in sum.flatMap { $0.adding(line.cost) } }
    checks.append(
      Check(
        name: "the lines are all charges", holds: costs == charged,
        text: "\(costs.map { "\($0)" } ?? "nothing that fits") = \(charged)"))
    checks += Reconciliation.usage(statement, usage)
    self.checks = checks
  }

  /// The quantity of each meter on lines of the period, with what has no price, is what was used.
  private static func usage(_ statement: Statement, _ usage: [String: Quantity]) -> [Check] {
    let billed = statement.periodUsage
    let used = Dictionary(
      usage.map { ($0.key.asciiLowercased, $0.value) }, uniquingKeysWith: { one, _ in one })
    return Set(billed.keys).union(used.keys).sorted().map { meter in
      let lines = billed[meter] ?? .zero
      return Check(
        name: "all usage of \(meter) is on the statement", holds: lines == used[meter] ?? .zero,
        text: "\(lines.map { "\($0)" } ?? "nothing that fits") = \(used[meter] ?? .zero)")
    }
  }
}
