package import StackmeterCore

/// A threshold of a budget that was reached in a period.
package struct BudgetAlert: Hashable, Sendable {
  package let budget: Budget
  package let threshold: BudgetThreshold
  package let period: BillingPeriod
  /// As of when: the hour that ends the closed windows.
  package let closedBefore: Hour
  package let spent: Cost
  package let forecast: Money?

  /// The same for the same budget, period and threshold, always: `platform/2026-12/actual-80`. Whoever delivers alerts
  /// keeps the ids of those that were, and delivers no id twice.
  package var id: String {
    "\(budget.name)/\(period)/\(threshold.basis.rawValue)-\(threshold.percent)"
  }

  /// The alert in a sentence.
  package var title: String {
    switch threshold.basis {
    case .actual:
      "\(budget.name) has spent \(threshold.percent)% of \(budget.amount) in \(period)"
    case .forecast:
      "\(budget.name) will spend \(threshold.percent)% of \(budget.amount) in \(period) if it goes on so"
    }
  }

  /// The type of its event.
  package static let eventType = "stackmeter.budget.alert.v1"

  /// The alert as an event of CloudEvents 1.0 in JSON: what a webhook is sent. A function of the alert, so that a
  /// second try sends the same bytes.
  ///
  /// - Parameter source: Names the installation, as a URI reference. Source and id together are unique.
  package func cloudEvent(source: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("specversion", string: "1.0")
      writer.member("type", string: BudgetAlert.eventType)
      writer.member("source", string: source)
      writer.member("id", string: id)
      writer.member("time", string: closedBefore.description)
      writer.member("subject", string: "budgets/\(budget.name)")
      writer.member("datacontenttype", string: "application/json")
      writer.member("data", object: { $0.alert(self) })
    }
    return writer.bytes
  }
}

extension JSONWriter {
  fileprivate mutating func alert(_ alert: BudgetAlert) {
    let budget = alert.budget
    member("title", string: alert.title)
    member("budget", string: budget.name)
    member("scope", string: budget.scope.word)
    if case .tag(let tag) = budget.scope { member("tag", string: tag) }
    member("member", string: budget.member)
    member("period", string: alert.period.description)
    member("basis", string: alert.threshold.basis.rawValue)
    member("percent", string: alert.threshold.percent)
    member("amount", string: budget.amount.amountText)
    member("spent", string: alert.spent.description)
    if let forecast = alert.forecast { member("forecast", string: forecast.amountText) }
    member("currency", string: budget.amount.currency.code)
    member("closedBefore", string: alert.closedBefore.description)
  }
}

extension StatementGrouping {
  /// The word that a file of budgets has for it.
  var word: String {
    switch self {
    case .subscription: "subscription"
    case .costCenter: "cost-center"
    case .owner: "owner"
    case .tag: "tag"
    }
  }
}
