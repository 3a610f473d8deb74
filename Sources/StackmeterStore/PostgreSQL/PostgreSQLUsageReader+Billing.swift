package import StackmeterCore

extension PostgreSQLUsageReader: BillingReader {
  package func rateCards(named name: String?) throws(StoreError) -> [StoredRateCard] {
    let rows = try connection.query(
      """
      SELECT name, version, effective, currency, sha256, length(content) FROM rate_card
      WHERE NOT $1::bigint = 1 OR name = $2::text ORDER BY name, version
      """, [PostgreSQLParameter(Int64(name == nil ? 0 : 1)), PostgreSQLParameter(name ?? "")])
    return (0..<rows.count).map { row in
      StoredRateCard(
        name: rows.text(row, 0), version: rows.integer(row, 1),
        effective: Day(index: rows.integer(row, 2)), currency: rows.text(row, 3),
        hash: rows.bytes(row, 4), byteCount: rows.integer(row, 5))
    }
  }

  package func rateCardText(_ name: String, _ version: Int64) throws(StoreError) -> [UInt8]? {
    let rows = try connection.query(
      "SELECT content FROM rate_card WHERE name = $1::text AND version = $2::bigint",
      [PostgreSQLParameter(name), PostgreSQLParameter(version)])
    return rows.count == 1 ? rows.bytes(0, 0) : nil
  }

  private static let columns = """
    year, sequence, number, subscription, period, period_end, from_window, to_window, card,
    currency, total, sha256
    """

  private func statement(_ rows: PostgreSQLRows, _ row: Int) -> StoredStatement {
    StoredStatement(
      year: rows.integer(row, 0), sequence: rows.integer(row, 1), number: rows.text(row, 2),
      subscription: rows.text(row, 3),
      period: Day(index: rows.integer(row, 4))..<Day(index: rows.integer(row, 5)),
      windows: Hour(index: rows.integer(row, 6))..<Hour(index: rows.integer(row, 7)),
      card: rows.text(row, 8), currency: rows.text(row, 9), total: rows.text(row, 10),
      hash: rows.bytes(row, 11))
  }

  package func statements(
    _ filter: StatementFilter, after place: StatementPlace?, limit: Int
  ) throws(StoreError) -> [StoredStatement] {
    var conditions = ["(year, sequence) > ($1::bigint, $2::bigint)"]
    var parameters = [
      PostgreSQLParameter(place?.year ?? .min + 1),
      PostgreSQLParameter(place?.sequence ?? .min + 1), PostgreSQLParameter(Int64(limit)),
    ]
    if let subscriptions = filter.subscriptions {
      parameters.append(PostgreSQLParameter(texts: subscriptions))
      conditions.append("subscription = ANY ($\(parameters.count)::text[])")
    }
    if let period = filter.period {
      parameters.append(PostgreSQLParameter(period.index))
      conditions.append("period = $\(parameters.count)::bigint")
    }
    let rows = try connection.query(
      """
      SELECT \(PostgreSQLUsageReader.columns) FROM statement
      WHERE \(conditions.joined(separator: " AND ")) ORDER BY year, sequence LIMIT $3::bigint
      """, parameters)
    return (0..<rows.count).map { statement(rows, $0) }
  }

  package func statement(
    _ place: StatementPlace
  ) throws(StoreError) -> (statement: StoredStatement, document: [UInt8])? {
    let rows = try connection.query(
      """
      SELECT \(PostgreSQLUsageReader.columns), document FROM statement
      WHERE year = $1::bigint AND sequence = $2::bigint
      """, [PostgreSQLParameter(place.year), PostgreSQLParameter(place.sequence)])
    return rows.count == 1 ? (statement(rows, 0), rows.bytes(0, 12)) : nil
  }

  package func lastStatement(
    of subscription: String, before period: Day
  ) throws(StoreError) -> StoredStatement? {
    let rows = try connection.query(
      """
      SELECT \(PostgreSQLUsageReader.columns) FROM statement
      WHERE subscription = $1::text AND period < $2::bigint ORDER BY period DESC LIMIT 1
      """, [PostgreSQLParameter(subscription), PostgreSQLParameter(period.index)])
    return rows.count == 1 ? statement(rows, 0) : nil
  }

  package func closedUntil(card: String) throws(StoreError) -> Day? {
    let rows = try connection.query(
      "SELECT max(period_end)::bigint FROM statement WHERE card = $1::text",
      [PostgreSQLParameter(card)])
    return rows.isNull(0, 0) ? nil : Day(index: rows.integer(0, 0))
  }

  package func ratedStates(
    of subscription: String, before period: Day
  ) throws(StoreError) -> [RatedState] {
    try ratedStates(
      """
      SELECT DISTINCT ON (period, meter) period, meter, state FROM rated_state
      WHERE subscription = $1::text AND statement_period < $2::bigint
      ORDER BY period, meter, statement_period DESC
      """, subscription, period)
  }

  package func ratedStates(
    of subscription: String, ofStatementOf period: Day
  ) throws(StoreError) -> [RatedState] {
    try ratedStates(
      """
      SELECT period, meter, state FROM rated_state
      WHERE subscription = $1::text AND statement_period = $2::bigint ORDER BY period, meter
      """, subscription, period)
  }

