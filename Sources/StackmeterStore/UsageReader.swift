package import StackmeterCore

/// Reads the usage database. Never blocks its writer.
///
/// Not safe for threads: one task uses it at a time. Every answer is one snapshot.
package final class UsageReader {
  /// Which usage a question is about. Names are in lower case; nil for all.
  package struct Filter: Hashable, Sendable {
    package var subscriptions: [String]?
    package var meters: [String]?

    package init(subscriptions: [String]?, meters: [String]?) {
      self.subscriptions = subscriptions
      self.meters = meters
    }
  }

  /// Where the next page begins: after this row. For daily, `window` and `usage` are days.
  package struct Cursor: Hashable, Sendable {
    package var window: Int64
    package var series: Int64
    package var usage: Int64

    package init(window: Int64, series: Int64, usage: Int64) {
      self.window = window
      self.series = series
      self.usage = usage
    }
  }

  /// A page ends early once its texts have this many bytes, so that it fits one message.
  package static let pageBytesMax = 2 << 20

  private let connection: SQLite

  package init(path: String) throws(StoreError) {
    connection = try SQLite(path, .reader)
    for pragma in ["query_only=ON", "trusted_schema=OFF", "temp_store=MEMORY"] {
      try connection.execute("PRAGMA \(pragma)")
    }
    switch try connection.schemaVersion() {
    case Schema.version: break
    case 0: throw StoreError(.missing, "\(path) has no tables yet")
    case let found: throw Schema.newer(found, path)
    }
  }

  /// Asks within `limit`: what takes longer is given up with `tooSlow`.
  package func within<Answer>(
    _ limit: Duration, _ ask: (UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try connection.within(limit) { () throws(StoreError) in try ask(self) }
  }

  package func position() throws(StoreError) -> PipelinePosition {
    try connection.pipelinePosition()
  }

  /// At most `limit` aggregates of the reporting windows, in the order of window, series, usage period; and the
  /// cursor of the last one where more follow.
  package func aggregates(
    windows: Range<Hour>, granularity: Granularity, filter: Filter, after cursor: Cursor?,
    limit: Int
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: Cursor?) {
    let statement = try connection.prepare(
      """
      SELECT \(granularity.windowExpression) AS w, a.series, \(granularity.usageExpression) AS u,
        sum(a.units), sum(a.attos / 1000000000), sum(a.attos % 1000000000),
        (\(granularity.windowExpression) + 1) * \(granularity.hours) > p.open_window,
        s.subscription, s.meter, s.resource_uri, s.location, s.tags, s.additional_info
      FROM pipeline p CROSS JOIN aggregate a CROSS JOIN series s ON s.id = a.series
      WHERE a.window >= ?1 AND a.window < ?2
        AND (?3 OR (\(granularity.windowExpression), a.series, \(granularity.usageExpression))
          > (?4, ?5, ?6))
        AND \(UsageReader.filterCondition(7))
      GROUP BY w, a.series, u ORDER BY w, a.series, u LIMIT ?9
      """)
    // What lies before the cursor's window need not be looked at.
    let start = max(windows.lowerBound.index, (cursor?.window ?? 0) * granularity.hours)
    statement.bind(1, start)
    statement.bind(2, windows.upperBound.index)
    statement.bind(3, cursor == nil ? 1 : 0)
    statement.bind(4, cursor?.window ?? 0)
    statement.bind(5, cursor?.series ?? 0)
    statement.bind(6, cursor?.usage ?? 0)
    UsageReader.bind(filter, to: statement, 7)
    // One more than asked for tells whether more follow.
    statement.bind(9, Int64(limit) + 1)
    var aggregates: [UsageAggregate] = []
    var last: Cursor?
    var pageBytes = 0
    while try statement.step() {
      if aggregates.count == limit || pageBytes > UsageReader.pageBytesMax {
        statement.reset()
        return (aggregates, last)
      }
      last = Cursor(
        window: statement.integer(0), series: statement.integer(1), usage: statement.integer(2))
      let usageStart = Hour(index: statement.integer(2) * granularity.hours)
      for column in 7...12 { pageBytes += statement.byteCount(Int32(column)) }
      aggregates.append(
        UsageAggregate(
          series: Series(
            subscription: statement.text(7), meter: statement.text(8),
            resource: Resource(
              uri: statement.text(9), location: statement.text(10), tags: statement.text(11),
              additionalInfo: statement.text(12))),
          usageStart: usageStart.start,
          usageEnd: Hour(index: usageStart.index + granularity.hours).start,
          quantity: try UsageReader.quantity(statement, 3),
          window: Hour(index: statement.integer(0) * granularity.hours),
          isProvisional: statement.integer(6) != 0))
    }
    return (aggregates, nil)
  }

  /// Exact totals by usage time: always by meter, by day and subscription where asked. At most `limit`.
  package func totals(
    hours: Range<Hour>, byDay: Bool, bySubscription: Bool, filter: Filter, limit: Int
  ) throws(StoreError) -> [UsageTotal] {
    let statement = try connection.prepare(
      """
      SELECT \(byDay ? "a.usage_hour / 24" : "0") AS d,
        \(bySubscription ? "s.subscription" : "''") AS b, s.meter,
        sum(a.units), sum(a.attos / 1000000000), sum(a.attos % 1000000000),
        max(a.window) >= p.open_window
      FROM pipeline p CROSS JOIN aggregate a CROSS JOIN series s ON s.id = a.series
      WHERE a.window >= ?1 AND a.usage_hour >= ?2 AND a.usage_hour < ?3
        AND \(UsageReader.filterCondition(4))
      GROUP BY d, b, s.meter ORDER BY d, b, s.meter LIMIT ?6
      """)
    // Usage is never reported before the window of its hour, but for what lies just ahead of the clock.
    statement.bind(1, hours.lowerBound.index - 1)
    statement.bind(2, hours.lowerBound.index)
    statement.bind(3, hours.upperBound.index)
    UsageReader.bind(filter, to: statement, 4)
    statement.bind(6, Int64(limit))
    var totals: [UsageTotal] = []
    while try statement.step() {
      totals.append(
        UsageTotal(
          day: byDay ? Day(index: statement.integer(0)) : nil,
          subscription: bySubscription ? statement.text(1) : nil, meter: statement.text(2),
          quantity: try UsageReader.quantity(statement, 3),
          isProvisional: statement.integer(6) != 0))
    }
    return totals
  }

  package func meters() throws(StoreError) -> [Meter] {
    let statement = try connection.prepare(
      """
      SELECT id, name, unit, category, resource_provider, aggregation, billable FROM meter
      ORDER BY category, name, id
      """)
    var meters: [Meter] = []
    while try statement.step() {
      meters.append(
        Meter(
          id: statement.text(0), name: statement.text(1), unit: statement.text(2),
          category: statement.text(3), resourceProvider: statement.text(4),
          aggregation: Aggregation(rawValue: statement.text(5)) ?? .sum,
          isBillable: statement.integer(6) != 0))
    }
    return meters
  }

  /// The reporting windows before `before` that hold usage, and the open one; newest first.
  package func windows(before: Hour?, limit: Int) throws(StoreError) -> [ReportingWindow] {
    let statement = try connection.prepare(
      """
      SELECT w, w < p.open_window, (SELECT count(*) FROM aggregate WHERE window = w)
      FROM pipeline p CROSS JOIN (
        SELECT DISTINCT window AS w FROM aggregate UNION SELECT open_window FROM pipeline)
      WHERE w < ?1 AND w > 0 ORDER BY w DESC LIMIT ?2
      """)
    statement.bind(1, before?.index ?? .max)
    statement.bind(2, Int64(limit))
    var windows: [ReportingWindow] = []
    while try statement.step() {
      windows.append(
        ReportingWindow(
          hour: Hour(index: statement.integer(0)), isClosed: statement.integer(1) != 0,
          aggregates: UInt64(statement.integer(2))))
    }
    return windows
  }

  package func unappliedCount() throws(StoreError) -> UInt64 {
    let statement = try connection.prepare("SELECT count(*) FROM unapplied")
    _ = try statement.step()
    defer { statement.reset() }
    return UInt64(statement.integer(0))
  }

  /// The one place that limits an answer to what its caller may see.
  private static func filterCondition(_ first: Int) -> String {
    """
    (?\(first) IS NULL OR s.subscription IN (SELECT value FROM json_each(?\(first))))
        AND (?\(first + 1) IS NULL
          OR lower(s.meter) IN (SELECT value FROM json_each(?\(first + 1))))
    """
  }

  private static func bind(_ filter: Filter, to statement: Statement, _ first: Int32) {
    if let subscriptions = filter.subscriptions { statement.bind(first, json(subscriptions)) }
    if let meters = filter.meters { statement.bind(first + 1, json(meters)) }
  }

  private static func json(_ names: [String]) -> String {
    var writer = JSONWriter()
    writer.array { writer in for name in names { writer.string(name) } }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The total of three columns: units, and attos in two halves whose sums cannot overflow.
  private static func quantity(
    _ statement: Statement, _ column: Int32
  ) throws(StoreError) -> Quantity {
    let attos =
      Int128(statement.integer(column)) * Quantity.attosPerUnit
      + Int128(statement.integer(column + 1)) * 1_000_000_000
      + Int128(statement.integer(column + 2))
    guard let quantity = Quantity(attos: attos) else {
      throw StoreError(.overflow, "a total is too large; ask for a shorter time")
    }
    return quantity
  }
}

extension Granularity {
  /// The hours of one period.
  fileprivate var hours: Int64 {
    switch self {
    case .hourly: 1
    case .daily: 24
    }
  }

  fileprivate var windowExpression: String {
    switch self {
    case .hourly: "a.window"
    case .daily: "a.window / 24"
    }
  }

  fileprivate var usageExpression: String {
    switch self {
    case .hourly: "a.usage_hour"
    case .daily: "a.usage_hour / 24"
    }
  }
}
