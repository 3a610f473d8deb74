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

  /// Who may bear a share.
  package struct Bearer: Hashable, Sendable {
    package let subscription: String
    /// What its statement comes to.
    package let total: Money
    /// What it used of the meter that the key asks for; zero where it asks for none.
    package let usage: Quantity

    package init(subscription: String, total: Money, usage: Quantity = .zero) {
      self.subscription = subscription
      self.total = total
      self.usage = usage
    }
  }

  /// What stands on a statement of it.
  package struct Share: Hashable, Sendable {
    package let subscription: String
    /// Below zero for the payer.
    package let amount: Money
    /// What the line says.
    package let text: String
  }

  /// The meter whose usage the key asks for.
  package var meter: String? {
    if case .usage(let meter) = key { meter } else { nil }
  }

  /// What the line of a share says.
  package var shareText: String { "\(description), a share of \(amount) \(key.text)" }

  /// What the line of the payer says.
  package var payerText: String { "\(description), handed on \(key.text)" }

  /// The shares in the order of the subscriptions' ids; then the whole, taken off the payer. Who bears nothing has
  /// none.
  package func shares(of bearers: [Bearer]) throws(SharedCostError) -> [Share] {
    if let payer, !bearers.contains(where: { $0.subscription == payer }) {
      throw .noPayer(description, payer)
    }
    let bearers = bearers.filter { $0.subscription != payer }
      .sorted { $0.subscription.byteOrder($1.subscription) < 0 }
    do throws(MoneyError) {
      var weights: [Quantity] = []
      for bearer in bearers { weights.append(try weight(of: bearer)) }
      var shares = zip(bearers, try amount.allocated(by: weights)).compactMap { bearer, share in
        share.isZero
          ? nil : Share(subscription: bearer.subscription, amount: share, text: shareText)
      }
      if let payer {
        shares.append(Share(subscription: payer, amount: amount.negated, text: payerText))
      }
      return shares
    } catch { throw .money(description, error) }
  }

  private func weight(of bearer: Bearer) throws(MoneyError) -> Quantity {
    guard bearer.total.currency == amount.currency else {
      throw .twoCurrencies(amount.currency.code, bearer.total.currency.code)
    }
    switch key {
    case .equal: return Quantity(1)
    case .weights(let weights): return weights[bearer.subscription] ?? .zero
    case .usage: return max(.zero, bearer.usage)
    case .totals:
      // Only the proportion counts, so that smallest units can stand for units.
      guard let weight = Quantity(attos: max(0, bearer.total.minorUnits)) else { throw .tooLarge }
      return weight
    }
  }
}

/// Why a cost cannot be shared.
package enum SharedCostError: Error, Equatable, CustomStringConvertible {
  case money(String, MoneyError)
  case noPayer(String, String)

  package var description: String {
    switch self {
    case .money(let cost, .noWeight):
      "\(cost): nobody has a share of it: no subscription has a weight above zero"
    case .money(let cost, let error): "\(cost): \(error)"
    case .noPayer(let cost, let payer):
      "\(cost): \(payer), which is to be relieved of it, has no statement"
    }
  }
}
