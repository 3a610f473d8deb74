internal import StackmeterCore

/// The statements of a page. Both read each window of each cell on its own, as a range of the primary key that begins
/// where the page does, and stop there after a page's rows.
extension PostgreSQLUsagePage {
  private static let names = """
    n.name, s.meter, s.resource_uri, s.location, s.tags, s.additional_info
    """

  private static let joinedNames = """
    LEFT JOIN series s ON s.cell = d.cell AND s.subscription = d.subscription AND s.id = d.series
    LEFT JOIN subscription n ON n.cell = d.cell AND n.id = d.subscription
    """

  /// The first `$6` aggregates of the windows from `$1` up to `$2`, behind cell `$3`, subscription `$4`, series `$5`
  /// and usage hour `$7` of the first one; of some subscriptions, those in `$9` of the cells in `$8`, and at times from
  /// `$10` up to `$11` of each.
  static func hourlySQL(ofSome: Bool, atTimes: Bool = false) -> String {
    """
    SELECT d.hour, d.cell, d.subscription, d.series, d.usage_hour, d.quantity, \(names)
    FROM (
      SELECT w.hour, w.cell, b.subscription, b.series, b.usage_hour, b.quantity
      FROM (SELECT w.hour, w.cell FROM (\(PostgreSQL.cellWindows)) w
          WHERE (w.hour, w.cell) >= ($1::bigint, $3::bigint) ORDER BY w.hour, w.cell) w
        \(ofSome ? asked("$8", "$9", atTimes ? ["$10", "$11"] : []) : "")
        CROSS JOIN LATERAL (
          SELECT a.subscription, a.series, a.usage_hour, a.quantity FROM aggregate a
          WHERE a.reporting_window = w.hour AND a.cell = w.cell
            \(ofSome ? "AND a.subscription = q.subscription" : "")
            \(atTimes ? inTime : "")
            AND (a.subscription, a.series, a.usage_hour) > (
              CASE WHEN w.hour = $1::bigint AND w.cell = $3::bigint THEN $4::bigint ELSE -1 END,
              $5::bigint, $7::bigint)
          ORDER BY a.subscription, a.series, a.usage_hour LIMIT $6::bigint) b
      ORDER BY w.hour, w.cell, b.subscription, b.series, b.usage_hour LIMIT $6::bigint) d
    \(joinedNames)
    ORDER BY d.hour, d.cell, d.subscription, d.series, d.usage_hour
    """
  }

  /// The sums by usage day of the first `$6` series, from series `$5` of subscription `$4` of cell `$3` on, over the
  /// windows of one day from `$1` up to `$2`; of some subscriptions, those in `$8` of the cells in `$7`, and at times
  /// from `$9` up to `$10` of each.
  static func dailySQL(ofSome: Bool, atTimes: Bool = false) -> String {
    let join = ofSome ? asked("$7", "$8", atTimes ? ["$9", "$10"] : []) : ""
    let some =
      (ofSome ? "AND a.subscription = q.subscription" : "") + (atTimes ? " \(inTime)" : "")
    let first = """
      (CASE WHEN w.cell = $3::bigint THEN $4::bigint ELSE 0 END,
            CASE WHEN w.cell = $3::bigint THEN $5::bigint ELSE 0 END)
      """
    let behind = "CASE WHEN w.cell = l.cell THEN l.subscription ELSE \(Int64.max) END"
    return """
      WITH w AS MATERIALIZED (
        SELECT v.hour, v.cell FROM (\(PostgreSQL.cellWindows)) v WHERE v.cell >= $3::bigint),
      k AS MATERIALIZED (
        SELECT DISTINCT w.cell, f.subscription, f.series
        FROM w \(join) CROSS JOIN LATERAL (
          SELECT DISTINCT a.subscription, a.series FROM aggregate a
          WHERE a.reporting_window = w.hour AND a.cell = w.cell \(some)
            AND (a.subscription, a.series) >= \(first)
          ORDER BY a.subscription, a.series LIMIT $6::bigint) f
        ORDER BY w.cell, f.subscription, f.series LIMIT $6::bigint),
      l AS MATERIALIZED (
        SELECT k.cell, k.subscription, k.series FROM k
        ORDER BY k.cell DESC, k.subscription DESC, k.series DESC LIMIT 1)
      SELECT $1::bigint / 24, d.cell, d.subscription, d.series, d.usage_day, d.quantity, \(names)
      FROM (
        SELECT w.cell, b.subscription, b.series,
          floor(b.usage_hour / 24.0)::bigint AS usage_day, sum(b.quantity) AS quantity
        FROM l JOIN w ON w.cell <= l.cell \(join) CROSS JOIN LATERAL (
          SELECT a.subscription, a.series, a.usage_hour, a.quantity FROM aggregate a
          WHERE a.reporting_window = w.hour AND a.cell = w.cell \(some)
            AND (a.subscription, a.series) >= \(first)
            AND (a.subscription, a.series) <= (\(behind), l.series)
          OFFSET 0) b
        GROUP BY w.cell, b.subscription, b.series, usage_day) d
      \(joinedNames)
      ORDER BY d.cell, d.subscription, d.series, d.usage_day
      """
  }

  /// Joins a list of subscriptions to the windows of their cells.
  private static func asked(_ cells: String, _ ids: String, _ times: [String]) -> String {
    let lists = ([cells, ids] + times).map { "\($0)::bigint[]" }.joined(separator: ", ")
    let names = times.isEmpty ? "cell, subscription" : "cell, subscription, first, last"
    return "JOIN unnest(\(lists)) q (\(names)) ON q.cell = w.cell"
  }

  private static let inTime = "AND a.usage_hour >= q.first AND a.usage_hour < q.last"
}

extension PostgreSQL {
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
