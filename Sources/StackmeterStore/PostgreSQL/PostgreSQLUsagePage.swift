internal import StackmeterCore

/// One page of aggregates of all cells, in the order of window, cell, series and usage period.
///
/// A period's windows (one, or the 24 of a day) are read a number of series at a time, so that a page reads little
/// more than what it answers: of a tenant, only where its series lie in each window.
struct PostgreSQLUsagePage {
  private let connection: PostgreSQL
  private let granularity: Granularity
  private let meters: Set<ExactText>?
  private let limit: Int
  private let state: CellsState
  /// The subscriptions that the question is about; nil for all.
  private let subscriptions: (cells: [Int64], ids: [Int64])?

  private var aggregates: [UsageAggregate] = []
  private var last: UsageCursor?
  private var pageBytes = 0

  init(
    _ connection: PostgreSQL, granularity: Granularity, filter: UsageFilter, limit: Int
  ) throws(StoreError) {
    self.connection = connection
    self.granularity = granularity
    meters = filter.meters.map { Set($0.map { ExactText($0) }) }
    self.limit = limit
    state = try connection.cellsState()
    guard let names = filter.subscriptions else {
      subscriptions = nil
      return
    }
    let rows = try connection.query(
      "SELECT cell, id FROM subscription WHERE name = ANY ($1::text[])",
      [PostgreSQLParameter(texts: names)])
    subscriptions = (
      (0..<rows.count).map { rows.integer($0, 0) }, (0..<rows.count).map { rows.integer($0, 1) }
    )
  }

  mutating func read(
    windows: Range<Hour>, after cursor: UsageCursor?
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    if subscriptions?.ids.isEmpty == true { return ([], nil) }
    // What lies before the cursor's period need not be looked at.
    var from = max(windows.lowerBound.index, (cursor?.window ?? 0) * granularity.hours)
    while true {
      let next = try connection.query(
        """
        SELECT min(reporting_window) FROM aggregate
        WHERE reporting_window >= $1::bigint AND reporting_window < $2::bigint
        """, [PostgreSQLParameter(from), PostgreSQLParameter(windows.upperBound.index)])
      guard !next.isNull(0, 0) else { return (aggregates, nil) }
      let period = next.integer(0, 0) / granularity.hours
      let end = min((period + 1) * granularity.hours, windows.upperBound.index)
      let after = cursor.flatMap { $0.window == period ? $0 : nil }
      guard try readPeriod(period, max(from, period * granularity.hours)..<end, after) else {
        return (aggregates, last)
      }
      from = end
    }
  }

  /// A series of a cell.
  private struct Key {
    var cell: Int64
    var series: Int64
  }

  /// False where the page is full and more follows.
  private mutating func readPeriod(
    _ period: Int64, _ windows: Range<Int64>, _ after: UsageCursor?
  ) throws(StoreError) -> Bool {
    // Series from here on; the cursor's own may have more usage periods.
    var from = after.map { Key(cell: $0.cell, series: $0.series) } ?? Key(cell: 0, series: 0)
    while true {
      let rows = try rows(windows, from)
      var seriesCount = 0
      var key: Key?
      for row in 0..<rows.count {
        let found = Key(
          cell: rows.integer(row, 0),
          series: SeriesNumbers.number(rows.integer(row, 1), rows.integer(row, 2)))
        if key.map({ $0.cell != found.cell || $0.series != found.series }) ?? true {
          seriesCount += 1
        }
        key = found
        let usage = rows.integer(row, 3)
        if let after, after.cell == found.cell, after.series == found.series, usage <= after.usage {
          continue
        }
        let cursor = UsageCursor(
          window: period, cell: found.cell, series: found.series, usage: usage)
        guard try append(cursor, rows, row) else { return false }
      }
      guard seriesCount > limit, let key else { return true }
      from = Key(cell: key.cell, series: key.series + 1)
    }
  }

