internal import StackmeterCore

/// One page of aggregates. A period's windows (one, or the 24 of a day) are read side by side in the order of their
/// series, so that a page reads little more than what it answers: of a tenant, only where its series lie in each
/// window.
struct SQLiteUsagePage {
  private let connection: SQLite
  private let granularity: Granularity
  private let meters: Set<ExactText>?
  private let limit: Int
  private let position: PipelinePosition
  /// Where the series lie that the question is about, in order.
  private let scopes: [SQLiteSeriesScope]
  private let tables: SQLitePageTables

  private var aggregates: [UsageAggregate] = []
  private var last: UsageCursor?
  private var pageBytes = 0

  init(
    _ connection: SQLite, _ tables: SQLitePageTables, granularity: Granularity,
    filter: UsageFilter, limit: Int
  ) throws(StoreError) {
    self.connection = connection
    self.tables = tables
    self.granularity = granularity
    meters = filter.meters.map { Set($0.map { ExactText($0) }) }
    self.limit = limit
    position = try connection.pipelinePosition()
    scopes = try connection.seriesScopes(of: filter)
  }

  mutating func read(
    windows: Range<Hour>, after cursor: UsageCursor?
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    // What lies before the cursor's period need not be looked at.
    let start = max(
      windows.lowerBound.index, position.retainedFrom.index,
      (cursor?.window ?? 0) * granularity.hours)
    let next = tables.nextWindow
    var from = start
    while true {
      next.bind(1, from)
      next.bind(2, windows.upperBound.index)
      _ = try next.step()
      let found = next.isNull(0) ? nil : next.integer(0)
      next.reset()
      guard let found else { return (aggregates, nil) }
      let period = found / granularity.hours
      let end = min((period + 1) * granularity.hours, windows.upperBound.index)
      let after = cursor.flatMap { $0.window == period ? $0 : nil }
      guard try readPeriod(period, max(from, period * granularity.hours)..<end, after) else {
        return (aggregates, last)
      }
      from = end
    }
  }

  /// False where the page is full and more follows.
  private mutating func readPeriod(
    _ period: Int64, _ windows: Range<Int64>, _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    for scope in scopes {
      let range = scope.series.clamped(to: (after?.series ?? .min)..<Int64.max)
      guard !range.isEmpty else { continue }
      let active = tables.streams.prefix(windows.count)
      defer { for stream in active { stream.stop() } }
      for (stream, window) in zip(active, windows) { try stream.start(window, range) }
      let isWhole =
        granularity == .hourly
        ? try readHour(period, active[0], after, scope) : try readDay(period, active, after, scope)
      guard isWhole else { return false }
    }
    return true
  }

  /// A window's rows are its aggregates.
  private mutating func readHour(
    _ period: Int64, _ stream: SQLiteWindowStream, _ after: UsageCursor?,
    _ scope: SQLiteSeriesScope
  ) throws(StoreError) -> Bool {
    while let series = stream.series {
      let row = UsageCursor(window: period, series: series, usage: stream.usageHour)
      let isRead = after.map { $0.series == series && row.usage <= $0.usage } ?? false
      if !isRead, scope.holds(stream.usageHour) {
        guard try append(row, stream.quantity.attos) else { return false }
      }
      try stream.advance()
    }
    return true
  }

  /// The rows of the day's windows are added up by series and usage day.
  private mutating func readDay(
    _ period: Int64, _ active: ArraySlice<SQLiteWindowStream>, _ after: UsageCursor?,
    _ scope: SQLiteSeriesScope
  ) throws(StoreError) -> Bool {
    while let series = active.lazy.compactMap(\.series).min() {
      var sums: [Int64: Int128] = [:]
      for stream in active {
        while stream.series == series {
          if scope.holds(stream.usageHour) {
            sums[stream.usageHour.flooredDivision(by: granularity.hours), default: 0] +=
              stream.quantity.attos
          }
          try stream.advance()
        }
      }
      for (usage, attos) in sums.sorted(by: { $0.key < $1.key }) {
        if let after, after.series == series, usage <= after.usage { continue }
        let row = UsageCursor(window: period, series: series, usage: usage)
        guard try append(row, attos) else { return false }
      }
    }
    return true
  }

  /// False where the page is full.
  private mutating func append(_ row: UsageCursor, _ attos: Int128) throws(StoreError) -> Bool {
    let series = try tables.series.series(row.series)
    if let meters, !meters.contains(ExactText(series.meter.asciiLowercased)) { return true }
    if aggregates.count == limit || pageBytes > UsagePage.bytesMax { return false }
    guard let quantity = Quantity(attos: attos) else {
      throw StoreError(.overflow, "a total is too large; ask for hours instead of days")
    }
    pageBytes += series.byteCount
    let usageStart = Hour(index: row.usage * granularity.hours)
    aggregates.append(
      UsageAggregate(
        series: series, usageStart: usageStart.start,
        usageEnd: Hour(index: usageStart.index + granularity.hours).start, quantity: quantity,
        window: Hour(index: row.window * granularity.hours),
        isProvisional: (row.window + 1) * granularity.hours > position.openWindow.index))
    last = row
    return true
  }
}

