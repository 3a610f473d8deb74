/// The limits of one agent. What happens at each is said where it is used.
package enum AgentLimits {
  /// Events that wait for the collector. While an interval's events do not fit, no interval is cut: usage goes
  /// on accumulating and the next interval is longer, so nothing is lost, only less finely placed in time.
  package static let pendingEventsMax = 16_384
  /// Events of one call to the reporter.
  package static let reportEventsMax = 1000
  /// How long a gauge's reading is taken to hold when no newer one was made. Past this the agent does not know,
  /// and counts nothing.
  package static let gaugeHoldMax: Duration = .seconds(300)
  /// How far an event reaches back. Usage of a counter that was last read earlier is placed in this span, so
  /// that it stays within the collector's lateness limit.
  package static let intervalMax: Duration = .seconds(6 * 86_400)
  /// A sample at most this late counts as taken at the boundary that it was meant for.
  package static let boundaryTolerance: Duration = .seconds(1)
  /// How far below zero the host's own CPU time may be carried. See `CgroupSampler`.
  package static let rootDebtMicrosecondsMax: Int128 = 60_000_000
  /// Bytes of one file of the kernel's or of the state. A longer one is an error.
  package static let fileBytesMax = 64 << 20
  /// Files and directories that one walk visits. A larger tree is not metered, and the log says so.
  package static let walkEntriesMax = 1_000_000
  /// How long one walk takes. A slower tree is not metered, and the log says so.
  package static let walkDuration: Duration = .seconds(10)
  /// How deep a walk descends.
  package static let walkDepthMax = 128
}
