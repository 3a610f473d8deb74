package import StackmeterCore

/// Reads a usage database in SQLite.
package final class SQLiteUsageReader: UsageReader {
  let connection: SQLite
  /// Made with the first page.
  private var pageTables: SQLitePageTables?

  package init(path: String) throws(StoreError) {
    connection = try SQLite(path, .reader)
    for pragma in ["query_only=ON", "trusted_schema=OFF", "temp_store=MEMORY"] {
      try connection.execute("PRAGMA \(pragma)")
    }
    switch try connection.schemaVersion() {
    case SQLiteSchema.version: break
    case 0: throw StoreError(.missing, "\(path) has no tables yet")
    case let found where found < SQLiteSchema.version: throw SQLiteSchema.older(found, path)
    case let found: throw SQLiteSchema.newer(found, path)
    }
  }

  /// Reads by a connection that is open already, between the transactions of its owner.
  init(_ connection: SQLite) {
    self.connection = connection
  }

  package func within<Answer>(
    _ limit: Duration, _ ask: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try connection.within(limit) { () throws(StoreError) in try ask(self) }
  }

  /// Runs `body` upon one snapshot.
  private func inTransaction<Answer>(
    _ body: () throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try connection.transaction("BEGIN", body)
  }

  package func snapshot<Answer>(
    _ ask: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try inTransaction { () throws(StoreError) in try ask(self) }
  }

  package func position() throws(StoreError) -> PipelinePosition {
    try connection.pipelinePosition()
  }

  package func firstClosedWindow() throws(StoreError) -> Hour? {
    let statement = try connection.prepare(
      """
      SELECT min(c.window) FROM closed_window c JOIN pipeline p
      WHERE c.window >= p.retained_from AND c.window < p.open_window
      """)
    _ = try statement.step()
    defer { statement.reset() }
    return statement.isNull(0) ? nil : Hour(index: statement.integer(0))
  }

  package func cell() throws(StoreError) -> String {
    try connection.pipelineCell()
  }

  package func rules() throws(StoreError) -> [MeterRule] {
    try connection.meterRules()
  }

  package func usage(
    _ scan: UsageScan, after cursor: UsageCursor?, limit: Int
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    try inTransaction { () throws(StoreError) in
      var page = try SQLiteUsagePage(connection, try tablesOfPages(), scan, limit: limit)
      return try page.read(after: cursor)
    }
  }

  func tablesOfPages() throws(StoreError) -> SQLitePageTables {
    if let pageTables { return pageTables }
    let tables = try SQLitePageTables(connection)
    pageTables = tables
    return tables
  }

  package func totals(_ scan: TotalsScan, limit: Int) throws(StoreError) -> [UsageTotal] {
    try inTransaction { () throws(StoreError) in
      let position = try position()
      try scan.rows.check(retainedFrom: position.retainedFrom.index)
      var totals = try SQLiteUsageTotals(
        connection, try tablesOfPages().series, scan, position, limit: limit)
      return try totals.read()
    }
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

  package func windows(before: Hour?, limit: Int) throws(StoreError) -> [ReportingWindow] {
    let statement = try connection.prepare(
      """
      SELECT w.window, w.is_closed, w.row_count, m.names, m.others FROM (
        SELECT c.window, 1 AS is_closed, c.row_count FROM closed_window c JOIN pipeline p
        WHERE c.window >= p.retained_from AND c.window < p.open_window
        UNION ALL
        SELECT open_window, 0, (SELECT count(*) FROM aggregate WHERE window = open_window)
        FROM pipeline) w
      LEFT JOIN window_missing m ON m.window = w.window
      WHERE w.window < ?1 AND w.window > 0 ORDER BY w.window DESC LIMIT ?2
      """)
    statement.bind(1, before?.index ?? .max)
    statement.bind(2, Int64(limit))
    var windows: [ReportingWindow] = []
    while try statement.step() {
      windows.append(
        ReportingWindow(
          hour: Hour(index: statement.integer(0)), isClosed: statement.integer(1) != 0,
          aggregates: UInt64(bitPattern: statement.integer(2)),
          missingAtClose: statement.isNull(3)
            ? .none
            : MissingSources(
              names: MissingSources.names(json: statement.text(3)),
              others: UInt64(bitPattern: statement.integer(4)))))
    }
    return windows
  }

  package func closedWindows(before: Hour?, limit: Int) throws(StoreError) -> [ClosedWindow] {
    let statement = try connection.prepare(
      """
      SELECT window, end_position, row_count, oldest_usage, hash FROM closed_window
      WHERE window < ?
      ORDER BY window DESC LIMIT ?
      """)
    statement.bind(1, before?.index ?? .max)
    statement.bind(2, Int64(limit))
    var windows: [ClosedWindow] = []
    var last = before
    while try statement.step() {
      let window = Hour(index: statement.integer(0))
      if let last, window >= last {
        statement.reset()
        throw SQLiteUsageReader.disorder("closed windows")
      }
      last = window
      windows.append(
        ClosedWindow(
          window: window,
          endPosition: UInt64(bitPattern: statement.integer(1)),
          rowCount: UInt64(bitPattern: statement.integer(2)),
          oldestUsage: Hour(index: statement.integer(3)), hash: statement.bytes(4)))
    }
    return windows
  }

  package func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    try connection.windowRows(
      try connection.prepareWindowRows(), of: window, after: key, limit: limit)
  }

  package func sources() throws(StoreError) -> [ReportingSource] {
    try connection.declaredSources()
  }

  package func unappliedCount() throws(StoreError) -> UInt64 {
    let statement = try connection.prepare("SELECT count(*) FROM unapplied")
    _ = try statement.step()
    defer { statement.reset() }
    return UInt64(statement.integer(0))
  }

  package func series(after number: Int64, limit: Int) throws(StoreError) -> [StoredSeries] {
    let statement = try connection.prepare(
      """
      SELECT n.name, s.meter, s.resource_uri, s.location, s.tags, s.additional_info, s.id,
        s.first_window, s.first_position
      FROM series s JOIN subscription n ON n.id = s.id >> \(SeriesNumbers.bitsWithinSubscription)
      WHERE s.id > ? ORDER BY s.id LIMIT ?
      """)
    statement.bind(1, number)
    statement.bind(2, Int64(limit))
    var series: [StoredSeries] = []
    while try statement.step() {
      let found = statement.integer(6)
      guard found > series.last?.number ?? number else {
        statement.reset()
        throw SQLiteUsageReader.disorder("series")
      }
      series.append(
        StoredSeries(
          number: found, series: statement.series(0),
          firstWindow: Hour(index: statement.integer(7)),
          firstPosition: UInt64(bitPattern: statement.integer(8))))
    }
    return series
  }

  package func unapplied(limit: Int) throws(StoreError) -> [UnappliedQuantity] {
    let statement = try connection.prepare(
      """
      SELECT window, series, usage_hour, units, attos, position, reason FROM unapplied
      ORDER BY id LIMIT ?
      """)
    statement.bind(1, Int64(limit))
    var quantities: [UnappliedQuantity] = []
    while try statement.step() {
      quantities.append(
        UnappliedQuantity(
          window: Hour(index: statement.integer(0)),
          series: statement.isNull(1) ? nil : statement.integer(1),
          usageHour: Hour(index: statement.integer(2)),
          quantity: try connection.quantity(statement, 3),
          position: UInt64(bitPattern: statement.integer(5)), reason: statement.text(6)))
    }
    return quantities
  }

  /// Keys that one flipped bit put out of order: whoever read on from such a row would be given it again, forever.
  private static func disorder(_ rows: String) -> StoreError {
    StoreError(.system, "the usage database is damaged: \(rows) are not in order")
  }
}

extension MissingSources {
  /// The names as a database has them: a JSON array.
  static func names(json: String) -> [String] {
    guard case .array(let elements)? = try? JSONValue(parsing: Array(json.utf8), limits: .batch)
    else { return [] }
    return elements.compactMap { if case .string(let name) = $0 { name } else { nil } }
  }
}
