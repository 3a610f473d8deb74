internal import StackmeterCore

/// One page of usage of all cells, in the order of period, cell, series and usage period.
///
/// Reads little more than what it answers: in each window only where the page is, and of a tenant only where its
/// subscriptions lie.
struct PostgreSQLUsagePage {
  private let connection: PostgreSQL
  private let scan: UsageScan
  private let limit: Int
  private let state: CellsState
  /// The names of the cells by their numbers.
  private let cells: [Int64: String]
  private let place: PostgreSQLSeriesPlace

  private var aggregates: [UsageAggregate] = []
  /// Everything up to here was looked at.
  private var last: UsageCursor?
  private var pageBytes = 0
  private var rowsRead = 0

  init(_ connection: PostgreSQL, _ scan: UsageScan, limit: Int) throws(StoreError) {
    self.connection = connection
    self.scan = scan
    self.limit = limit
    state = try connection.cellsState()
    try scan.check(retainedFrom: state.retainedFrom)
    cells = try connection.cellNames()
    place = try PostgreSQLSeriesPlace(connection, scan.filter)
  }

  mutating func read(
    after cursor: UsageCursor?
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    if place.isEmpty || scan.windows.isEmpty { return ([], nil) }
    let isFull =
      switch (scan.axis, scan.granularity) {
      case (.reported, .hourly): try readHours(cursor)
      case (.reported, _): try readReported(cursor)
      case (.usage, _): try readUsage(cursor)
      }
    return (aggregates, isFull ? last : nil)
  }

