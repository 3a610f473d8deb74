internal import StackmeterCore

extension BudgetState {
  /// The state as JSON. Amounts are texts: exact, and read by no one as a float.
  package var document: [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("budget", string: budget.name)
      writer.member("scope", string: budget.scope.word)
      if case .tag(let tag) = budget.scope { writer.member("tag", string: tag) }
      writer.member("member", string: budget.member)
      writer.member("period", string: period.description)
      writer.member("amount", string: budget.amount.amountText)
      writer.member("currency", string: budget.amount.currency.code)
      writer.member("spent", string: spent.description)
      if let forecast { writer.member("forecast", string: forecast.amountText) }
      writer.member("closedBefore", string: closedBefore.description)
      let reached = Set(alerts.map(\.threshold))
      writer.member(
        "thresholds",
        array: { writer in
          for threshold in budget.thresholds {
            writer.object { writer in
              writer.member("basis", string: threshold.basis.rawValue)
              writer.member("percent", string: threshold.percent)
              writer.member("reached", reached.contains(threshold))
            }
          }
        })
    }
    return writer.bytes
  }
}
