package import StackmeterCore

extension SQLiteUsageReader {
  package func sums(
    _ question: SumsQuestion, after cursor: UsageCursor?, limit: Int,
    until deadline: ContinuousClock.Instant
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    try snapshot { (_) throws(StoreError) in
      var sums = try UsageSums(
        try SQLiteSumsSource(connection), question, limit: limit, deadline: deadline)
      return try sums.read(after: cursor)
    }
  }
}

/// Reads the rows of sums by the primary key: a subscription's rows of one window are one range of it.
final class SQLiteSumsSource: SumsSource {
  let windowsAtOnce = 1
  let openWindow: Int64

  private let connection: SQLite
  private let retainedFrom: Int64
  private let selectRows: Statement
  private let selectMeter: Statement
  private let selectSubscription: Statement
  /// Of the subscription that was added up last.
  private var subscription = ""
  private var range: Range<Int64>?
  private var metersOfSeries: [Int64: String] = [:]

  init(_ connection: SQLite) throws(StoreError) {
    self.connection = connection
    let position = try connection.pipelinePosition()
    (openWindow, retainedFrom) = (position.openWindow.index, position.retainedFrom.index)
    selectRows = try connection.prepare(
      """
      SELECT series, lag, units, attos FROM aggregate
      WHERE window = ? AND series >= ? AND series < ?
      """)
    selectMeter = try connection.prepare("SELECT meter FROM series WHERE id = ?")
    selectSubscription = try connection.prepare("SELECT id FROM subscription WHERE name = ?")
  }

  func sumsWindows(_ windows: Range<Hour>) throws(StoreError) -> [SumsWindow] {
    let select = try connection.prepare(
      """
      SELECT window, oldest_usage FROM closed_window WHERE window >= ?1 AND window < ?2
      UNION ALL SELECT open_window, 0 FROM pipeline WHERE open_window >= ?1 AND open_window < ?2
      ORDER BY 1
      """)
    select.bind(1, max(windows.lowerBound.index, retainedFrom))
    select.bind(2, windows.upperBound.index)
    var found: [SumsWindow] = []
    while try select.step() {
      found.append(SumsWindow(hour: select.integer(0), oldestUsage: select.integer(1)))
    }
    return found
  }

  /// Whether one has usage costs as much as adding it up.
  func candidates(
    behind name: String, of some: [String]?, in windows: [SumsWindow], limit: Int
  ) throws(StoreError) -> [(name: String, mayHaveUsage: Bool)] {
    let select = try connection.prepare(
      """
      SELECT name, first_window <= ?2 FROM subscription
      WHERE name > ?1 AND (?4 IS NULL OR name IN (SELECT value FROM json_each(?4)))
      ORDER BY name LIMIT ?3
      """)
    select.bind(1, name)
    select.bind(2, windows.last?.hour ?? 0)
    select.bind(3, Int64(limit))
    if let some {
      var writer = JSONWriter()
      writer.array { writer in for name in some { writer.string(name) } }
      select.bind(4, String(decoding: writer.bytes, as: UTF8.self))
    } else {
      select.bindNull(4)
    }
    var found: [(name: String, mayHaveUsage: Bool)] = []
    while try select.step() { found.append((select.text(0), select.integer(1) != 0)) }
    return found
  }

  func addUp(
    _ subscription: String, _ windows: ArraySlice<SumsWindow>, _ usageHours: [Range<Int64>]?,
    hoursPerPeriod: Int64,
    _ add: (_ meter: String, _ period: Int64, _ attos: Int128) throws(StoreError) -> Void
  ) throws(StoreError) {
    guard let range = try range(of: subscription) else { return }
    for window in windows {
      selectRows.bind(1, window.hour)
      selectRows.bind(2, range.lowerBound)
      selectRows.bind(3, range.upperBound)
      defer { selectRows.reset() }
      while try selectRows.step() {
        let usageHour = window.hour - selectRows.integer(1)
        if let usageHours, !usageHours.contains(where: { $0.contains(usageHour) }) { continue }
        try add(
          try meter(ofSeries: selectRows.integer(0)),
          usageHour.flooredDivision(by: hoursPerPeriod),
          try connection.quantity(selectRows, 2).attos)
      }
    }
  }

  func number(
    of subscription: String, meter: String?
  ) throws(StoreError) -> (cell: Int64, series: Int64) {
    guard let range = try range(of: subscription) else {
      throw damage("the database", "subscription \(subscription)")
    }
    guard let meter else { return (0, range.lowerBound) }
    let select = try connection.prepare(
      "SELECT id FROM series WHERE id >= ? AND id < ? AND meter = ? LIMIT 1")
    select.bind(1, range.lowerBound)
    select.bind(2, range.upperBound)
    select.bind(3, meter)
    defer { select.reset() }
    guard try select.step() else { throw damage("subscription \(subscription)", "meter \(meter)") }
    return (0, select.integer(0))
  }

  func names(
    cell: Int64, series: Int64
  ) throws(StoreError) -> (subscription: String, meter: String) {
    let select = try connection.prepare("SELECT name FROM subscription WHERE id = ?")
    let number = SeriesNumbers.subscription(ofSeries: series)
    select.bind(1, number)
    defer { select.reset() }
    guard try select.step() else { throw damage("the database", "subscription \(number)") }
    let isSeries = series != SeriesNumbers.range(ofSubscription: number).lowerBound
    return (select.text(0), isSeries ? try meter(ofSeries: series) : "")
  }

  private func range(of name: String) throws(StoreError) -> Range<Int64>? {
    if name.hasSameBytes(as: subscription) { return range }
    selectSubscription.bind(1, name)
    defer { selectSubscription.reset() }
    range =
      try selectSubscription.step()
      ? SeriesNumbers.range(ofSubscription: selectSubscription.integer(0)) : nil
    subscription = name
    metersOfSeries = [:]
    return range
  }

  private func meter(ofSeries number: Int64) throws(StoreError) -> String {
    if let known = metersOfSeries[number] { return known }
    selectMeter.bind(1, number)
    defer { selectMeter.reset() }
    guard try selectMeter.step() else { throw damage("the database", "series \(number)") }
    let meter = selectMeter.text(0)
    metersOfSeries[number] = meter
    return meter
  }

  private func damage(_ place: String, _ missing: String) -> StoreError {
    StoreError(.system, "the usage database is damaged: \(place) has no \(missing)")
  }
}
