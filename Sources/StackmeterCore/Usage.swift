/// One series × one usage period × one reporting period → an exact quantity: the row of every usage answer.
package struct UsageAggregate: Hashable, Sendable {
  package let series: Series
  package let usageStart: Instant
  package let usageEnd: Instant
  package let quantity: Quantity
  /// The first reporting window that it was reported in.
  package let window: Hour
  /// The window is open, so the figure may still grow.
  package let isProvisional: Bool
  /// Nothing more is expected of this usage period, see `Completeness`. Stores leave it to query.
  package var isFinal: Bool

  package init(
    series: Series, usageStart: Instant, usageEnd: Instant, quantity: Quantity, window: Hour,
    isProvisional: Bool, isFinal: Bool = false
  ) {
    self.series = series
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.quantity = quantity
    self.window = window
    self.isProvisional = isProvisional
    self.isFinal = isFinal
  }
}

/// The exact total of one meter, over what the question asked.
package struct UsageTotal: Hashable, Sendable {
  /// Nil unless asked for by day.
  package let day: Day?
  /// Nil unless asked for by subscription.
  package let subscription: String?
  package let meter: String
  package let quantity: Quantity
  /// Part of it was reported in the open window.
  package let isProvisional: Bool
  /// Nothing more is expected of the period, see `Completeness`. Stores leave it to query.
  package var isFinal: Bool

  package init(
    day: Day?, subscription: String?, meter: String, quantity: Quantity, isProvisional: Bool,
    isFinal: Bool = false
  ) {
    self.day = day
    self.subscription = subscription
    self.meter = meter
    self.quantity = quantity
    self.isProvisional = isProvisional
    self.isFinal = isFinal
  }
}

/// One hour of reported time. Open, then closed, then never changed.
package struct ReportingWindow: Hashable, Sendable {
  package let hour: Hour
  package let isClosed: Bool
  package let aggregates: UInt64
  /// Nothing more is expected of the usage of this hour, see `Completeness`. Stores leave it to query.
  package var isFinal: Bool
  /// The sources that were behind when it was closed; that never changes.
  package var missingAtClose: MissingSources

  package init(
    hour: Hour, isClosed: Bool, aggregates: UInt64, isFinal: Bool = false,
    missingAtClose: MissingSources = .none
  ) {
    self.hour = hour
    self.isClosed = isClosed
    self.aggregates = aggregates
    self.isFinal = isFinal
    self.missingAtClose = missingAtClose
  }
}

/// How long the periods are that usage is aggregated over.
package enum Granularity: Hashable, Sendable {
  case hourly
  case daily
}

/// Who asks, and whose usage they may see.
package enum Caller: Hashable, Sendable {
  /// Sees every subscription.
  case `operator`
  /// Sees these subscriptions, in lower case, and nothing of any other.
  case tenant(subscriptions: [String])
}
