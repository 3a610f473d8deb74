internal import StackmeterCore

/// The statements of a page. Each looks at a window of a cell on its own, as a range of the primary key that begins
/// where the page does, and stops there after a page's rows.
extension PostgreSQLUsagePage {
  private static let names = """
    n.name, s.meter, s.resource_uri, s.location, s.tags, s.additional_info
    """

  private static let joinedNames = """
    LEFT JOIN series s ON s.cell = d.cell AND s.subscription = d.subscription AND s.id = d.series
    LEFT JOIN subscription n ON n.cell = d.cell AND n.id = d.subscription
    """

  /// The first `$6` aggregates of the windows from `$1` up to `$2`, behind cell `$3`, subscription `$4`, series `$5`
  /// and usage hour `$7` of the first one; of some series, those of the ranges in `$8` and after.
  static func hourlySQL(_ place: PostgreSQLSeriesPlace) -> String {
    """
    SELECT d.hour, d.cell, d.subscription, d.series, d.usage_hour, d.quantity, d.hour, \(names)
    FROM (
      SELECT w.hour, w.cell, b.subscription, b.series, b.usage_hour, b.quantity
      FROM (SELECT w.hour, w.cell FROM (\(PostgreSQL.cellWindows)) w
          WHERE (w.hour, w.cell) >= ($1::bigint, $3::bigint) ORDER BY w.hour, w.cell) w
        \(place.join(8))
        CROSS JOIN LATERAL (
          SELECT a.subscription, a.series, a.usage_hour, a.quantity FROM aggregate a
          WHERE a.reporting_window = w.hour AND a.cell = w.cell
            \(place.condition())
            AND (a.subscription, a.series, a.usage_hour) > (
              CASE WHEN w.hour = $1::bigint AND w.cell = $3::bigint THEN $4::bigint ELSE -1 END,
              $5::bigint, $7::bigint)
          ORDER BY a.subscription, a.series, a.usage_hour LIMIT $6::bigint) b
      ORDER BY w.hour, w.cell, b.subscription, b.series, b.usage_hour LIMIT $6::bigint) d
    \(joinedNames)
    ORDER BY d.hour, d.cell, d.subscription, d.series, d.usage_hour
    """
  }

  private static let windows = """
    w AS MATERIALIZED (
      SELECT v.hour, v.cell FROM unnest($1::bigint[], $2::bigint[]) v (hour, cell)
      WHERE v.cell >= $3::bigint)
    """

  private static let first = """
    (CASE WHEN w.cell = $3::bigint THEN $4::bigint ELSE 0 END,
          CASE WHEN w.cell = $3::bigint THEN $5::bigint ELSE 0 END)
    """

  /// The last of the first `$6` series, from series `$5` of subscription `$4` of cell `$3` on, in the windows `$1` of
  /// the cells `$2`; and how many these are. Of some series, those of the ranges in `$7` and after.
  static func lastSeriesSQL(_ place: PostgreSQLSeriesPlace) -> String {
    """
    WITH \(windows),
    k AS (
      SELECT DISTINCT w.cell, f.subscription, f.series
      FROM w \(place.join(7)) CROSS JOIN LATERAL (
        SELECT DISTINCT a.subscription, a.series FROM aggregate a
        WHERE a.reporting_window = w.hour AND a.cell = w.cell \(place.condition())
          AND (a.subscription, a.series) >= \(first)
        ORDER BY a.subscription, a.series LIMIT $6::bigint) f
      ORDER BY w.cell, f.subscription, f.series LIMIT $6::bigint)
    SELECT k.cell, k.subscription, k.series, count(*) OVER () FROM k
    ORDER BY k.cell DESC, k.subscription DESC, k.series DESC LIMIT 1
    """
  }

  /// The sums by usage period of the series from `$5` of subscription `$4` of cell `$3` on up to series `$8` of
  /// subscription `$7` of cell `$6`, over the windows `$1` of the cells `$2` and the usage hours from `$9` up to `$10`.
  /// Of some series, those of the ranges in `$11` and after.
  static func sumsSQL(_ place: PostgreSQLSeriesPlace, _ granularity: Granularity) -> String {
    let behind = "CASE WHEN w.cell = $6::bigint THEN $7::bigint ELSE \(Int64.max) END"
    return """
      WITH \(windows)
      SELECT 0::bigint, d.cell, d.subscription, d.series, d.usage, d.quantity, d.last, \(names)
      FROM (
        SELECT w.cell, b.subscription, b.series,
          \(PostgreSQL.period(granularity, ofHour: "b.usage_hour")) AS usage,
          sum(b.quantity) AS quantity, max(w.hour) AS last
        FROM w \(place.join(11)) CROSS JOIN LATERAL (
          SELECT a.subscription, a.series, a.usage_hour, a.quantity FROM aggregate a
          WHERE a.reporting_window = w.hour AND a.cell = w.cell \(place.condition())
            AND (a.subscription, a.series) >= \(first)
            AND (a.subscription, a.series) <= (\(behind), $8::bigint)
            AND a.usage_hour >= $9::bigint AND a.usage_hour < $10::bigint
          OFFSET 0) b
        WHERE w.cell <= $6::bigint
        GROUP BY w.cell, b.subscription, b.series, usage) d
      \(joinedNames)
      ORDER BY d.cell, d.subscription, d.series, d.usage
      """
  }
}

extension PostgreSQL {
  /// The number of the period that an hour lies in.
  static func period(_ granularity: Granularity, ofHour hour: String) -> String {
    let time = "to_timestamp(\(hour) * 3600.0) AT TIME ZONE 'UTC'"
    return switch granularity {
    case .hourly: "\(hour)::bigint"
    case .daily: "floor(\(hour) / 24.0)::bigint"
    case .monthly:
      "((extract(year FROM \(time)) - 1970) * 12 + extract(month FROM \(time)) - 1)::bigint"
    }
  }

  /// The windows from `$1` up to `$2` that have aggregates or are open, with their cells: where the cell still keeps
  /// them. Whatever has aggregates is closed and hashed, or open. `oldest` is the earliest usage hour of a closed one.
  static let cellWindows = """
    SELECT c.reporting_window::bigint AS hour, p.cell::bigint AS cell, c.oldest_usage AS oldest
    FROM pipeline p JOIN closed_window c ON c.cell = p.cell
      AND c.reporting_window >= p.retained_from AND c.reporting_window >= $1::bigint
      AND c.reporting_window < $2::bigint
    UNION ALL
    SELECT p.open_window::bigint, p.cell::bigint, NULL FROM pipeline p
    WHERE p.open_window >= $1::bigint AND p.open_window < $2::bigint
    """

  /// The names of all cells by their numbers.
  func cellNames() throws(StoreError) -> [Int64: String] {
    let rows = try query("SELECT number, name FROM cell")
    var names: [Int64: String] = [:]
    for row in 0..<rows.count { names[rows.integer(row, 0)] = rows.text(row, 1) }
    return names
  }
}
