package import StackmeterCore

/// Which usage a question is about. Names are in lower case; nil for all.
package struct UsageFilter: Hashable, Sendable {
  package var subscriptions: [String]?
  package var meters: [String]?
  package var series: SeriesSelection
  /// Of each of the subscriptions, the usage hours that the question is about; nil for all hours.
  package private(set) var tenancies: [Tenancy]?

  package init(
    subscriptions: [String]?, meters: [String]?, series: SeriesSelection = .all
  ) {
    self.subscriptions = subscriptions
    self.meters = meters
    self.series = series
  }

  /// Only usage of the time of these tenancies.
  package init(tenancies: [Tenancy], meters: [String]?, series: SeriesSelection = .all) {
    self.init(
      subscriptions: Set(tenancies.map { ExactText($0.subscription) }).map(\.text).sorted(),
      meters: meters, series: series)
    self.tenancies = tenancies
  }

  /// The usage hours of a subscription that the question is about; nil for all.
  func usageHours(of subscription: String) -> [Range<Int64>]? {
    tenancies.map { tenancies in
      tenancies.filter { $0.subscription.hasSameBytes(as: subscription) }
        .map { $0.hours.lowerBound.index..<$0.hours.upperBound.index }
    }
  }

  /// Whether it is about all series of its subscriptions.
  var isOfAllSeries: Bool { meters == nil && series.isAll }
}

/// A question about rows of usage: of one time axis, in periods of one length.
package struct UsageScan: Hashable, Sendable {
  package var axis: TimeAxis
  /// Reporting windows, or usage hours by usage time. Whole periods.
  package var hours: Range<Hour>
  package var granularity: Granularity
  package var filter: UsageFilter
  /// Only windows before it count: the answer is then the same for ever. Nil for all.
  package var asOf: Hour?
  /// Only windows from it on count; nil for all.
  package var reportedFrom: Hour?
  /// How many rows of the database are looked at for one page.
  package var rowsMax = UsagePage.rowsMax
  /// How many bytes of texts a page may have.
  package var bytesMax = UsagePage.bytesMax

  package init(
    axis: TimeAxis = .reported, hours: Range<Hour>, granularity: Granularity, filter: UsageFilter,
    asOf: Hour? = nil
  ) {
    self.axis = axis
    self.hours = hours
    self.granularity = granularity
    self.filter = filter
    self.asOf = asOf
  }

  /// The reporting windows that may have what is asked for.
  var windows: Range<Int64> {
    let end = asOf?.index ?? .max
    switch axis {
    case .reported:
      let upper = min(hours.upperBound.index, end)
      return min(hours.lowerBound.index, upper)..<upper
    case .usage:
      // Usage is never reported before the window of its hour, but for what lies just ahead of the clock.
      let lower = max(hours.lowerBound.index - 1, reportedFrom?.index ?? .min)
      return min(lower, end)..<end
    }
  }

  /// Throws `removed` where the answer would lack windows that the retention has removed: by usage time, and where it
  /// must be the same for ever.
  func check(retainedFrom: Int64) throws(StoreError) {
    guard retainedFrom > 0, axis == .usage || asOf != nil, !hours.isEmpty,
      windows.lowerBound < retainedFrom
    else { return }
    let first = Hour(index: axis == .usage ? retainedFrom + 1 : retainedFrom)
    throw StoreError(
      .removed, "usage before \(first.start) is no longer kept; ask for what comes after")
  }
}