  /// Reads a number of windows at a time, more and more. True where the page is full and more follows.
  private mutating func readHours(_ cursor: UsageCursor?) throws(StoreError) -> Bool {
    let end = scan.windows.upperBound
    var after = PostgreSQLUsagePage.start(of: scan.windows.lowerBound)
    if let cursor, cursor.window >= after.window { after = cursor }
    var span = PostgreSQLUsagePage.windowsAtFirst
    while true {
      if rowsRead >= scan.rowsMax {
        last = after
        return true
      }
      let batchEnd = min(after.window + span, end)
      let rows = try connection.query(
        PostgreSQLUsagePage.hourlySQL(place),
        [PostgreSQLParameter(after.window), PostgreSQLParameter(batchEnd)] + key(after)
          + [PostgreSQLParameter(Int64(limit) + 1), PostgreSQLParameter(after.usage)]
          + place.parameters)
      rowsRead += rows.count + Int(batchEnd - after.window) * place.count
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

  /// Days or months of reported time. True where the page is full and more follows.
  private mutating func readReported(_ cursor: UsageCursor?) throws(StoreError) -> Bool {
    let (granularity, windows) = (scan.granularity, scan.windows)
    // What lies before the cursor's period need not be looked at.
    var from = windows.lowerBound
    if let cursor { from = max(from, granularity.firstHour(ofPeriod: cursor.window)) }
    while let next = try firstWindow(from, windows.upperBound) {
      let period = granularity.period(ofHour: next)
      let hours = granularity.hours(ofPeriod: period).clamped(to: from..<windows.upperBound)
      let after = cursor.flatMap { $0.window == period ? $0 : nil }
      let found = try connection.usageWindows(hours)
      if try readPeriod(period, found, nil, after) { return true }
      from = hours.upperBound
    }
    return false
  }

  /// Periods of usage time. True where the page is full and more follows.
  private mutating func readUsage(_ cursor: UsageCursor?) throws(StoreError) -> Bool {
    let granularity = scan.granularity
    let windows = UsageWindows(try connection.usageWindows(scan.windows))
    let asked = scan.hours.lowerBound.index..<scan.hours.upperBound.index
    let hours = asked.clamped(to: windows.usageHours)
    guard !hours.isEmpty else { return false }
    var period = granularity.period(ofHour: hours.lowerBound)
    if let cursor { period = max(period, cursor.window) }
    while granularity.firstHour(ofPeriod: period) < hours.upperBound {
      let usage = granularity.hours(ofPeriod: period).clamped(to: asked)
      let found = try windows.windows(ofUsage: usage)
      if !found.isEmpty {
        let after = cursor.flatMap { $0.window == period ? $0 : nil }
        if try readPeriod(period, found, usage, after) { return true }
      }
      period += 1
    }
    return false
  }

  /// Reads a number of series at a time. True where the page is full and more follows. `usage` are the usage hours that
  /// are asked for, nil for all.
  private mutating func readPeriod(
    _ period: Int64, _ windows: [UsageWindows.Window], _ usage: Range<Int64>?,
    _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    let hours = [
      PostgreSQLParameter(bigints: windows.map(\.hour)),
      PostgreSQLParameter(bigints: windows.map(\.cell)),
    ]
    // So many that a page of them does not look at more than it may.
    let chunk = max(1, min(limit + 1, scan.rowsMax / max(1, windows.count)))
    // Series from here on; the cursor's own may have more usage periods.
    var from = UsageCursor(
      window: period, cell: after?.cell ?? 0, series: after?.firstSeries ?? 0, usage: .min)
    while true {
      if rowsRead >= scan.rowsMax {
        last = UsageCursor(window: period, cell: from.cell, series: from.series - 1, usage: .max)
        return true
      }
      let end = try connection.query(
        PostgreSQLUsagePage.lastSeriesSQL(place),
        hours + key(from) + [PostgreSQLParameter(Int64(chunk))] + place.parameters)
      guard end.count == 1 else { return false }
      let upTo = UsageCursor(
        window: period, cell: end.integer(0, 0),
        series: SeriesNumbers.number(end.integer(0, 1), end.integer(0, 2)), usage: .max)
      let seriesCount = Int(end.integer(0, 3))
      let rows = try connection.query(
        PostgreSQLUsagePage.sumsSQL(place, scan.granularity),
        hours + key(from) + key(upTo) + [
          PostgreSQLParameter(usage?.lowerBound ?? .min),
          PostgreSQLParameter(usage?.upperBound ?? .max),
        ] + place.parameters)
      rowsRead += windows.count * (seriesCount + place.count)
      for row in 0..<rows.count {
        var found = rows.cursor(row)
        found.window = period
        if let after, after.cell == found.cell, after.series == found.series,
          found.usage <= after.usage
        {
          continue
        }
        guard try append(found, rows, row) else { return true }
      }
      guard seriesCount == chunk else { return false }
      (from.cell, from.series) = (upTo.cell, upTo.series + 1)
    }
  }

  /// False where the page is full.
  private mutating func append(
    _ cursor: UsageCursor, _ rows: PostgreSQLRows, _ row: Int
  ) throws(StoreError) -> Bool {
    guard !rows.isNull(row, 7), !rows.isNull(row, 8), let cell = cells[cursor.cell] else {
      throw StoreError(
        .system,
        "the usage database is damaged: cell \(cursor.cell) has no series \(cursor.series)")
    }
    let series = rows.series(row, 7)
    guard place.contains(series) else {
      last = cursor
      return true
    }
    if aggregates.count == limit || pageBytes > scan.bytesMax { return false }
    pageBytes += (7...12).reduce(0) { $0 + rows.bytes(row, $1).count }
    let (granularity, open) = (scan.granularity, state.openWindow)
    let usage = granularity.hours(ofPeriod: cursor.usage)
    let lastWindow = rows.integer(row, 6)
    let reported =
      switch scan.axis {
      case .reported: granularity.hours(ofPeriod: cursor.window)
      case .usage: lastWindow..<lastWindow + 1
      }
    aggregates.append(
      UsageAggregate(
        series: series, usageStart: Hour(index: usage.lowerBound).start,
        usageEnd: Hour(index: usage.upperBound).start,
        quantity: try rows.quantity(row, 5), window: Hour(index: reported.lowerBound),
        isProvisional: reported.upperBound > min(open, scan.asOf?.index ?? open), cell: cell))
    last = cursor
    return true
  }

  /// Cell, subscription and series.
  private func key(_ cursor: UsageCursor) -> [PostgreSQLParameter] {
    [
      PostgreSQLParameter(cursor.cell),
      PostgreSQLParameter(SeriesNumbers.subscription(ofSeries: cursor.series)),
      PostgreSQLParameter(SeriesNumbers.withinSubscription(cursor.series)),
    ]
  }
}

extension PostgreSQLRows {
  /// Window, cell, the two halves of a series' number, and usage period: the first five columns.
  fileprivate func cursor(_ row: Int) -> UsageCursor {
    UsageCursor(
      window: integer(row, 0), cell: integer(row, 1),
      series: SeriesNumbers.number(integer(row, 2), integer(row, 3)), usage: integer(row, 4))
  }
}

extension PostgreSQL {
  /// The windows of a range that have aggregates or are open, each with its oldest usage.
  func usageWindows(_ windows: Range<Int64>) throws(StoreError) -> [UsageWindows.Window] {
    let rows = try query(
      """
      SELECT w.hour, w.cell, coalesce(w.oldest, (
        SELECT min(a.usage_hour) FROM aggregate a
        WHERE a.reporting_window = w.hour AND a.cell = w.cell))
      FROM (\(PostgreSQL.cellWindows)) w
      """, [PostgreSQLParameter(windows.lowerBound), PostgreSQLParameter(windows.upperBound)])
    return (0..<rows.count).compactMap { row in
      rows.isNull(row, 2)
        ? nil
        : UsageWindows.Window(
          hour: rows.integer(row, 0), cell: rows.integer(row, 1), oldestUsage: rows.integer(row, 2))
    }
  }
}
