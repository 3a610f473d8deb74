package import StackmeterCore

/// The way to the collector.
package protocol EventReporter: Sendable {
  /// Reports events of one source and gives their results in the same order.
  ///
  /// A thrown error means that what became of the events is unknown: the agent reports the same events again.
  /// Ends by itself, by a deadline, and soon after its task is cancelled.
  func report(_ events: [UsageEvent]) async throws -> [EventResult]

  /// Says that all usage of the source before an instant was reported and answered. What is not said now is said
  /// with the next round. Ends by itself like `report`.
  func heartbeat(_ heartbeat: Heartbeat) async throws
}
