internal import StackmeterCore

/// One page of usage. The windows that a period is about (one, the 24 of a day, those that have usage of an hour) are
/// read side by side in the order of their series, so that a page reads little more than what it answers: of a tenant,
/// only where its series lie in each window.
struct SQLiteUsagePage {
  private let connection: SQLite
  private let scan: UsageScan
  private let limit: Int
  private let position: PipelinePosition
  private let tables: SQLitePageTables
  private var place: SQLiteSeriesPlace

  private var aggregates: [UsageAggregate] = []
  /// Everything up to here was looked at.
  private var last: UsageCursor?
  private var pageBytes = 0
  private var rowsRead = 0

  init(
    _ connection: SQLite, _ tables: SQLitePageTables, _ scan: UsageScan, limit: Int
  ) throws(StoreError) {
    self.connection = connection
    self.tables = tables
    self.scan = scan
    self.limit = limit
    position = try connection.pipelinePosition()
    try scan.check(retainedFrom: position.retainedFrom.index)
    place = try SQLiteSeriesPlace(connection, scan.filter)
  }

  mutating func read(
    after cursor: UsageCursor?
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    guard !place.ranges.isEmpty else { return ([], nil) }
    let isWhole =
      switch scan.axis {
      case .reported: try readReported(cursor)
      case .usage: try readUsage(cursor)
      }
    return (aggregates, isWhole ? nil : last)
  }

  /// Periods of reported time. False where more follows.
  private mutating func readReported(_ cursor: UsageCursor?) throws(StoreError) -> Bool {
    let (granularity, windows) = (scan.granularity, scan.windows)
    // What lies before the cursor's period need not be looked at.
    var from = max(windows.lowerBound, position.retainedFrom.index)
    if let cursor { from = max(from, granularity.firstHour(ofPeriod: cursor.window)) }
    let next = tables.nextWindow
    while true {
      next.bind(1, from)
      next.bind(2, windows.upperBound)
      _ = try next.step()
      let found = next.isNull(0) ? nil : next.integer(0)
      next.reset()
      guard let found else { return true }
      let period = granularity.period(ofHour: found)
      let hours = granularity.hours(ofPeriod: period).clamped(to: from..<windows.upperBound)
      let after = cursor.flatMap { $0.window == period ? $0 : nil }
      guard try readPeriod(period, Array(hours), nil, after) else { return false }
      from = hours.upperBound
    }
  }

  /// Periods of usage time. False where more follows.
  private mutating func readUsage(_ cursor: UsageCursor?) throws(StoreError) -> Bool {
    let granularity = scan.granularity
    let windows = try connection.usageWindows(scan.windows, position, place.ranges)
    let asked = scan.hours.lowerBound.index..<scan.hours.upperBound.index
    let hours = asked.clamped(to: windows.usageHours)
    guard !hours.isEmpty else { return true }
    var period = granularity.period(ofHour: hours.lowerBound)
    if let cursor { period = max(period, cursor.window) }
    while granularity.firstHour(ofPeriod: period) < hours.upperBound {
      let usage = granularity.hours(ofPeriod: period).clamped(to: asked)
      let found = try windows.windows(ofUsage: usage)
      if !found.isEmpty {
        let after = cursor.flatMap { $0.window == period ? $0 : nil }
        guard try readPeriod(period, found.map(\.hour), usage, after) else { return false }
      }
      period += 1
    }
    return true
  }

  /// False where the page is full and more follows. `usage` are the usage hours that are asked for, nil for all.
  private mutating func readPeriod(
    _ period: Int64, _ windows: [Int64], _ usage: Range<Int64>?, _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    let streams = try tables.streams(windows.count)
    for range in place.ranges {
      let range = range.clamped(to: (after?.firstSeries ?? .min)..<Int64.max)
      guard !range.isEmpty else { continue }
      if rowsRead >= scan.rowsMax {
        last = UsageCursor(window: period, series: range.lowerBound - 1, usage: .max)
        return false
      }
      defer { for stream in streams { stream.stop() } }
      for (stream, window) in zip(streams, windows) { try stream.start(window, range) }
      rowsRead += windows.count
      let isWhole =
        scan.granularity == .hourly && usage == nil
        ? try readWindow(period, streams[0], after) : try merge(period, streams, usage, after)
      guard isWhole else { return false }
    }
    return true
  }

  /// A window's rows are its aggregates.
  private mutating func readWindow(
    _ period: Int64, _ stream: SQLiteWindowStream, _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    while let series = stream.series {
      let row = UsageCursor(window: period, series: series, usage: stream.usageHour)
      let isRead = after.map { $0.series == series && row.usage <= $0.usage } ?? false
      if !isRead, place.holds(series, stream.usageHour) {
        guard rowsRead < scan.rowsMax || last == nil else { return false }
        guard try append(row, stream.quantity.attos, window: period) else { return false }
      }
      rowsRead += 1
      try stream.advance()
    }
    return true
  }

  private struct Sum {
    var attos: Int128 = 0
    var lastWindow = Int64.min
  }

