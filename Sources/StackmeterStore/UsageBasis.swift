package import StackmeterCore

/// What the usage database has of one subscription, meter and usage hour, and where in the journal its events are.
package struct UsageBasis: Hashable, Sendable {
  /// The aggregates of one reporting window together.
  package struct Window: Hashable, Sendable {
    package let window: Hour
    package let attos: Int128
    /// The journal's positions that count in it.
    package let positions: Range<UInt64>
    package let isOpen: Bool

    package init(window: Hour, attos: Int128, positions: Range<UInt64>, isOpen: Bool) {
      self.window = window
      self.attos = attos
      self.positions = positions
      self.isOpen = isOpen
    }
  }

  package let aggregation: Aggregation
  /// Whether another aggregation was in force before, by which earlier windows were reported.
  package let isRestated: Bool
  package let journalID: UInt64
  /// Those with aggregates, in order.
  package let windows: [Window]

  package init(
    aggregation: Aggregation, isRestated: Bool = false, journalID: UInt64, windows: [Window]
  ) {
    self.aggregation = aggregation
    self.isRestated = isRestated
    self.journalID = journalID
    self.windows = windows
  }
}
