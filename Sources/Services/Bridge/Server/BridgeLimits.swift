package import StackmeterRuntime

/// What the bridge takes and keeps at most.
package enum BridgeLimits {
  /// A registration's document.
  package static let documentBytesMax = 1 << 20
  /// Batches of one window that are under way at once.
  package static let batchesInFlightMax = 4
  /// Windows that one request sends again.
  package static let resentWindowsMax = 10_000
  /// Failures one after the other after which the circuit opens, and the alert with it.
  package static let failuresMax = 3
  /// A `Retry-After` counts as this at most.
  package static let retryAfterMax: Duration = .seconds(24 * 3600)
  /// How far the oldest window that waits may be behind the newest before the backlog is looked at.
  package static let windowsBehindMax = 6
  /// How long before its end a registration is said to expire soon.
  package static let expiresSoon: Duration = .seconds(30 * 24 * 3600)
  /// Bytes of the remote service's words that are kept.
  package static let reasonBytesMax = 1024
}

/// How the bridge waits.
package struct BridgeConfiguration: Hashable, Sendable {
  /// The first pause after a failure, which doubles up to the longest.
  package var retryMin: Duration
  package var retryMax: Duration
  /// How long an answer may take.
  package var answerMax: Duration
  /// How often it is looked whether a window has closed.
  package var poll: Duration

  package init(
    retryMin: Duration = .seconds(1), retryMax: Duration = .seconds(300),
    answerMax: Duration = .seconds(30), poll: Duration = .seconds(5)
  ) {
    self.retryMin = retryMin
    self.retryMax = retryMax
    self.answerMax = answerMax
    self.poll = poll
  }

  package init(_ settings: BridgeSettings) {
    self.init(
      retryMin: .milliseconds(settings.retryMillisecondsMin),
      retryMax: .milliseconds(settings.retryMillisecondsMax),
      answerMax: .milliseconds(settings.answerMillisecondsMax),
      poll: .milliseconds(settings.pollMilliseconds))
  }
}
