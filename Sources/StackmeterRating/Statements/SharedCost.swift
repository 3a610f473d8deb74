package import StackmeterCore

/// A cost that several subscriptions bear together: a share for each, by a stated key. The shares sum to the cost.
package struct SharedCost: Hashable, Sendable {
  /// What each subscription's share is measured by.
  package enum Key: Hashable, Sendable {
    /// The same for each.
    case equal
    /// By numbers that are agreed on: heads, square meters, percentages.
    case weights([String: Quantity])
    /// By how much of a meter each used in the period.
    case usage(meter: String)
    /// By the totals of their statements; what is not above zero bears nothing.
    case totals

    /// What the line of a share says.
    var text: String {
      switch self {
      case .equal: "in equal parts"
      case .weights: "by agreed weights"
      case .usage(let meter): "by the usage of \(meter)"
      case .totals: "by what each was charged"
      }
    }
  }

  package let description: String
  package let amount: Money
  package let key: Key
  /// The subscription that is relieved of it, which bears no share; nil where it stands on no statement yet.
  package let payer: String?

  package init(_ description: String, _ amount: Money, by key: Key, payer: String? = nil) {
    self.description = description
    self.amount = amount
    self.key = key
    self.payer = payer
  }

  /// Adds a line to each statement that has a share, and takes the whole off that of the payer.
  ///
  /// - Parameter usage: The usage of a subscription by meter, for a key that asks for it.
  package func distribute(
    over statements: inout [Statement], usage: (_ subscription: String, _ meter: String) -> Quantity
  ) throws(SharedCostError) {
    let bearers = statements.indices.filter { statements[$0].subscription.id != payer }
      .sorted { statements[$0].subscription.id.byteOrder(statements[$1].subscription.id) < 0 }
    var weights: [Quantity] = []
    for index in bearers { weights.append(weight(of: statements[index], usage)) }
    let shares: [Money]
    do throws(MoneyError) { shares = try amount.allocated(by: weights) } catch {
      throw .money(description, error)
    }
    let payerIndex = statements.firstIndex { $0.subscription.id == payer }
    if let payer, payerIndex == nil { throw .noPayer(description, payer) }
    var result = statements
    do throws(StatementError) {
      for (index, share) in zip(bearers, shares) where !share.isZero {
        let line = "\(description), a share of \(amount) \(key.text)"
        try result[index].append(
          StatementLine(.shared, share, line, period: result[index].period))
      }
      if let payerIndex {
        try result[payerIndex].append(
          StatementLine(
            .shared, amount.negated, "\(description), handed on \(key.text)",
            period: result[payerIndex].period))
      }
    } catch { throw .statement(description, error) }
    statements = result
  }

  private func weight(of statement: Statement, _ usage: (String, String) -> Quantity) -> Quantity {
    switch key {
    case .equal: return Quantity(1)
    case .weights(let weights): return weights[statement.subscription.id] ?? .zero
    case .usage(let meter): return max(.zero, usage(statement.subscription.id, meter))
    case .totals:
      // Only the proportion counts, so that smallest units can stand for units.
      return statement.total.flatMap { Quantity(attos: max(0, $0.minorUnits)) } ?? .zero
    }
  }
}

/// Why a cost cannot be shared.
package enum SharedCostError: Error, Equatable, CustomStringConvertible {
  case money(String, MoneyError)
  case statement(String, StatementError)
  case noPayer(String, String)

  package var description: String {
    switch self {
    case .money(let cost, .noWeight):
      "\(cost): nobody has a share of it: no subscription has a weight above zero"
    case .money(let cost, let error): "\(cost): \(error)"
    case .statement(let cost, let error): "\(cost): \(error)"
    case .noPayer(let cost, let payer):
      "\(cost): \(payer), which is to be relieved of it, has no statement"
    }
  }
}
