package import StackmeterCore

/// How the events of a meter are counted from a journal position on.
package struct MeterRule: Hashable, Sendable {
  /// What was booked when a rule took the place of an earlier one.
  package struct Restatement: Hashable, Sendable {
    /// The reporting window that was open, and has the differences.
    package let window: Hour
    /// The first usage hour that was restated. What is before it stays as it was reported: the journal no longer had
    /// all of it.
    package let fromHour: Hour

    package init(window: Hour, fromHour: Hour) {
      self.window = window
      self.fromHour = fromHour
    }
  }

  package let meter: String
  /// Counts up from 1 for each meter.
  package let number: Int64
  package let fromPosition: UInt64
  package let aggregation: Aggregation
  /// Nil of the first rule of a meter.
  package let restatement: Restatement?

  package init(
    meter: String, number: Int64 = 1, fromPosition: UInt64, aggregation: Aggregation,
    restatement: Restatement? = nil
  ) {
    self.meter = meter
    self.number = number
    self.fromPosition = fromPosition
    self.aggregation = aggregation
    self.restatement = restatement
  }
}

/// A meter that is to be counted in another way from now on, and what was counted before with it.
package struct RuleChange: Hashable, Sendable {
  /// As the rule spells it.
  package let meter: String
  package let from: Aggregation
  package let to: Aggregation
  /// Of the rule that is to come.
  package let number: Int64

  package init(meter: String, from: Aggregation, to: Aggregation, number: Int64) {
    self.meter = meter
    self.from = from
    self.to = to
    self.number = number
  }

  /// The meters whose rule in force is not what the catalog says, by meter. `rules` are by meter and number.
  package static func all(_ catalog: MeterCatalog, _ rules: [MeterRule]) -> [RuleChange] {
    var inForce: [ExactText: MeterRule] = [:]
    for rule in rules { inForce[ExactText(rule.meter)] = rule }
    return inForce.values.compactMap { rule in
      guard let aggregation = catalog[rule.meter]?.aggregation, aggregation != rule.aggregation
      else { return nil }
      return RuleChange(
        meter: rule.meter, from: rule.aggregation, to: aggregation, number: rule.number + 1)
    }.sorted { Array($0.meter.utf8).lexicographicallyPrecedes(Array($1.meter.utf8)) }
  }

  /// The rule that it makes.
  package func rule(from position: UInt64, _ restatement: MeterRule.Restatement) -> MeterRule {
    MeterRule(
      meter: meter, number: number, fromPosition: position, aggregation: to,
      restatement: restatement)
  }
}
