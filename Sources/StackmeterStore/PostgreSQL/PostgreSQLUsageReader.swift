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

  package func aggregates(
    windows: Range<Hour>, granularity: Granularity, filter: UsageFilter, after cursor: UsageCursor?,
    limit: Int
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    try inTransaction { () throws(StoreError) in
      var page = try PostgreSQLUsagePage(
        connection, granularity: granularity, filter: filter, limit: limit)
      return try page.read(windows: windows, after: cursor)
    }
  }

  package func totals(
    hours: Range<Hour>, byDay: Bool, bySubscription: Bool, filter: UsageFilter, limit: Int
  ) throws(StoreError) -> [UsageTotal] {
    try inTransaction { () throws(StoreError) in
      let state = try connection.cellsState()
      // Usage is never reported before the window of its hour, but for what lies just ahead of the clock.
      let firstWindow = hours.lowerBound.index - 1
      guard firstWindow >= state.retainedFrom || state.retainedFrom == 0 else {
        throw StoreError(
          .removed,
          "usage before \(Hour(index: state.retainedFrom).next.start) is no longer kept; "
            + "ask for what comes after")
      }
      let end =
        filter.subscriptions == nil
        ? try connection.query(
          """
          SELECT coalesce(max(reporting_window), 0) + 1 FROM closed_window
          WHERE oldest_usage < $1::bigint
          """, [PostgreSQLParameter(hours.upperBound.index)]
        ).integer(0, 0) : Int64.max
      var parameters = [
        PostgreSQLParameter(firstWindow), PostgreSQLParameter(end),
        PostgreSQLParameter(hours.upperBound.index), PostgreSQLParameter(state.openWindow),
        PostgreSQLParameter(Int64(limit)), PostgreSQLParameter(texts: filter.meters ?? []),
      ]
      if let tenancies = filter.tenancies {
        parameters += [
          PostgreSQLParameter(texts: tenancies.map(\.subscription)),
          PostgreSQLParameter(bigints: tenancies.map(\.hours.lowerBound.index)),
          PostgreSQLParameter(bigints: tenancies.map(\.hours.upperBound.index)),
        ]
      } else if let subscriptions = filter.subscriptions {
        parameters.append(PostgreSQLParameter(texts: subscriptions))
      }
      if filter.subscriptions == nil {
        try connection.query(
          """
          SELECT set_config(name, reset_val, true) FROM pg_settings
          WHERE name = 'max_parallel_workers_per_gather'
          """)
      }
      let rows = try connection.query(
        PostgreSQLUsageReader.totalsSQL(
          byDay: byDay, bySubscription: bySubscription, filter: filter), parameters)
      var totals: [UsageTotal] = []
      for row in 0..<rows.count {
        totals.append(
          UsageTotal(
            day: byDay ? Day(index: rows.integer(row, 0)) : nil,
            subscription: bySubscription ? rows.text(row, 1) : nil, meter: rows.text(row, 2),
            quantity: try rows.quantity(row, 3), isProvisional: rows.integer(row, 4) != 0))
      }
      return totals
    }
  }

  /// Adds the rows of each series up before the names are looked up. Where subscriptions are named, each window is
  /// looked at only where these lie in it. `$2` is behind the last closed window that has usage before `$3`: behind
  /// it, only open windows can have such usage.
  static func totalsSQL(
    byDay: Bool, bySubscription: Bool, filter: UsageFilter
  ) -> String {
    let isAll = filter.subscriptions == nil
    let asked =
      filter.tenancies == nil
      ? "JOIN subscription q ON q.cell = w.cell AND q.name = ANY ($7::text[])"
      : """
      JOIN (SELECT s.cell, s.id, t.first, t.last
          FROM unnest($7::text[], $8::bigint[], $9::bigint[]) t (name, first, last)
          JOIN subscription s ON s.name = t.name) q ON q.cell = w.cell
      """
    let inTime =
      filter.tenancies == nil ? "" : "AND b.usage_hour >= q.first AND b.usage_hour < q.last"
    let rows =
      isAll
      ? """
      (SELECT b.* FROM aggregate b
          JOIN pipeline p ON p.cell = b.cell AND p.retained_from <= b.reporting_window
          WHERE b.reporting_window >= $1::bigint AND b.reporting_window < $2::bigint
          UNION ALL
          SELECT b.* FROM pipeline p
          CROSS JOIN LATERAL (
            SELECT * FROM aggregate o
            WHERE o.cell = p.cell AND o.reporting_window = p.open_window OFFSET 0) b
          WHERE p.open_window >= $2::bigint) a
      """
      : """
      (SELECT * FROM (\(PostgreSQL.cellWindows)) v
          WHERE v.oldest IS NULL OR v.oldest < $3::bigint) w
          \(asked) CROSS JOIN LATERAL (
            SELECT * FROM aggregate b WHERE b.reporting_window = w.hour AND b.cell = w.cell
              AND b.subscription = q.id \(inTime) OFFSET 0) a
      """
    return """
      SELECT t.day, \(bySubscription ? "n.name" : "''::text") COLLATE "C" AS name, s.meter,
        sum(t.quantity), bool_or(t.last_window >= $4::bigint)
      FROM (
        SELECT a.cell, a.subscription, a.series,
          \(byDay ? "floor(a.usage_hour / 24.0)::bigint" : "0::bigint") AS day,
          sum(a.quantity) AS quantity, max(a.reporting_window) AS last_window
        FROM \(rows)
        WHERE a.usage_hour >= $1::bigint + 1 AND a.usage_hour < $3::bigint
        GROUP BY a.cell, a.subscription, a.series, day) t
        JOIN series s ON s.cell = t.cell AND s.subscription = t.subscription AND s.id = t.series
        JOIN subscription n ON n.cell = t.cell AND n.id = t.subscription
      WHERE \(filter.meters == nil ? "$6::text[] IS NOT NULL" : "lower(s.meter) = ANY ($6::text[])")
      GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT $5::bigint
      """
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
