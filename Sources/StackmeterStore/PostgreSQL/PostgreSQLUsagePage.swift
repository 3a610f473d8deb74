internal import StackmeterCore

/// One page of aggregates of all cells, in the order of window, cell, series and usage period.
///
/// Reads little more than what it answers: in each window only where the page is, and of a tenant only where its
/// subscriptions lie.
struct PostgreSQLUsagePage {
  private let connection: PostgreSQL
  private let granularity: Granularity
  private let meters: Set<ExactText>?
  private let limit: Int
  private let state: CellsState
  /// The names of the cells by their numbers.
  private let cells: [Int64: String]
  /// The subscriptions that the question is about; nil for all.
  private let subscriptions: AskedSubscriptions?

  private var aggregates: [UsageAggregate] = []
  private var last: UsageCursor?
  private var pageBytes = 0

  init(
    _ connection: PostgreSQL, granularity: Granularity, filter: UsageFilter, limit: Int
  ) throws(StoreError) {
    self.connection = connection
    self.granularity = granularity
    meters = filter.meters.map { Set($0.map { ExactText($0) }) }
    self.limit = limit
    state = try connection.cellsState()
    cells = try connection.cellNames()
    subscriptions = try AskedSubscriptions(connection, filter)
  }

  mutating func read(
    windows: Range<Hour>, after cursor: UsageCursor?
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    if subscriptions?.isEmpty == true { return ([], nil) }
    let isFull: Bool
    switch granularity {
    case .hourly: isFull = try readHours(windows, cursor)
    case .daily: isFull = try readDays(windows, cursor)
    }
    return (aggregates, isFull ? last : nil)
  }

  /// Reads a number of windows at a time, more and more. True where the page is full and more follows.
  private mutating func readHours(
    _ windows: Range<Hour>, _ cursor: UsageCursor?
  ) throws(StoreError) -> Bool {
    let end = windows.upperBound.index
    var after = PostgreSQLUsagePage.start(of: windows.lowerBound.index)
    if let cursor, cursor.window >= after.window { after = cursor }
    var span = PostgreSQLUsagePage.windowsAtFirst
    while true {
      let batchEnd = min(after.window + span, end)
      let rows = try connection.query(
        PostgreSQLUsagePage.hourlySQL(
          ofSome: subscriptions != nil, atTimes: subscriptions?.from != nil),
        parameters(after.window, batchEnd, after) + [PostgreSQLParameter(after.usage)] + asked)
      for row in 0..<rows.count {
        after = rows.cursor(row)
        guard try append(after, rows, row) else { return true }
      }
      // Of less than was asked for, nothing was left away.
      if rows.count > limit { continue }
      guard batchEnd < end, let next = try firstWindow(batchEnd, end) else { return false }
      after = PostgreSQLUsagePage.start(of: next)
      span *= 4
    }
  }

  /// Windows that are looked through at once at first.
  private static let windowsAtFirst: Int64 = 8

  /// In front of everything in a window.
  private static func start(of window: Int64) -> UsageCursor {
    UsageCursor(window: window, cell: 0, series: 0, usage: 0)
  }

  /// The first window from one up to another that has aggregates or is open.
  private func firstWindow(_ from: Int64, _ end: Int64) throws(StoreError) -> Int64? {
    let next = try connection.query(
      "SELECT min(w.hour) FROM (\(PostgreSQL.cellWindows)) w",
      [PostgreSQLParameter(from), PostgreSQLParameter(end)])
    return next.isNull(0, 0) ? nil : next.integer(0, 0)
  }

  /// True where the page is full and more follows.
  private mutating func readDays(
    _ windows: Range<Hour>, _ cursor: UsageCursor?
  ) throws(StoreError) -> Bool {
    let dayHours = Granularity.daily.hours
    // What lies before the cursor's day need not be looked at.
    var from = max(windows.lowerBound.index, (cursor?.window ?? 0) * dayHours)
    while let next = try firstWindow(from, windows.upperBound.index) {
      let day = next / dayHours
      let end = min((day + 1) * dayHours, windows.upperBound.index)
      let after = cursor.flatMap { $0.window == day ? $0 : nil }
      if try readDay(max(from, day * dayHours)..<end, after) { return true }
      from = end
    }
    return false
  }

