package import StackmeterCore

/// The way to the collector.
package protocol EventReporter: Sendable {
  /// Reports events of one source and gives their results in the same order.
  ///
  /// A thrown error means that what became of the events is unknown: the agent reports the same events again.
  /// Ends by itself, by a deadline, and soon after its task is cancelled.
  func report(_ events: [UsageEvent]) async throws -> [EventResult]
}
