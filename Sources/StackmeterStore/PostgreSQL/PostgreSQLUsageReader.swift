package import StackmeterCore

/// Reads a usage database in PostgreSQL.
///
/// Usage, totals, windows and meters are those of all cells. What only one pipeline has (position, rules, closed
/// windows and their rows, what was kept aside) is that of one cell.
package final class PostgreSQLUsageReader: UsageReader {
  let connection: PostgreSQL
  private let ownCell: String

  /// `text` is a connection string or URI of libpq; `schema` where the tables are, nil for the connection's own.
  package init(_ text: String, schema: String? = nil, cell: String) throws(StoreError) {
    connection = try PostgreSQL(text)
    if let schema { try connection.use(schema: schema) }
    ownCell = cell
    try connection.execute("SET default_transaction_read_only = on")
    // A page is read sooner than others are called to help; the estimates of its ranges say otherwise.
    try connection.query(
      """
      SELECT set_config(name, '0', false) FROM pg_settings
      WHERE name = 'max_parallel_workers_per_gather'
      """)
    switch try connection.schemaVersion() {
    case PostgreSQLSchema.version: break
    case 0: throw StoreError(.missing, "the PostgreSQL database has no tables yet")
    case let found: throw PostgreSQLSchema.other(found)
    }
  }

  /// Stands for the tables that are read: another number where they are others of the same database.
  package func tables() throws(StoreError) -> Int64 {
    try connection.query("SELECT 'pipeline'::regclass::oid::bigint").integer(0, 0)
  }

  /// The server and its version, for people.
  package var place: String { connection.place }

  package func within<Answer>(
    _ limit: Duration, _ ask: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try connection.within(limit) { () throws(StoreError) in try ask(self) }
  }

  /// Runs `body` upon one snapshot.
  private func inTransaction<Answer>(
    _ body: () throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body)
  }

  package func snapshot<Answer>(
    _ ask: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    try inTransaction { () throws(StoreError) in try ask(self) }
  }

  func ownNumber() throws(StoreError) -> Int64 {
    let rows = try connection.query(
      "SELECT number FROM cell WHERE name = $1::text", [PostgreSQLParameter(ownCell)])
    guard rows.count == 1 else {
      throw StoreError(.missing, "the PostgreSQL database has nothing of cell \"\(ownCell)\" yet")
    }
    return rows.integer(0, 0)
  }

  package func position() throws(StoreError) -> PipelinePosition {
    try connection.pipelinePosition(of: ownNumber())
  }

  package func cell() throws(StoreError) -> String { ownCell }

  package func rules() throws(StoreError) -> [MeterRule] {
    try connection.meterRules(of: ownNumber())
  }

  package func usage(
    _ scan: UsageScan, after cursor: UsageCursor?, limit: Int
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    try inTransaction { () throws(StoreError) in
      var page = try PostgreSQLUsagePage(connection, scan, limit: limit)
      return try page.read(after: cursor)
    }
  }

  package func totals(_ scan: TotalsScan, limit: Int) throws(StoreError) -> [UsageTotal] {
    try inTransaction { () throws(StoreError) in
      try PostgreSQLUsageTotals(connection, scan, cell: ownCell).read(limit: limit)
    }
  }

  /// A meter that more than one cell has is told as its own cell has it, else as the first one does.
  package func meters() throws(StoreError) -> [Meter] {
    let rows = try connection.query(
      """
      SELECT * FROM (
        SELECT DISTINCT ON (m.id) m.id, m.name, m.unit, m.category, m.resource_provider,
          m.aggregation, m.billable
        FROM meter m JOIN cell c ON c.number = m.cell
        ORDER BY m.id, c.name = $1::text DESC, m.cell) m
      ORDER BY m.category, m.name, m.id
      """, [PostgreSQLParameter(ownCell)])
    return (0..<rows.count).map { row in
      Meter(
        id: rows.text(row, 0), name: rows.text(row, 1), unit: rows.text(row, 2),
        category: rows.text(row, 3), resourceProvider: rows.text(row, 4),
        aggregation: Aggregation(rawValue: rows.text(row, 5)) ?? .sum,
        isBillable: rows.integer(row, 6) != 0)
    }
  }

  /// Each window once, with what each cell has of it: closed where every cell has closed it.
  package func windows(before: Hour?, limit: Int) throws(StoreError) -> [ReportingWindow] {
    try inTransaction { () throws(StoreError) in
      let state = try connection.cellsState()
      let behind = try connection.countingCells()
      let rows = try connection.query(
        PostgreSQLUsageReader.windowsSQL,
        [PostgreSQLParameter(before?.index ?? .max), PostgreSQLParameter(Int64(limit))])
      var windows: [ReportingWindow] = []
      for row in 0..<rows.count {
        let hour = Hour(index: rows.integer(row, 0))
        let cell = CellWindow(
          cell: rows.text(row, 1), isClosed: rows.integer(row, 2) != 0,
          aggregates: UInt64(bitPattern: rows.integer(row, 3)),
          missingAtClose: rows.missingSources(row, 4))
        if windows.last?.hour != hour {
          guard windows.count < limit else { break }
          windows.append(ReportingWindow(hour: hour, isClosed: hour.index < state.openWindow))
        }
        windows[windows.count - 1].add(cell)
      }
      for place in windows.indices where !windows[place].isClosed {
        let known = Set(windows[place].cells.map { ExactText($0.cell) })
        for (cell, openWindow) in behind
        where openWindow <= windows[place].hour.index && !known.contains(ExactText(cell)) {
          windows[place].add(CellWindow(cell: cell, isClosed: false, aggregates: 0))
        }
      }
      return windows
    }
  }

  package func openWindow() throws(StoreError) -> Hour {
    Hour(index: try connection.cellsState().openWindow)
  }

  package func retainedFrom() throws(StoreError) -> Hour {
    Hour(index: try connection.cellsState().retainedFrom)
  }

  package func firstClosedWindow() throws(StoreError) -> Hour? {
    try inTransaction { () throws(StoreError) in
      let open = try connection.cellsState().openWindow
      let first = try connection.query(
        """
        SELECT min(c.reporting_window) FROM pipeline p
          JOIN closed_window c ON c.cell = p.cell AND c.reporting_window >= p.retained_from
        """)
      guard !first.isNull(0, 0), first.integer(0, 0) < open else { return nil }
      return Hour(index: first.integer(0, 0))
    }
  }

  /// The open window of each cell and the last `$2` that it has closed, before `$1`. The last `$2` of all are among
  /// them, with all that any cell has of them.
  static let windowsSQL = """
    SELECT w.hour, n.name, w.is_closed, w.row_count, m.names, m.others
    FROM (
      SELECT p.cell, c.hour, c.row_count, true AS is_closed
      FROM pipeline p CROSS JOIN LATERAL (
        SELECT d.reporting_window AS hour, d.row_count FROM closed_window d
        WHERE d.cell = p.cell AND d.reporting_window >= p.retained_from
          AND d.reporting_window < p.open_window AND d.reporting_window < $1::bigint
        ORDER BY d.reporting_window DESC LIMIT $2::bigint) c
      UNION ALL
      SELECT p.cell, p.open_window, (SELECT count(*) FROM aggregate a
        WHERE a.reporting_window = p.open_window AND a.cell = p.cell), false
      FROM pipeline p WHERE p.open_window > 0 AND p.open_window < $1::bigint) w
      JOIN cell n ON n.number = w.cell
      LEFT JOIN window_missing m ON m.cell = w.cell AND m.reporting_window = w.hour
    ORDER BY w.hour DESC, w.cell
    """

  package func closedWindows(before: Hour?, limit: Int) throws(StoreError) -> [ClosedWindow] {
    let rows = try connection.query(
      """
      SELECT reporting_window, end_position, row_count, oldest_usage, hash FROM closed_window
      WHERE cell = $1::bigint AND reporting_window < $2::bigint
      ORDER BY reporting_window DESC LIMIT $3::bigint
      """,
      [
        PostgreSQLParameter(try ownNumber()), PostgreSQLParameter(before?.index ?? .max),
        PostgreSQLParameter(Int64(limit)),
      ])
    return (0..<rows.count).map { row in
      ClosedWindow(
        window: Hour(index: rows.integer(row, 0)),
        endPosition: UInt64(bitPattern: rows.integer(row, 1)),
        rowCount: UInt64(bitPattern: rows.integer(row, 2)),
        oldestUsage: Hour(index: rows.integer(row, 3)), hash: rows.bytes(row, 4))
    }
  }

  package func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    try connection.windowRows(of: window, cell: ownNumber(), after: key, limit: limit)
  }

  package func unappliedCount() throws(StoreError) -> UInt64 {
    let rows = try connection.query(
      "SELECT count(*) FROM unapplied WHERE cell = $1::bigint",
      [PostgreSQLParameter(try ownNumber())])
    return UInt64(rows.integer(0, 0))
  }

  package func series(after number: Int64, limit: Int) throws(StoreError) -> [StoredSeries] {
    let rows = try connection.query(
      """
      SELECT n.name, s.meter, s.resource_uri, s.location, s.tags, s.additional_info,
        s.subscription, s.id, s.first_window, s.first_position
      FROM series s JOIN subscription n ON n.cell = s.cell AND n.id = s.subscription
      WHERE s.cell = $1::bigint AND (s.subscription, s.id) > ($2::bigint, $3::bigint)
      ORDER BY s.subscription, s.id LIMIT $4::bigint
      """,
      [
        PostgreSQLParameter(try ownNumber()),
        PostgreSQLParameter(SeriesNumbers.subscription(ofSeries: number)),
        PostgreSQLParameter(SeriesNumbers.withinSubscription(number)),
        PostgreSQLParameter(Int64(limit)),
      ])
    return (0..<rows.count).map { row in
      StoredSeries(
        number: SeriesNumbers.number(rows.integer(row, 6), rows.integer(row, 7)),
        series: rows.series(row, 0), firstWindow: Hour(index: rows.integer(row, 8)),
        firstPosition: UInt64(bitPattern: rows.integer(row, 9)))
    }
  }

  package func unapplied(limit: Int) throws(StoreError) -> [UnappliedQuantity] {
    let rows = try connection.query(
      """
      SELECT reporting_window, subscription, series, usage_hour, quantity,
        position, reason
      FROM unapplied WHERE cell = $1::bigint ORDER BY id LIMIT $2::bigint
      """, [PostgreSQLParameter(try ownNumber()), PostgreSQLParameter(Int64(limit))])
    var quantities: [UnappliedQuantity] = []
    for row in 0..<rows.count {
      quantities.append(
        UnappliedQuantity(
          window: Hour(index: rows.integer(row, 0)),
          series: rows.isNull(row, 1)
            ? nil : SeriesNumbers.number(rows.integer(row, 1), rows.integer(row, 2)),
          usageHour: Hour(index: rows.integer(row, 3)), quantity: try rows.quantity(row, 4),
          position: UInt64(bitPattern: rows.integer(row, 5)), reason: rows.text(row, 6)))
    }
    return quantities
  }

  /// PostgreSQL looks after its files by itself (`data_checksums`, `pg_amcheck`); what the rows say is the scrub's
  /// business.
  package func integrityProblems() throws(StoreError) -> [String] { [] }
}

/// What holds for all cells together.
struct CellsState {
  /// The windows before it are closed in every cell that has counted something and is not retired.
  let openWindow: Int64
  /// The windows from it on are kept in every cell.
  let retainedFrom: Int64
}

extension PostgreSQL {
  func cellsState() throws(StoreError) -> CellsState {
    let rows = try query(
      """
      SELECT coalesce(
          min(p.open_window) FILTER (WHERE NOT c.is_retired AND p.journal_id <> 0),
          max(p.open_window), 0),
        coalesce(max(p.retained_from), 0)
      FROM pipeline p JOIN cell c ON c.number = p.cell
      """)
    return CellsState(openWindow: rows.integer(0, 0), retainedFrom: rows.integer(0, 1))
  }

  /// The cells that windows wait for, with the window that each has open.
  func countingCells() throws(StoreError) -> [(name: String, openWindow: Int64)] {
    let rows = try query(
      """
      SELECT c.name, p.open_window FROM pipeline p JOIN cell c ON c.number = p.cell
      WHERE NOT c.is_retired AND p.journal_id <> 0 ORDER BY p.cell
      """)
    return (0..<rows.count).map { (rows.text($0, 0), rows.integer($0, 1)) }
  }
}
