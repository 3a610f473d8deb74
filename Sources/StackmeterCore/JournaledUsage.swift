/// What one event counts from its position in the journal on; of a correction, what it takes back or what it counts
/// instead.
package struct JournaledUsage: Hashable, Sendable {
  package var position: UInt64
  package var reportedTime: Instant
  /// With the series, the usage time and the quantity that count, which is negative where something is taken back.
  package var event: UsageEvent
  /// Where the event stands that this takes back; nil where it takes back none.
  package var takesBack: UInt64?
  /// The quantity of the event that it counts itself; nil where it counts none. Where it takes back one too, the
  /// difference is what counts.
  package var counts: Quantity?

  package init(
    position: UInt64, reportedTime: Instant, event: UsageEvent, takesBack: UInt64? = nil,
    counts: Quantity?
  ) {
    self.position = position
    self.reportedTime = reportedTime
    self.event = event
    self.takesBack = takesBack
    self.counts = counts
  }
}

/// One thing that an aggregate is made of.
package struct ExplainedPart: Hashable, Sendable {
  package var usage: JournaledUsage
  /// How much the aggregate grows by it.
  package var part: Quantity
  /// The reporting window that it counts in.
  package var window: Hour

  package init(usage: JournaledUsage, part: Quantity, window: Hour) {
    self.usage = usage
    self.part = part
    self.window = window
  }
}
