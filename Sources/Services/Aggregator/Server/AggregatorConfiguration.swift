/// What may be tuned of an aggregator.
package struct AggregatorConfiguration: Sendable {
  /// How old the usage may be that is reported or corrected, as the collector has it.
  package var latenessLimitDays: Int
  /// How many whole months of closed windows are kept in front of the open one's month; 0 for all.
  package var retentionMonths: Int

  package init(latenessLimitDays: Int = 7, retentionMonths: Int = 0) {
    self.latenessLimitDays = latenessLimitDays
    self.retentionMonths = retentionMonths
  }
}
