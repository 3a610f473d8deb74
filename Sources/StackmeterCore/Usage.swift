/// One series × one usage period × one reporting period → an exact quantity: the row of every usage answer.
package struct UsageAggregate: Hashable, Sendable {
  package let series: Series
  package let usageStart: Instant
  package let usageEnd: Instant
  package let quantity: Quantity
  /// The first reporting window that it was reported in.
  package let window: Hour
  /// The window is open, so the figure may still grow.
  package var isProvisional: Bool
  /// Nothing more is expected of this usage period, see `Completeness`. Stores leave it to query.
  package var isFinal: Bool
  /// The cell that reported it, where the usage database may be that of several: then no two aggregates have the same
  /// cell, series, usage period and window. Nil where it is one cell's own.
  package let cell: String?

  package init(
    series: Series, usageStart: Instant, usageEnd: Instant, quantity: Quantity, window: Hour,
    isProvisional: Bool, isFinal: Bool = false, cell: String? = nil
  ) {
    self.series = series
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.quantity = quantity
    self.window = window
    self.isProvisional = isProvisional
    self.isFinal = isFinal
    self.cell = cell
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
  /// In every cell that still counts.
  package let isClosed: Bool
  /// Of all cells together.
  package var aggregates: UInt64
  /// Nothing more is expected of the usage of this hour, see `Completeness`. Stores leave it to query.
  package var isFinal: Bool
  /// The sources that were behind when it was closed, in any cell; that never changes.
  package var missingAtClose: MissingSources
  /// What each cell has of it, where the usage database may be that of several; empty where it is one cell's own.
  package private(set) var cells: [CellWindow]

  package init(
    hour: Hour, isClosed: Bool, aggregates: UInt64 = 0, isFinal: Bool = false,
    missingAtClose: MissingSources = .none, cells: [CellWindow] = []
  ) {
    self.hour = hour
    self.isClosed = isClosed
    self.aggregates = aggregates
    self.isFinal = isFinal
    self.missingAtClose = missingAtClose
    self.cells = cells
  }

  /// Adds what one more cell has of it.
  package mutating func add(_ cell: CellWindow) {
    cells.append(cell)
    aggregates += cell.aggregates
    missingAtClose = missingAtClose.union(cell.missingAtClose)
  }
}

/// What one cell has of a reporting window: its aggregates in it, and whether it has closed it.
package struct CellWindow: Hashable, Sendable {
  package let cell: String
  package let isClosed: Bool
  package let aggregates: UInt64
  /// The sources that were behind when the cell closed it; that never changes.
  package let missingAtClose: MissingSources

  package init(
    cell: String, isClosed: Bool, aggregates: UInt64, missingAtClose: MissingSources = .none
  ) {
    self.cell = cell
    self.isClosed = isClosed
    self.aggregates = aggregates
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
  /// A delegated provider by its id, in lower case: sees its direct tenants' usage of the time of their tenancy.
  case provider(String)
  /// Reports events and heartbeats of these sources, and sees nothing.
  case reporter(sources: [String])
}
