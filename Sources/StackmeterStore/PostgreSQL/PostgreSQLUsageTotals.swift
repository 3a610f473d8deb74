internal import StackmeterCore

/// Exact totals of all cells: the rows of each series are added up before the names are looked up.
///
/// Where subscriptions or series are named, each window is looked at only where these lie in it.
struct PostgreSQLUsageTotals {
  private let connection: PostgreSQL
  private let scan: TotalsScan
  private let cell: String
  private let state: CellsState
  private let place: PostgreSQLSeriesPlace
  private var parameters: [PostgreSQLParameter] = []

  init(_ connection: PostgreSQL, _ scan: TotalsScan, cell: String) throws(StoreError) {
    self.connection = connection
    self.scan = scan
    self.cell = cell
    state = try connection.cellsState()
    try scan.rows.check(retainedFrom: state.retainedFrom)
    place = try PostgreSQLSeriesPlace(connection, scan.filter)
  }

  func read(limit: Int) throws(StoreError) -> [UsageTotal] {
    guard !place.isEmpty else { return [] }
    let windows = scan.rows.windows
    let isByUsage = scan.axis == .usage
    var end = windows.upperBound
    if place.isAll, isByUsage {
      // Behind the last closed window that has such usage, only open windows can have it.
      let last = try connection.query(
        """
        SELECT coalesce(max(reporting_window), 0) + 1 FROM closed_window
        WHERE oldest_usage < $1::bigint
        """, [PostgreSQLParameter(scan.hours.upperBound.index)]
      ).integer(0, 0)
      end = min(end, last)
    }
    if place.isAll {
      try connection.query(
        """
        SELECT set_config(name, reset_val, true) FROM pg_settings
        WHERE name = 'max_parallel_workers_per_gather'
        """)
    }
    var sql = TotalsSQL(scan, place)
    let rows = try connection.query(
      sql.text(),
      [
        PostgreSQLParameter(windows.lowerBound), PostgreSQLParameter(end),
        PostgreSQLParameter(isByUsage ? scan.hours.lowerBound.index : .min),
        PostgreSQLParameter(isByUsage ? scan.hours.upperBound.index : .max),
        PostgreSQLParameter(state.openWindow), PostgreSQLParameter(Int64(limit)),
        PostgreSQLParameter(cell), PostgreSQLParameter(windows.upperBound),
      ] + place.parameters + sql.parameters)
    let names = scan.names.count
    var totals: [UsageTotal] = []
    for row in 0..<rows.count {
      totals.append(
        UsageTotal(
          by: scan.groupings,
          period: scan.granularity.map {
            Hour(index: $0.firstHour(ofPeriod: rows.integer(row, 0)))
          },
          groups: (0..<names).map {
            rows.isNull(row, 4 + $0) ? nil : rows.text(row, 4 + $0)
          },
          meter: rows.text(row, 1), quantity: try rows.quantity(row, 2),
          isProvisional: rows.integer(row, 3) != 0))
    }
    return totals
  }
}

/// The statement of totals. `$1` to `$2` are the windows, `$3` to `$4` the usage hours, `$5` the open window, `$6` how
/// many totals, `$7` the own cell, `$8` what open windows lie before; then come the ranges of series, and the rest.
private struct TotalsSQL {
  private let scan: TotalsScan
  private let place: PostgreSQLSeriesPlace
  private(set) var parameters: [PostgreSQLParameter]
  private var next: Int
  private let match: SeriesMatch

  init(_ scan: TotalsScan, _ place: PostgreSQLSeriesPlace) {
    self.scan = scan
    self.place = place
    next = 9 + place.parameters.count
    match = SeriesMatch(scan.filter, firstParameter: next)
    parameters = match.parameters
    next += parameters.count
  }

  mutating func text() -> String {
    let hour = scan.axis == .usage ? "a.usage_hour" : "a.reporting_window"
    let period = scan.granularity.map { PostgreSQL.period($0, ofHour: hour) } ?? "0::bigint"
    let names = scan.names.map { name($0) + " COLLATE \"C\"" }
    let columns = (["t.period", "s.meter"] + names)
    let order = ["1"] + names.indices.map { "\(5 + $0) NULLS FIRST" } + ["2"]
    let directory =
      scan.names.contains(where: \.isOfDirectory)
      ? """
      LEFT JOIN LATERAL (
          SELECT e.* FROM cell c JOIN directory e ON e.cell = c.number AND e.name = n.name
          ORDER BY c.name = $7::text DESC, e.cell LIMIT 1) d ON true
      """ : ""
    return """
      SELECT t.period, s.meter, sum(t.quantity), bool_or(t.last_window >= $5::bigint)
        \(names.map { ", \($0)" }.joined())
      FROM (
        SELECT a.cell, a.subscription, a.series, \(period) AS period, sum(a.quantity) AS quantity,
          max(a.reporting_window) AS last_window
        FROM \(rows)
        WHERE a.usage_hour >= $3::bigint AND a.usage_hour < $4::bigint
        GROUP BY a.cell, a.subscription, a.series, 4) t
        JOIN series s ON s.cell = t.cell AND s.subscription = t.subscription AND s.id = t.series
        JOIN subscription n ON n.cell = t.cell AND n.id = t.subscription
        \(directory)
      WHERE \(match.sql) AND $7::text IS NOT NULL AND $8::bigint IS NOT NULL
      GROUP BY \(columns.joined(separator: ", "))
      ORDER BY \(order.joined(separator: ", ")) LIMIT $6::bigint
      """
  }

  private var rows: String {
    guard place.isAll else {
      return """
        (SELECT * FROM (\(PostgreSQL.cellWindows)) v
            WHERE v.oldest IS NULL OR v.oldest < $4::bigint) w
            \(place.join(9))
            CROSS JOIN LATERAL (
              SELECT * FROM aggregate b WHERE b.reporting_window = w.hour AND b.cell = w.cell
                \(place.condition(of: "b")) OFFSET 0) a
        """
    }
    return """
      (SELECT b.* FROM aggregate b
          JOIN pipeline p ON p.cell = b.cell AND p.retained_from <= b.reporting_window
          WHERE b.reporting_window >= $1::bigint AND b.reporting_window < $2::bigint
          UNION ALL
          SELECT b.* FROM pipeline p
          CROSS JOIN LATERAL (
            SELECT * FROM aggregate o
            WHERE o.cell = p.cell AND o.reporting_window = p.open_window OFFSET 0) b
          WHERE p.open_window >= $2::bigint AND p.open_window >= $1::bigint
            AND p.open_window < $8::bigint) a
      """
  }

  private mutating func name(_ grouping: Grouping) -> String {
    switch grouping {
    case .subscription: return "n.name"
    case .resource: return "nullif(s.resource_uri, '')"
    case .resourceGroup: return SeriesMatch.resourceGroup
    case .location: return "nullif(s.location, '')"
    case .tag(let name): return "nullif(\(SeriesMatch.tags) ->> \(parameter(name)), '')"
    case .owner: return "nullif(d.owner, '')"
    case .costCenter: return "nullif(d.cost_center, '')"
    case .subscriptionTag(let name):
      return "nullif(nullif(d.tags, '')::jsonb ->> \(parameter(name)), '')"
    case .hour, .day, .month: preconditionFailure("times are no names")
    }
  }

  private mutating func parameter(_ text: String) -> String {
    parameters.append(PostgreSQLParameter(text))
    next += 1
    return "$\(next - 1)::text"
  }
}
