package import StackmeterCore

extension PostgreSQLUsageReader {
  package func sums(
    _ question: SumsQuestion, after cursor: UsageCursor?, limit: Int,
    until deadline: ContinuousClock.Instant
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    try snapshot { (_) throws(StoreError) in
      var sums = try UsageSums(
        PostgreSQLSumsSource(connection), question, limit: limit, deadline: deadline)
      return try sums.read(after: cursor)
    }
  }
}

/// Lets the server add up a day of windows at once, over all cells.
struct PostgreSQLSumsSource: SumsSource {
  let windowsAtOnce = 24
  let openWindow: Int64

  private let connection: PostgreSQL

  init(_ connection: PostgreSQL) throws(StoreError) {
    self.connection = connection
    openWindow = try connection.cellsState().openWindow
  }

  func sumsWindows(_ windows: Range<Hour>) throws(StoreError) -> [SumsWindow] {
    let rows = try connection.query(
      """
      SELECT w.hour, min(coalesce(w.oldest, 0))::bigint FROM (\(PostgreSQL.cellWindows)) w
      GROUP BY w.hour ORDER BY w.hour
      """,
      [
        PostgreSQLParameter(windows.lowerBound.index),
        PostgreSQLParameter(windows.upperBound.index),
      ])
    return (0..<rows.count).map {
      SumsWindow(hour: rows.integer($0, 0), oldestUsage: rows.integer($0, 1))
    }
  }

  func candidates(
    behind name: String, of some: [String]?, in windows: [SumsWindow], limit: Int
  ) throws(StoreError) -> [(name: String, mayHaveUsage: Bool)] {
    let rows = try connection.query(
      PostgreSQLSumsSource.candidatesSQL(ofSome: some != nil),
      [
        PostgreSQLParameter(windows.first?.hour ?? 0),
        PostgreSQLParameter((windows.last?.hour ?? -1) + 1), PostgreSQLParameter(name),
        PostgreSQLParameter(Int64(limit)),
      ] + (some.map { [PostgreSQLParameter(texts: $0)] } ?? []))
    return (0..<rows.count).map { (rows.text($0, 0), rows.integer($0, 1) != 0) }
  }

  /// The first `$4` subscriptions behind `$3`, of some those in `$5`, and whether any cell has usage of them in windows
  /// from `$1` up to `$2`.
  static func candidatesSQL(ofSome: Bool) -> String {
    """
    WITH w AS MATERIALIZED (\(PostgreSQL.cellWindows))
    SELECT c.name, EXISTS (
      SELECT 1 FROM subscription n JOIN w ON w.cell = n.cell CROSS JOIN LATERAL (
        SELECT 1 FROM aggregate a WHERE a.reporting_window = w.hour AND a.cell = w.cell
          AND a.subscription = n.id LIMIT 1) x
      WHERE n.name = c.name)
    FROM (SELECT DISTINCT n.name FROM subscription n WHERE n.name > $3::text COLLATE "C"
      \(ofSome ? "AND n.name = ANY ($5::text[])" : "") ORDER BY n.name LIMIT $4::bigint) c
    ORDER BY c.name
    """
  }

  func addUp(
    _ subscription: String, _ windows: ArraySlice<SumsWindow>, _ usageHours: [Range<Int64>]?,
    hoursPerPeriod: Int64,
    _ add: (_ meter: String, _ period: Int64, _ attos: Int128) throws(StoreError) -> Void
  ) throws(StoreError) {
    let bounds = usageHours.map {
      [
        PostgreSQLParameter(bigints: $0.map(\.lowerBound)),
        PostgreSQLParameter(bigints: $0.map(\.upperBound)),
      ]
    }
    let rows = try connection.query(
      PostgreSQLSumsSource.sumsSQL(ofSomeHours: bounds != nil),
      [
        PostgreSQLParameter(windows.first?.hour ?? 0),
        PostgreSQLParameter((windows.last?.hour ?? -1) + 1),
        PostgreSQLParameter(subscription), PostgreSQLParameter(hoursPerPeriod),
        PostgreSQLParameter(bigints: windows.map(\.hour)),
      ] + (bounds ?? []))
    for row in 0..<rows.count {
      try add(rows.text(row, 0), rows.integer(row, 1), try rows.attos(row, 2))
    }
  }