  /// False where the page is full.
  private mutating func append(
    _ cursor: UsageCursor, _ rows: PostgreSQLRows, _ row: Int
  ) throws(StoreError) -> Bool {
    guard !rows.isNull(row, 5), !rows.isNull(row, 6) else {
      throw StoreError(
        .system,
        "the usage database is damaged: cell \(cursor.cell) has no series \(cursor.series)")
    }
    let series = rows.series(row, 5)
    if let meters, !meters.contains(ExactText(series.meter.asciiLowercased)) { return true }
    if aggregates.count == limit || pageBytes > UsagePage.bytesMax { return false }
    pageBytes += (5...10).reduce(0) { $0 + rows.bytes(row, $1).count }
    let usageStart = Hour(index: cursor.usage * granularity.hours)
    aggregates.append(
      UsageAggregate(
        series: series, usageStart: usageStart.start,
        usageEnd: Hour(index: usageStart.index + granularity.hours).start,
        quantity: try rows.quantity(row, 4),
        window: Hour(index: cursor.window * granularity.hours),
        isProvisional: (cursor.window + 1) * granularity.hours > state.openWindow))
    last = cursor
    return true
  }

  /// The sums of some windows by usage period, of the first series from a key on: one more than a page has.
  private func rows(_ windows: Range<Int64>, _ from: Key) throws(StoreError) -> PostgreSQLRows {
    var parameters = [
      PostgreSQLParameter(windows.lowerBound), PostgreSQLParameter(windows.upperBound),
      PostgreSQLParameter(from.cell),
      PostgreSQLParameter(SeriesNumbers.subscription(ofSeries: from.series)),
      PostgreSQLParameter(SeriesNumbers.withinSubscription(from.series)),
      PostgreSQLParameter(Int64(limit) + 1), PostgreSQLParameter(granularity.hours),
    ]
    if let subscriptions {
      parameters.append(PostgreSQLParameter(bigints: subscriptions.cells))
      parameters.append(PostgreSQLParameter(bigints: subscriptions.ids))
    }
    let asked =
      subscriptions == nil
      ? "" : "CROSS JOIN unnest($8::bigint[], $9::bigint[]) q (cell, subscription)"
    let isAsked =
      subscriptions == nil ? "" : "AND b.cell = q.cell AND b.subscription = q.subscription"
    return try connection.query(
      """
      WITH k AS MATERIALIZED (
        SELECT DISTINCT f.cell, f.subscription, f.series
        FROM generate_series($1::bigint, $2::bigint - 1) w (hour) \(asked)
        CROSS JOIN LATERAL (
          SELECT DISTINCT b.cell, b.subscription, b.series
          FROM aggregate b JOIN pipeline p ON p.cell = b.cell AND p.retained_from <= w.hour
          WHERE b.reporting_window = w.hour \(isAsked)
            AND (b.cell, b.subscription, b.series) >= ($3::bigint, $4::bigint, $5::bigint)
          ORDER BY b.cell, b.subscription, b.series LIMIT $6::bigint) f
        ORDER BY f.cell, f.subscription, f.series LIMIT $6::bigint)
      SELECT d.cell, d.subscription, d.series, d.usage, d.quantity, n.name, s.meter,
        s.resource_uri, s.location, s.tags, s.additional_info
      FROM (
        SELECT k.cell, k.subscription, k.series,
          floor(a.usage_hour / $7::bigint::numeric)::bigint AS usage, sum(a.quantity) AS quantity
        FROM k JOIN pipeline p ON p.cell = k.cell
          CROSS JOIN generate_series($1::bigint, $2::bigint - 1) w (hour)
          JOIN aggregate a ON a.reporting_window = w.hour AND a.cell = k.cell
            AND a.subscription = k.subscription AND a.series = k.series
        WHERE p.retained_from <= w.hour
        GROUP BY 1, 2, 3, 4) d
      LEFT JOIN series s ON s.cell = d.cell AND s.subscription = d.subscription AND s.id = d.series
      LEFT JOIN subscription n ON n.cell = d.cell AND n.id = d.subscription
      ORDER BY d.cell, d.subscription, d.series, d.usage
      """, parameters)
  }
}