/// What the pages of a connection are read with, prepared once.
final class SQLitePageTables {
  let series: SQLiteSeriesTable
  /// The first window of a range that has aggregates.
  let nextWindow: Statement
  /// One for each window of a day.
  let streams: [SQLiteWindowStream]

  init(_ connection: SQLite) throws(StoreError) {
    series = try SQLiteSeriesTable(connection)
    nextWindow = try connection.prepare(
      "SELECT min(window) FROM aggregate WHERE window >= ? AND window < ?")
    var streams: [SQLiteWindowStream] = []
    for _ in 0..<Granularity.daily.hours { streams.append(try SQLiteWindowStream(connection)) }
    self.streams = streams
  }
}

/// The aggregates of some series in one window, one after the other.
final class SQLiteWindowStream {
  private let connection: SQLite
  private let statement: Statement
  private var window: Int64 = 0
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

/// Where series of one subscription, or of all, lie, and which of their usage a question is about.
struct SQLiteSeriesScope {
  let series: Range<Int64>
  /// Nil for all.
  let usageHours: [Range<Int64>]?

  func holds(_ usageHour: Int64) -> Bool {
    usageHours?.contains { $0.contains(usageHour) } ?? true
  }
}

extension SQLite {
  /// The numbers that series of the filter's subscriptions may have, in order.
  func seriesScopes(of filter: UsageFilter) throws(StoreError) -> [SQLiteSeriesScope] {
    guard let subscriptions = filter.subscriptions else {
      return [SQLiteSeriesScope(series: 0..<Int64.max, usageHours: nil)]
    }
    let hours = filter.tenancies.map { tenancies in
      Dictionary(grouping: tenancies) { ExactText($0.subscription) }
        .mapValues { $0.map { $0.hours.lowerBound.index..<$0.hours.upperBound.index } }
    }
    let select = try prepare("SELECT id FROM subscription WHERE name = ?")
    var scopes: [Int64: SQLiteSeriesScope] = [:]
    for name in subscriptions {
      select.bind(1, name)
      if try select.step() {
        let id = select.integer(0)
        scopes[id] = SQLiteSeriesScope(
          series: SeriesNumbers.range(ofSubscription: id),
          usageHours: hours.map { $0[ExactText(name)] ?? [] })
      }
      select.reset()
    }
    return scopes.values.sorted { $0.series.lowerBound < $1.series.lowerBound }
  }

  /// For `windowRows`.
  func prepareWindowRows() throws(StoreError) -> Statement {
    try prepare(
      """
      SELECT a.series, a.lag, a.units, a.attos, s.first_window, n.name, s.meter, s.resource_uri,
        s.location, s.tags, s.additional_info
      FROM aggregate a LEFT JOIN series s ON s.id = a.series
        LEFT JOIN subscription n ON n.id = a.series >> \(SeriesNumbers.bitsWithinSubscription)
      WHERE a.window = ?1 AND a.series >= ?2 AND (a.series > ?2 OR a.lag < ?3)
      ORDER BY a.series, a.lag DESC LIMIT ?4
      """)
  }

  /// At most `limit` rows of a window after a key, by a statement of `prepareWindowRows`.
  ///
  /// A row that does not come after the one before it is damage, and an error: whoever reads on from such a row would
  /// be given it again, forever. (SQLite orders a key that one flipped bit made a blob behind all numbers, and gives it
  /// as zero.)
  func windowRows(
    _ statement: Statement, of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    statement.bind(1, window.index)
    statement.bind(2, key?.series ?? .min)
    statement.bind(3, key.map { window.index &- $0.usageHour.index } ?? .max)
    statement.bind(4, Int64(limit))
    var rows: [WindowRow] = []
    var last = key
    while try statement.step() {
      let next = SeriesHour(
        series: statement.integer(0), usageHour: Hour(index: window.index &- statement.integer(1)))
      if let last, next <= last {
        statement.reset()
        throw StoreError(.system, "rows of the window \(window.start) are not in order")
      }
      let isNew =
        !statement.isNull(4) && statement.integer(4) == window.index
        && rows.last?.key.series != next.series
      rows.append(
        WindowRow(
          key: next, quantity: try quantity(statement, 2),
          newSeries: isNew ? statement.series(5) : nil))
      last = next
    }
    return rows
  }
}

extension Statement {
  /// A series from six columns.
  func series(_ column: Int32) -> Series {
    Series(
      subscription: text(column), meter: text(column + 1),
      resource: Resource(
        uri: text(column + 2), location: text(column + 3), tags: text(column + 4),
        additionalInfo: text(column + 5)))
  }
}

extension Granularity {
  /// The hours of one period.
  var hours: Int64 {
    switch self {
    case .hourly: 1
    case .daily: 24
    }
  }
}
