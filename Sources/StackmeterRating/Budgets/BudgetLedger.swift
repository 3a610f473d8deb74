package import StackmeterCore

/// Sums what the subscriptions of budgets cost, and says which of the budgets' thresholds that reaches.
///
/// It is given the charges of usage that was reported in closed windows, which never change: so the same charges give
/// the same alerts, whenever and how often they are asked for. It keeps a sum for each budget and period, and no
/// charges.
package struct BudgetLedger {
  private struct Key: Hashable {
    let budget: Int
    let period: BillingPeriod
  }

  /// Hours of a period that must be over before anything is forecast of it.
  package static let forecastHoursMin: Int64 = 24

  package let budgets: [Budget]
  private let rater: Rater
  /// The budgets that count a subscription, by its id.
  private var members: [ExactText: [Int]] = [:]
  private var sums: [Key: Cost] = [:]

  /// - Parameter rater: Says who a subscription is, and in which currency it is charged.
  package init(_ budgets: [Budget], _ rater: Rater) throws(BudgetError) {
    for budget in budgets where budget.amount.currency != rater.book.currency {
      throw .twoCurrencies(
        budget: budget.name, budget.amount.currency.code, rater.book.currency.code)
    }
    self.budgets = budgets
    self.rater = rater
  }

  /// Counts a charge to the period of its usage, also where it stands on a later statement.
  package mutating func add(_ charge: Charge) throws(BudgetError) {
    for index in budgets(of: charge.subscription) {
      let key = Key(budget: index, period: charge.period)
      guard let sum = (sums[key] ?? .zero).adding(charge.cost) else {
        throw .tooLarge(budget: budgets[index].name)
      }
      sums[key] = sum
    }
  }

  private mutating func budgets(of subscription: String) -> [Int] {
    let key = ExactText(subscription)
    if let known = members[key] { return known }
    let description = rater.subscription(subscription)
    let indices = budgets.indices.filter { budgets[$0].contains(description) }
    members[key] = indices
    return indices
  }

  /// How each budget stands in a period, in their order.
  ///
  /// - Parameter end: The hour that ends the closed windows: usage that was reported before it is counted.
  package func states(of period: BillingPeriod, closedBefore end: Hour) throws(BudgetError)
    -> [BudgetState]
  {
    var states: [BudgetState] = []
    for (index, budget) in budgets.enumerated() {
      let spent = sums[Key(budget: index, period: period)] ?? .zero
      states.append(try BudgetState(budget, period, spent: spent, closedBefore: end))
    }
    return states
  }
}

/// What of a budget is spent in a period, and will be.
package struct BudgetState: Hashable, Sendable {
  package let budget: Budget
  package let period: BillingPeriod
  /// The hour that ends the closed windows which were counted.
  package let closedBefore: Hour
  /// Exact.
  package let spent: Cost
  /// What the whole period will cost if it goes on so, rounded to the currency, a half away from zero; nil before
  /// `BudgetLedger.forecastHoursMin` hours of it are over.
  package let forecast: Money?
  /// The thresholds that are reached, as alerts, in the order of the budget.
  package let alerts: [BudgetAlert]

  init(_ budget: Budget, _ period: BillingPeriod, spent: Cost, closedBefore end: Hour)
    throws(BudgetError)
  {
    self.budget = budget
    self.period = period
    self.spent = spent
    closedBefore = end
    let hours = period.end.firstHour.index - period.start.firstHour.index
    let over = min(max(0, end.index - period.start.firstHour.index), hours)
    let isForecast = over >= BudgetLedger.forecastHoursMin
    if isForecast {
      guard
        let units = spent.rounded(
          UInt64(hours), over: UInt64(over),
          fractionDigits: budget.amount.currency.fractionDigits, .halfAwayFromZero)
      else { throw .tooLarge(budget: budget.name) }
      forecast = Money(units, budget.amount.currency)
    } else {
      forecast = nil
    }
    var reached: [BudgetThreshold] = []
    for threshold in budget.thresholds {
      switch threshold.basis {
      case .actual:
        if try spent.reaches(threshold, of: budget, 1, 1) { reached.append(threshold) }
      case .forecast:
        guard isForecast else { continue }
        if try spent.reaches(threshold, of: budget, UInt64(hours), UInt64(over)) {
          reached.append(threshold)
        }
      }
    }
    let forecast = forecast
    alerts = reached.map {
      BudgetAlert(
        budget: budget, threshold: $0, period: period, closedBefore: end, spent: spent,
        forecast: forecast)
    }
  }
}

extension Cost {
  /// Whether `numerator ÷ denominator` of it is a share of a budget or more. Nothing is divided, so nothing is rounded.
  fileprivate func reaches(
    _ threshold: BudgetThreshold, of budget: Budget, _ numerator: UInt64, _ denominator: UInt64
  ) throws(BudgetError) -> Bool {
    guard
      let cost = times(numerator * UInt64(BudgetThreshold.whole)),
      let limit = budget.amount.cost?.times(denominator * UInt64(threshold.partsPerMillion))
    else { throw .tooLarge(budget: budget.name) }
    return cost >= limit
  }
}

/// Why budgets cannot be compared with charges.
package enum BudgetError: Error, Equatable, CustomStringConvertible {
  case twoCurrencies(budget: String, String, String)
  case tooLarge(budget: String)

  package var description: String {
    switch self {
    case .twoCurrencies(let budget, let one, let other):
      "budget \(budget) is in \(one), the rate card in \(other): write the budget in \(other)"
    case .tooLarge(let budget): "what budget \(budget) counts sums to more than fits"
    }
  }
}
