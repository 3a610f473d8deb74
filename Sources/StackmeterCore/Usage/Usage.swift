/// One series × one usage period × one reporting period → an exact quantity: the row of every usage answer. By usage
/// time, all reporting periods together.
package struct UsageAggregate: Hashable, Sendable {
  package let series: Series
  package let usageStart: Instant
  package let usageEnd: Instant
  package let quantity: Quantity
  /// The first reporting window that it was reported in; by usage time the last one.
  package let window: Hour
  /// A window that it is of is open, so the figure may still grow.
  package var isProvisional: Bool
  /// Nothing more is expected of this usage period, see `Completeness`. Stores leave it to query.
  package var isFinal: Bool
  /// The cell that reported it, where the usage database may be that of several: then no two aggregates have the same
  /// cell, series, usage period and window. Nil where it is one cell's own.
  package let cell: String?
  /// Of this row and no other. Stores leave it to query.
  package var id: String

  package init(
    series: Series, usageStart: Instant, usageEnd: Instant, quantity: Quantity, window: Hour,
    isProvisional: Bool, isFinal: Bool = false, cell: String? = nil, id: String = ""
  ) {
    self.series = series
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.quantity = quantity
    self.window = window
    self.isProvisional = isProvisional
    self.isFinal = isFinal
    self.cell = cell
    self.id = id
  }
}

/// The exact total of one meter, over what the question asked.
package struct UsageTotal: Hashable, Sendable {
  /// The first hour of the hour, day or month; nil unless asked for by one of these.
  package let period: Hour?
  /// For each other grouping its value, nil where there is none: no such tag, no owner. None where `isOthers`.
  package let groups: [String?]
  /// The sum of all groups that are not among the top ones.
  package let isOthers: Bool
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
    period: Hour? = nil, groups: [String?] = [], isOthers: Bool = false, day: Day? = nil,
    subscription: String? = nil, meter: String, quantity: Quantity, isProvisional: Bool,
    isFinal: Bool = false
  ) {
    self.period = period
    self.groups = groups
    self.isOthers = isOthers
    self.day = day
    self.subscription = subscription
    self.meter = meter
    self.quantity = quantity
    self.isProvisional = isProvisional
    self.isFinal = isFinal
  }

  /// A total of a question by these groupings.
  package init(
    by groupings: [Grouping], period: Hour?, groups: [String?], isOthers: Bool = false,
    meter: String, quantity: Quantity, isProvisional: Bool
  ) {
    let names = groupings.filter { $0.granularity == nil }
    self.init(
      period: period, groups: groups, isOthers: isOthers,
      day: groupings.contains(.day) ? period?.day : nil,
      subscription: zip(names, groups).first { $0.0 == .subscription }?.1, meter: meter,
      quantity: quantity, isProvisional: isProvisional)
  }

  /// The order of answers: by period, groups and meter; what has no value comes first.
  package func precedes(_ other: UsageTotal) -> Bool {
    if period != other.period {
      return (period?.index ?? .min) < (other.period?.index ?? .min)
    }
    for (mine, theirs) in zip(groups, other.groups) {
      switch (mine, theirs) {
      case (nil, nil): continue
      case (nil, _): return true
      case (_, nil): return false
      case (let mine?, let theirs?):
        guard !mine.hasSameBytes(as: theirs) else { continue }
        return mine.utf8.lexicographicallyPrecedes(theirs.utf8)
      }
    }
    return meter.utf8.lexicographicallyPrecedes(other.meter.utf8)
  }
}

/// What totals are told apart by, beside meters.
package enum Grouping: Hashable, Sendable {
  /// A question is about at most so many.
  package static let countMax = 4

  case hour, day, month
  case subscription
  /// By URI.
  case resource
  case resourceGroup
  case location
  /// A tag of the resource.
  case tag(String)
  /// What the operator's directory says of the subscription, now.
  case owner, costCenter
  /// A tag of the directory.
  case subscriptionTag(String)

  /// Of those that are times.
  package var granularity: Granularity? {
    switch self {
    case .hour: .hourly
    case .day: .daily
    case .month: .monthly
    default: nil
    }
  }

  package var isOfDirectory: Bool {
    switch self {
    case .owner, .costCenter, .subscriptionTag: true
    default: false
    }
  }
}

extension Resource {
  /// The resource's value of a grouping; nil where it has none, or the grouping is of something else.
  package func value(of grouping: Grouping) -> String? {
    let value: String? =
      switch grouping {
      case .resource: uri
      case .resourceGroup: resourceGroup
      case .location: location
      case .tag(let name): tag(name)
      case .hour, .day, .month, .subscription, .owner, .costCenter, .subscriptionTag: nil
      }
    guard let value, !value.isEmpty else { return nil }
    return value
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