  private func ratedStates(
    _ sql: String, _ subscription: String, _ period: Day
  ) throws(StoreError) -> [RatedState] {
    let rows = try connection.query(
      sql, [PostgreSQLParameter(subscription), PostgreSQLParameter(period.index)])
    return (0..<rows.count).map { row in
      RatedState(
        period: Day(index: rows.integer(row, 0)), meter: rows.text(row, 1),
        state: rows.text(row, 2))
    }
  }

  package func postings(
    of subscription: String?, usedBefore period: Day?
  ) throws(StoreError) -> [(posting: Posting, used: [PostingUse])] {
    let rows = try connection.query(
      """
      SELECT p.id, p.kind, p.subscription, p.amount, p.currency, p.reason, p.granted, p.expires,
        u.amount
      FROM posting p LEFT JOIN (
        SELECT u.posting, u.amount, u.year, u.sequence FROM posting_use u
        JOIN statement s ON s.year = u.year AND s.sequence = u.sequence
        WHERE s.period < $3::bigint) u ON u.posting = p.id
      WHERE NOT $1::bigint = 1 OR p.subscription = $2::text ORDER BY p.id, u.year, u.sequence
      """,
      [
        PostgreSQLParameter(Int64(subscription == nil ? 0 : 1)),
        PostgreSQLParameter(subscription ?? ""), PostgreSQLParameter(period?.index ?? .max),
      ])
    var found: [(posting: Posting, used: [PostingUse])] = []
    for row in 0..<rows.count {
      let id = rows.integer(row, 0)
      if found.last?.posting.id != id {
        found.append(
          (
            Posting(
              id: id, kind: Posting.Kind(rawValue: rows.text(row, 1)) ?? .adjustment,
              subscription: rows.text(row, 2), amount: rows.text(row, 3),
              currency: rows.text(row, 4), reason: rows.text(row, 5),
              granted: Day(index: rows.integer(row, 6)),
              expires: rows.isNull(row, 7) ? nil : Day(index: rows.integer(row, 7))), []
          ))
      }
      if !rows.isNull(row, 8) {
        found[found.count - 1].used.append(PostingUse(posting: id, amount: rows.text(row, 8)))
      }
    }
    return found
  }

  package func uses(_ place: StatementPlace) throws(StoreError) -> [PostingUse] {
    let rows = try connection.query(
      """
      SELECT posting, amount FROM posting_use WHERE year = $1::bigint AND sequence = $2::bigint
      ORDER BY posting
      """, [PostgreSQLParameter(place.year), PostgreSQLParameter(place.sequence)])
    return (0..<rows.count).map {
      PostingUse(posting: rows.integer($0, 0), amount: rows.text($0, 1))
    }
  }

  package func locatedUsage(
    of subscriptions: [String], windows: Range<Hour>, hours: Range<Hour>
  ) throws(StoreError) -> [[LocatedUsage]] {
    let state = try connection.cellsState()
    let last = try connection.query("SELECT coalesce(max(open_window), 0)::bigint FROM pipeline")
    let asked = try LocatedSums.windows(
      windows, hours, retainedFrom: Hour(index: state.retainedFrom),
      openWindow: Hour(index: last.integer(0, 0)))
    let rows = try connection.query(
      PostgreSQLUsageReader.locatedUsageSQL,
      [
        PostgreSQLParameter(asked.lowerBound.index), PostgreSQLParameter(asked.upperBound.index),
        PostgreSQLParameter(texts: subscriptions), PostgreSQLParameter(hours.lowerBound.index),
        PostgreSQLParameter(hours.upperBound.index),
      ])
    var found = Array(repeating: LocatedSums(), count: subscriptions.count)
    for row in 0..<rows.count {
      // Numbers of a list count from 1.
      let index = Int(rows.integer(row, 4)) - 1
      let place = found[index].place(meter: rows.text(row, 0), location: rows.text(row, 1))
      try found[index].add(try rows.quantity(row, 3), place, Day(index: rows.integer(row, 2)))
    }
    return try found.map { (sums) throws(StoreError) in try sums.sorted() }
  }

  /// The usage of the subscriptions `$3` of the hours from `$4` up to `$5` in the windows from `$1` up to `$2`, by
  /// meter, location and day, and by the number of the subscription in the list. Each window of each cell is looked
  /// at only where a subscription lies in it.
  static let locatedUsageSQL = """
    SELECT s.meter, s.location, d.day, sum(d.quantity), d.number FROM (
      SELECT b.cell, b.subscription, b.series, floor(b.usage_hour / 24.0)::bigint AS day,
        o.number, sum(b.quantity) AS quantity
      FROM unnest($3::text[]) WITH ORDINALITY AS o (name, number)
      JOIN subscription n ON n.name = o.name JOIN (\(PostgreSQL.cellWindows)) w ON w.cell = n.cell
      CROSS JOIN LATERAL (
        SELECT a.cell, a.subscription, a.series, a.usage_hour, a.quantity FROM aggregate a
        WHERE a.reporting_window = w.hour AND a.cell = w.cell AND a.subscription = n.id
          AND a.usage_hour >= $4::bigint AND a.usage_hour < $5::bigint OFFSET 0) b
      GROUP BY 1, 2, 3, 4, 5) d
    JOIN series s ON s.cell = d.cell AND s.subscription = d.subscription AND s.id = d.series
    GROUP BY 1, 2, 3, 5
    """
}
