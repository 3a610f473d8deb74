package import StackmeterStore

/// What may be tuned of an aggregator.
package struct AggregatorConfiguration: Sendable {
  /// How old the usage may be that is reported or corrected, as the collector has it.
  package var latenessLimitDays: Int
  /// How many whole months of closed windows are kept in front of the open one's month; 0 for all.
  package var retentionMonths: Int
  /// Of the file that a restatement fills and removes; nil where nothing can be restated.
  package var restatePath: String?
  /// What is restated at once at most.
  package var restateLimits = RestateStage.Limits()

  /// Nil where nothing can be billed.
  package var billing: BillingConfiguration?

  package init(
    latenessLimitDays: Int = 7, retentionMonths: Int = 0, restatePath: String? = nil,
    billing: BillingConfiguration? = nil
  ) {
    self.billing = billing
    self.latenessLimitDays = latenessLimitDays
    self.retentionMonths = retentionMonths
    self.restatePath = restatePath
  }
}