  /// The sums of subscription `$3` in the windows `$5`, which are from `$1` up to `$2`, by meter and periods of `$4`
  /// hours; of some usage hours, those from one of `$6` up to its `$7`. Each series is added up before its meter is
  /// looked up.
  static func sumsSQL(ofSomeHours: Bool) -> String {
    let some = """
      AND EXISTS (SELECT 1 FROM unnest($6::bigint[], $7::bigint[]) h (first, behind)
            WHERE a.usage_hour >= h.first AND a.usage_hour < h.behind)
      """
    return """
      SELECT s.meter, t.period, sum(t.quantity)
      FROM (
        SELECT n.cell, n.id, b.series, floor(b.usage_hour / $4::bigint::numeric)::bigint AS period,
          sum(b.quantity) AS quantity
        FROM subscription n JOIN (\(PostgreSQL.cellWindows)) w
            ON w.cell = n.cell AND w.hour = ANY ($5::bigint[])
          CROSS JOIN LATERAL (
            SELECT a.series, a.usage_hour, a.quantity FROM aggregate a
            WHERE a.reporting_window = w.hour AND a.cell = w.cell AND a.subscription = n.id
              \(ofSomeHours ? some : "")
            OFFSET 0) b
        WHERE n.name = $3::text COLLATE "C"
        GROUP BY n.cell, n.id, b.series, period) t
        JOIN series s ON s.cell = t.cell AND s.subscription = t.id AND s.id = t.series
      GROUP BY s.meter, t.period
      """
  }

  func number(
    of subscription: String, meter: String?
  ) throws(StoreError) -> (cell: Int64, series: Int64) {
    let number =
      if let meter {
        try connection.query(
          """
          SELECT s.cell::bigint, s.subscription, s.id::bigint
          FROM subscription n JOIN series s ON s.cell = n.cell AND s.subscription = n.id
          WHERE n.name = $1::text COLLATE "C" AND s.meter = $2::text COLLATE "C" LIMIT 1
          """, [PostgreSQLParameter(subscription), PostgreSQLParameter(meter)])
      } else {
        try connection.query(
          """
          SELECT n.cell::bigint, n.id, 0::bigint FROM subscription n
          WHERE n.name = $1::text COLLATE "C" ORDER BY n.cell LIMIT 1
          """, [PostgreSQLParameter(subscription)])
      }
    guard number.count > 0 else {
      throw StoreError(
        .system,
        "the usage database is damaged: there is no series of subscription \(subscription) "
          + "and meter \(meter ?? "")")
    }
    return (
      number.integer(0, 0), SeriesNumbers.number(number.integer(0, 1), number.integer(0, 2))
    )
  }

  func names(
    cell: Int64, series: Int64
  ) throws(StoreError) -> (subscription: String, meter: String) {
    let rows = try connection.query(
      """
      SELECT n.name, coalesce(s.meter, '')
      FROM subscription n
        LEFT JOIN series s ON s.cell = n.cell AND s.subscription = n.id AND s.id = $3::bigint
      WHERE n.cell = $1::bigint AND n.id = $2::bigint
      """,
      [
        PostgreSQLParameter(cell),
        PostgreSQLParameter(SeriesNumbers.subscription(ofSeries: series)),
        PostgreSQLParameter(SeriesNumbers.withinSubscription(series)),
      ])
    guard rows.count == 1 else {
      throw StoreError(
        .system, "the usage database is damaged: cell \(cell) has no series \(series)")
    }
    return (rows.text(0, 0), rows.text(0, 1))
  }
}