  /// The rows of the windows are added up by series and usage period.
  private mutating func merge(
    _ period: Int64, _ streams: [SQLiteWindowStream], _ usage: Range<Int64>?,
    _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    while let series = streams.lazy.compactMap(\.series).min() {
      guard rowsRead < scan.rowsMax || last == nil else { return false }
      var sums: [Int64: Sum] = [:]
      for stream in streams {
        while stream.series == series {
          if usage?.contains(stream.usageHour) ?? true, place.holds(series, stream.usageHour) {
            let key = scan.granularity.period(ofHour: stream.usageHour)
            let (attos, overflow) = sums[key, default: Sum()].attos.addingReportingOverflow(
              stream.quantity.attos)
            guard !overflow else { throw SQLiteUsagePage.overflow }
            sums[key] = Sum(attos: attos, lastWindow: stream.window)
          }
          rowsRead += 1
          try stream.advance()
        }
      }
      for (key, sum) in sums.sorted(by: { $0.key < $1.key }) {
        if let after, after.series == series, key <= after.usage { continue }
        let row = UsageCursor(window: period, series: series, usage: key)
        guard try append(row, sum.attos, window: sum.lastWindow) else { return false }
      }
      last = UsageCursor(window: period, series: series, usage: .max)
    }
    return true
  }

  /// False where the page is full. `window` is the last one that the row is of.
  private mutating func append(
    _ row: UsageCursor, _ attos: Int128, window: Int64
  ) throws(StoreError) -> Bool {
    guard try place.contains(row.series, tables.series) else {
      last = row
      return true
    }
    if aggregates.count == limit || pageBytes > scan.bytesMax { return false }
    let series = try tables.series.series(row.series)
    guard let quantity = Quantity(attos: attos) else { throw SQLiteUsagePage.overflow }
    pageBytes += series.byteCount
    let (granularity, open) = (scan.granularity, position.openWindow.index)
    let usage = granularity.hours(ofPeriod: row.usage)
    let reported =
      switch scan.axis {
      case .reported: granularity.hours(ofPeriod: row.window)
      case .usage: window..<window + 1
      }
    // As it was known then, what was to come is open.
    let isProvisional = reported.upperBound > min(open, scan.asOf?.index ?? open)
    aggregates.append(
      UsageAggregate(
        series: series, usageStart: Hour(index: usage.lowerBound).start,
        usageEnd: Hour(index: usage.upperBound).start, quantity: quantity,
        window: Hour(index: reported.lowerBound), isProvisional: isProvisional))
    last = row
    return true
  }

  private static let overflow = StoreError(
    .overflow, "a total is too large; ask for shorter periods")
}

/// What the pages of a connection are read with, prepared once.
final class SQLitePageTables {
  private let connection: SQLite
  let series: SQLiteSeriesTable
  /// The first window of a range that has aggregates.
  let nextWindow: Statement
  /// As many as were needed at once.
  private var allStreams: [SQLiteWindowStream] = []

  init(_ connection: SQLite) throws(StoreError) {
    self.connection = connection
    series = try SQLiteSeriesTable(connection)
    nextWindow = try connection.prepare(
      "SELECT min(window) FROM aggregate WHERE window >= ? AND window < ?")
  }

  /// One stream for each of so many windows.
  func streams(_ count: Int) throws(StoreError) -> [SQLiteWindowStream] {
    while allStreams.count < count { allStreams.append(try SQLiteWindowStream(connection)) }
    return Array(allStreams.prefix(count))
  }
}

/// The aggregates of some series in one window, one after the other.
final class SQLiteWindowStream {
  private let connection: SQLite
  private let statement: Statement
  private(set) var window: Int64 = 0
  /// Of the row that it stands on; nil after the last one.
  private(set) var series: Int64?
  private(set) var usageHour: Int64 = 0
  private(set) var quantity = Quantity.zero

  init(_ connection: SQLite) throws(StoreError) {
    self.connection = connection
    statement = try connection.prepare(
      """
      SELECT series, lag, units, attos FROM aggregate
      WHERE window = ? AND series >= ? AND series < ? ORDER BY series, lag DESC
      """)
  }

  func start(_ window: Int64, _ series: Range<Int64>) throws(StoreError) {
    statement.reset()
    statement.bind(1, window)
    statement.bind(2, series.lowerBound)
    statement.bind(3, series.upperBound)
    self.window = window
    try advance()
  }

  func advance() throws(StoreError) {
    guard try statement.step() else {
      series = nil
      return
    }
    series = statement.integer(0)
    usageHour = window - statement.integer(1)
    quantity = try connection.quantity(statement, 2)
  }

  func stop() {
    statement.reset()
    series = nil
  }
}

extension SQLite {
  /// The windows of a range, each with its oldest usage; of the open one, with that of some series.
  func usageWindows(
    _ windows: Range<Int64>, _ position: PipelinePosition, _ series: [Range<Int64>]
  ) throws(StoreError) -> UsageWindows {
    let select = try prepare(
      "SELECT window, oldest_usage FROM closed_window WHERE window >= ? AND window < ?")
    select.bind(1, windows.lowerBound)
    select.bind(2, windows.upperBound)
    var found: [UsageWindows.Window] = []
    while try select.step() {
      found.append(
        UsageWindows.Window(hour: select.integer(0), cell: 0, oldestUsage: select.integer(1)))
    }
    let open = position.openWindow.index
    guard windows.contains(open) else { return UsageWindows(found) }
    let greatest = try prepare(
      "SELECT max(lag) FROM aggregate WHERE window = ? AND series >= ? AND series < ?")
    guard let first = series.first, let last = series.last else { return UsageWindows(found) }
    greatest.bind(1, open)
    greatest.bind(2, first.lowerBound)
    greatest.bind(3, last.upperBound)
    _ = try greatest.step()
    if !greatest.isNull(0) {
      found.append(
        UsageWindows.Window(hour: open, cell: 0, oldestUsage: open - greatest.integer(0)))
    }
    greatest.reset()
    return UsageWindows(found)
  }
}