/// A question about exact totals: always by meter, and by the groupings.
package struct TotalsScan: Hashable, Sendable {
  package var axis: TimeAxis
  /// Usage hours, or reporting windows by reported time.
  package var hours: Range<Hour>
  package var groupings: [Grouping]
  package var filter: UsageFilter
  /// Only windows before it count: the answer is then the same for ever. Nil for all.
  package var asOf: Hour?

  package init(
    axis: TimeAxis = .usage, hours: Range<Hour>, groupings: [Grouping], filter: UsageFilter,
    asOf: Hour? = nil
  ) {
    self.axis = axis
    self.hours = hours
    self.groupings = groupings
    self.filter = filter
    self.asOf = asOf
  }

  /// The length of the periods, where there is one among the groupings.
  var granularity: Granularity? { groupings.lazy.compactMap(\.granularity).first }

  /// The groupings that are no times.
  var names: [Grouping] { groupings.filter { $0.granularity == nil } }

  /// The same question about rows.
  var rows: UsageScan {
    UsageScan(
      axis: axis, hours: hours, granularity: granularity ?? .hourly, filter: filter, asOf: asOf)
  }
}

/// Where the next page begins: after this row. For daily and monthly, `window` and `usage` are numbers of days and
/// months. By usage time `window` is the usage period.
package struct UsageCursor: Hashable, Sendable {
  package var window: Int64
  /// The number of the cell; 0 where a database has one cell.
  package var cell: Int64
  package var series: Int64
  package var usage: Int64

  package init(window: Int64, cell: Int64 = 0, series: Int64, usage: Int64) {
    self.window = window
    self.cell = cell
    self.series = series
    self.usage = usage
  }

  /// The first series that may have rows behind it.
  var firstSeries: Int64 { usage == .max ? series + 1 : series }
}

/// What one page may cost.
package enum UsagePage {
  /// How many bytes the texts of a page may have, so that it fits one message: a page ends early after that.
  package static let bytesMax = 2 << 20
  /// How many rows of the database, and places in it, are looked at for one page: it ends early after that, with what
  /// it has found, so that a question that matches little answers in pages that have little.
  package static let rowsMax = 1_000_000
  /// Series that are looked through in order to find those that a question is about. Where there are more, all rows
  /// are.
  package static let seriesLookedThroughMax = 200_000
  /// Series that are looked up in each window one by one. Where a question is about more, all rows are looked at.
  package static let seriesSoughtMax = 2000
  /// Reporting windows that may have usage of one period.
  package static let windowsOfPeriodMax = 4096
}

/// The reporting windows that may have usage of some hours, by what is the oldest usage in each.
struct UsageWindows {
  struct Window {
    let hour: Int64
    let cell: Int64
    let oldestUsage: Int64
  }

  /// By hour.
  private let windows: [Window]
  /// For each window, the oldest usage in it and in all behind it.
  private let oldestFrom: [Int64]

  init(_ windows: [Window]) {
    self.windows = windows.sorted { ($0.hour, $0.cell) < ($1.hour, $1.cell) }
    var oldest = Int64.max
    oldestFrom = self.windows.reversed().map { window in
      oldest = min(oldest, window.oldestUsage)
      return oldest
    }.reversed()
  }

  /// The usage hours that any of them may have.
  var usageHours: Range<Int64> {
    guard let last = windows.last, let oldest = oldestFrom.first else { return 0..<0 }
    // Usage may lie just ahead of its window.
    return min(oldest, last.hour + 2)..<last.hour + 2
  }

  /// Those that may have usage of these hours, by hour.
  func windows(ofUsage hours: Range<Int64>) throws(StoreError) -> [Window] {
    var index = windows.partitioningIndex { $0.hour >= hours.lowerBound - 1 }
    var found: [Window] = []
    while index < windows.count, oldestFrom[index] < hours.upperBound {
      if windows[index].oldestUsage < hours.upperBound { found.append(windows[index]) }
      index += 1
    }
    guard found.count <= UsagePage.windowsOfPeriodMax else {
      throw StoreError(
        .tooLarge,
        "more than \(UsagePage.windowsOfPeriodMax) reporting windows have usage of one period; "
          + "ask for shorter periods, or by reported time")
    }
    return found
  }
}

extension Array {
  /// The first index from which on all elements belong; they are in order.
  fileprivate func partitioningIndex(_ belongs: (Element) -> Bool) -> Int {
    var (lower, upper) = (0, count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if belongs(self[middle]) { upper = middle } else { lower = middle + 1 }
    }
    return lower
  }
}