  /// Reads a number of series at a time. True where the page is full and more follows.
  private mutating func readDay(
    _ windows: Range<Int64>, _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    // Series from here on; the cursor's own may have more usage days.
    var from = UsageCursor(
      window: windows.lowerBound, cell: after?.cell ?? 0, series: after?.series ?? 0, usage: 0)
    while true {
      let rows = try connection.query(
        PostgreSQLUsagePage.dailySQL(
          ofSome: subscriptions != nil, atTimes: subscriptions?.from != nil),
        parameters(windows.lowerBound, windows.upperBound, from) + asked)
      var seriesCount = 0
      var key: UsageCursor?
      for row in 0..<rows.count {
        let found = rows.cursor(row)
        if key?.cell != found.cell || key?.series != found.series { seriesCount += 1 }
        key = found
        if let after, after.cell == found.cell, after.series == found.series,
          found.usage <= after.usage
        {
          continue
        }
        guard try append(found, rows, row) else { return true }
      }
      guard seriesCount > limit, let key else { return false }
      (from.cell, from.series) = (key.cell, key.series + 1)
    }
  }

  /// False where the page is full.
  private mutating func append(
    _ cursor: UsageCursor, _ rows: PostgreSQLRows, _ row: Int
  ) throws(StoreError) -> Bool {
    guard !rows.isNull(row, 6), !rows.isNull(row, 7), let cell = cells[cursor.cell] else {
      throw StoreError(
        .system,
        "the usage database is damaged: cell \(cursor.cell) has no series \(cursor.series)")
    }
    let series = rows.series(row, 6)
    if let meters, !meters.contains(ExactText(series.meter.asciiLowercased)) { return true }
    if aggregates.count == limit || pageBytes > UsagePage.bytesMax { return false }
    pageBytes += (6...11).reduce(0) { $0 + rows.bytes(row, $1).count }
    let usageStart = Hour(index: cursor.usage * granularity.hours)
    aggregates.append(
      UsageAggregate(
        series: series, usageStart: usageStart.start,
        usageEnd: Hour(index: usageStart.index + granularity.hours).start,
        quantity: try rows.quantity(row, 5),
        window: Hour(index: cursor.window * granularity.hours),
        isProvisional: (cursor.window + 1) * granularity.hours > state.openWindow, cell: cell))
    last = cursor
    return true
  }

  /// The windows, where to begin in them, and one row more than a page has.
  private func parameters(
    _ from: Int64, _ end: Int64, _ after: UsageCursor
  ) -> [PostgreSQLParameter] {
    [
      PostgreSQLParameter(from), PostgreSQLParameter(end), PostgreSQLParameter(after.cell),
      PostgreSQLParameter(SeriesNumbers.subscription(ofSeries: after.series)),
      PostgreSQLParameter(SeriesNumbers.withinSubscription(after.series)),
      PostgreSQLParameter(Int64(limit) + 1),
    ]
  }

  private var asked: [PostgreSQLParameter] {
    guard let subscriptions else { return [] }
    return [subscriptions.cells, subscriptions.ids, subscriptions.from, subscriptions.until]
      .compactMap { $0.map { PostgreSQLParameter(bigints: $0) } }
  }
}

/// The subscriptions that a question names, as the cells number them: one stands once for each of its tenancies, where
/// it is about these.
private struct AskedSubscriptions {
  private(set) var cells: [Int64]? = []
  private(set) var ids: [Int64]? = []
  /// The usage hours of each; nil where it is about all hours.
  private(set) var from: [Int64]?
  private(set) var until: [Int64]?

  /// Nil where the question names none.
  init?(_ connection: PostgreSQL, _ filter: UsageFilter) throws(StoreError) {
    guard let names = filter.subscriptions else { return nil }
    let rows = try connection.query(
      "SELECT cell, id, name FROM subscription WHERE name = ANY ($1::text[])",
      [PostgreSQLParameter(texts: names)])
    let hours = filter.tenancies.map {
      Dictionary(grouping: $0) { ExactText($0.subscription) }.mapValues { $0.map(\.hours) }
    }
    if hours != nil { (from, until) = ([], []) }
    for row in 0..<rows.count {
      let found = hours.map { $0[ExactText(rows.text(row, 2))] ?? [] } ?? [Tenancy.always]
      for range in found {
        cells?.append(rows.integer(row, 0))
        ids?.append(rows.integer(row, 1))
        from?.append(range.lowerBound.index)
        until?.append(range.upperBound.index)
      }
    }
  }

  var isEmpty: Bool { ids?.isEmpty ?? true }
}

extension PostgreSQLRows {
  /// Window, cell, the two halves of a series' number, and usage period: the first five columns.
  fileprivate func cursor(_ row: Int) -> UsageCursor {
    UsageCursor(
      window: integer(row, 0), cell: integer(row, 1),
      series: SeriesNumbers.number(integer(row, 2), integer(row, 3)), usage: integer(row, 4))
  }
}
