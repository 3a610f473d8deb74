package import StackmeterCore

/// What somebody means to spend in each billing period, and at how much of it they want to be told.
package struct Budget: Hashable, Sendable {
  /// Unique in its file, and a part of the id of each alert.
  package let name: String
  /// By what it finds its subscriptions, and the name that they have by that.
  package let scope: StatementGrouping
  package let member: String
  /// Of each billing period; above zero.
  package let amount: Money
  /// In the order of the file; none stands twice.
  package let thresholds: [BudgetThreshold]

  /// Whether it counts what a subscription costs.
  package func contains(_ subscription: Subscription) -> Bool {
    scope.name(of: subscription)?.hasSameBytes(as: member) ?? false
  }
}

/// A share of a budget that is told of when it is reached.
package struct BudgetThreshold: Hashable, Sendable, CustomStringConvertible {
  package enum Basis: String, Hashable, Sendable, CaseIterable {
    /// What was used so far costs as much.
    case actual
    /// The whole period will cost as much, if it goes on as so far.
    case forecast
  }

  /// The largest share: ten times the budget.
  package static let percentMax = 1_000
  static let whole = 1_000_000

  let partsPerMillion: Int
  package let basis: Basis

  /// Reads `80` or `120.5`, without the sign of percent.
  package init(percent text: some StringProtocol, _ basis: Basis) throws(DecimalError) {
    let parts = try PlainDecimal.parse(text, fractionDigits: 4)
    guard parts >= 0 else { throw .negative }
    guard parts <= BudgetThreshold.percentMax * 10_000 else { throw .tooLarge }
    partsPerMillion = Int(parts)
    self.basis = basis
  }

  /// `80`.
  package var percent: String { PlainDecimal.text(Int128(partsPerMillion), fractionDigits: 4) }
  /// `80% actual`.
  package var description: String { "\(percent)% \(basis.rawValue)" }
}

/// The limits of a file of budgets.
package enum BudgetLimits {
  package static let fileBytesMax = 4 << 20
  package static let budgetsMax = 10_000
  package static let thresholdsMax = 20
}
