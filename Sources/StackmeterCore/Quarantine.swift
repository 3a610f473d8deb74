/// A refused event, as it is kept.
package struct QuarantineEntry: Hashable, Sendable {
  /// Strictly increasing.
  package let number: UInt64
  package let refusedTime: Instant
  package let refusal: Refusal
  /// The event as it was reported; a quantity that was none is zero here.
  package let event: UsageEvent
  /// Nil while the entry is open.
  package let resolution: QuarantineResolution?

  package init(
    number: UInt64, refusedTime: Instant, refusal: Refusal, event: UsageEvent,
    resolution: QuarantineResolution? = nil
  ) {
    self.number = number
    self.refusedTime = refusedTime
    self.refusal = refusal
    self.event = event
    self.resolution = resolution
  }
}

/// How an entry of the quarantine was closed, for good.
package struct QuarantineResolution: Hashable, Sendable {
  package enum Outcome: Hashable, Sendable {
    /// Its event is in the journal at this position.
    case redriven(position: UInt64)
    /// An operator has said that it is not to be counted.
    case discarded
  }

  package let outcome: Outcome
  package let time: Instant

  package init(_ outcome: Outcome, time: Instant) {
    self.outcome = outcome
    self.time = time
  }
}

/// Which entries of the quarantine are meant: those for which everything that is said here holds.
package struct QuarantineFilter: Hashable, Sendable {
  /// Any of these; empty for all.
  package var reasons: Set<Refusal.Reason>
  /// Byte for byte, as it was reported; nil for all.
  package var source: String?
  /// Without regard to case; nil for all.
  package var subscription: String?
  /// Refused at or after this time; nil for all.
  package var from: Instant?
  /// Refused before this time; nil for all.
  package var to: Instant?

  package init(
    reasons: Set<Refusal.Reason> = [], source: String? = nil, subscription: String? = nil,
    from: Instant? = nil, to: Instant? = nil
  ) {
    self.reasons = reasons
    self.source = source
    self.subscription = subscription
    self.from = from
    self.to = to
  }

  package func matches(
    _ refusal: Refusal, refusedTime: Instant, source: String, subscription: String
  ) -> Bool {
    (reasons.isEmpty || reasons.contains(refusal.reason))
      && (from.map { $0 <= refusedTime } ?? true) && (to.map { refusedTime < $0 } ?? true)
      && (self.source?.hasSameBytes(as: source) ?? true)
      && (self.subscription.map {
        $0.asciiLowercased.hasSameBytes(as: subscription.asciiLowercased)
      } ?? true)
  }
}

/// What became of one entry that was to be redriven or discarded.
package struct QuarantineResult: Hashable, Sendable {
  /// The entry after the call.
  package enum State: Hashable, Sendable {
    case open
    case resolved(QuarantineResolution.Outcome)
    /// There is no such entry, or none any more.
    case absent
  }

  package let number: UInt64
  package let state: State
  /// Why an entry that was redriven is still open.
  package let refusal: Refusal?

  package init(number: UInt64, state: State, refusal: Refusal? = nil) {
    self.number = number
    self.state = state
    self.refusal = refusal
  }
}
