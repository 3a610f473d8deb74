package import StackmeterCore

/// Declared sources, and what closed windows missed of them.
extension PostgreSQLUsageStore {
  package func sources() throws(StoreError) -> [ReportingSource] {
    let session = try connected()
    return try session.connection.declaredSources(of: session.number)
  }

  package func put(sources: [ReportingSource], removing names: [String]) throws(StoreError) {
    let session = try current()
    for source in sources {
      try session.connection.query(
        """
        INSERT INTO source VALUES ($1::bigint, $2::text, $3::bigint, $4::bigint, $5::bigint,
          $6::bigint)
        ON CONFLICT (cell, name) DO UPDATE SET cadence_seconds = excluded.cadence_seconds,
          complete_until = excluded.complete_until, heard_time = excluded.heard_time,
          position = excluded.position
        """,
        [
          PostgreSQLParameter(session.number), PostgreSQLParameter(source.name),
          PostgreSQLParameter(Int64(source.cadenceSeconds)),
          PostgreSQLParameter(source.completeUntil.nanoseconds),
          PostgreSQLParameter(source.heardTime.nanoseconds), PostgreSQLParameter(source.position),
        ])
    }
    guard !names.isEmpty else { return }
    try session.connection.query(
      "DELETE FROM source WHERE cell = $1::bigint AND name = ANY ($2::text[])",
      [PostgreSQLParameter(session.number), PostgreSQLParameter(texts: names)])
  }

  package func put(missing: MissingSources, of window: Hour) throws(StoreError) {
    let session = try current()
    var names = JSONWriter()
    names.array { writer in for name in missing.names { writer.string(name) } }
    try session.connection.query(
      "INSERT INTO window_missing VALUES ($1::bigint, $2::bigint, $3::text, $4::bigint)",
      [
        PostgreSQLParameter(session.number), PostgreSQLParameter(window.index),
        PostgreSQLParameter(String(decoding: names.bytes, as: UTF8.self)),
        PostgreSQLParameter(missing.others),
      ])
  }

  package func replaceDirectory(_ directory: SubscriptionDirectory) throws(StoreError) {
    let subscriptions = directory.subscriptions
    try alone { (session) throws(StoreError) in
      let cell = PostgreSQLParameter(session.number)
      try session.connection.query("DELETE FROM directory WHERE cell = $1::bigint", [cell])
      try session.connection.query(
        """
        INSERT INTO directory SELECT $1::bigint, * FROM unnest(
          $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        """,
        [
          cell, PostgreSQLParameter(texts: subscriptions.map(\.id)),
          PostgreSQLParameter(texts: subscriptions.map(\.displayName)),
          PostgreSQLParameter(texts: subscriptions.map(\.owner)),
          PostgreSQLParameter(texts: subscriptions.map(\.costCenter)),
          PostgreSQLParameter(texts: subscriptions.map(\.tags)),
          PostgreSQLParameter(texts: subscriptions.map(\.state.rawValue)),
        ])
      try session.connection.query("DELETE FROM tenancy WHERE cell = $1::bigint", [cell])
      try session.connection.query(
        """
        INSERT INTO tenancy SELECT $1::bigint, * FROM unnest(
          $2::text[], $3::text[], $4::bigint[], $5::bigint[])
        """,
        [
          cell, PostgreSQLParameter(texts: directory.tenancies.map(\.provider)),
          PostgreSQLParameter(texts: directory.tenancies.map(\.subscription)),
          PostgreSQLParameter(bigints: directory.tenancies.map(\.hours.lowerBound.index)),
          PostgreSQLParameter(bigints: directory.tenancies.map(\.hours.upperBound.index)),
        ])
    }
  }
}

extension PostgreSQLUsageReader {
  /// Those of all cells: one that several cells have is as far as it is in the last of them.
  package func sources() throws(StoreError) -> [ReportingSource] {
    var sources: [ReportingSource] = []
    for source in try connection.declaredSources(of: nil) {
      guard let last = sources.last, last.name.hasSameBytes(as: source.name) else {
        sources.append(source)
        continue
      }
      if source.completeUntil < last.completeUntil { sources[sources.count - 1] = source }
    }
    return sources
  }

  /// Those of all cells. What a directory says is told as the own cell has it, else as the first one does.
  package func subscriptions(
    ids: [String]?, after id: String, limit: Int
  ) throws(StoreError) -> [Subscription] {
    let rows = try connection.query(
      PostgreSQLUsageReader.subscriptionsSQL(ofSome: ids != nil),
      [
        PostgreSQLParameter(try cell()), PostgreSQLParameter(id), PostgreSQLParameter(Int64(limit)),
      ] + (ids.map { [PostgreSQLParameter(texts: $0)] } ?? []))
    return (0..<rows.count).map { row in
      rows.isNull(row, 5)
        ? Subscription(id: rows.text(row, 0), state: .unassigned)
        : Subscription(
          id: rows.text(row, 0), displayName: rows.text(row, 1), owner: rows.text(row, 2),
          costCenter: rows.text(row, 3), tags: rows.text(row, 4),
          state: Subscription.State(rawValue: rows.text(row, 5)) ?? .unassigned)
    }
  }

  /// As the own cell's directory has them; the first cell's where the own one has none in the database.
  package func tenancies(of provider: String) throws(StoreError) -> [Tenancy] {
    let rows = try connection.query(
      """
      SELECT t.subscription, t.from_hour, t.until_hour FROM tenancy t
      WHERE t.provider = $2::text
        AND t.cell = (SELECT number FROM cell ORDER BY name = $1::text DESC, number LIMIT 1)
      ORDER BY t.subscription, t.from_hour
      """, [PostgreSQLParameter(try cell()), PostgreSQLParameter(provider)])
    return (0..<rows.count).map { row in
      Tenancy(
        provider: provider, subscription: rows.text(row, 0),
        hours: Hour(index: rows.integer(row, 1))..<Hour(index: rows.integer(row, 2)))
    }
  }

  /// The first `$3` names behind `$2`, looked up in each cell on its own, so that a page reads what it answers.
  static func subscriptionsSQL(ofSome: Bool) -> String {
    let isAsked = ofSome ? "AND b.name = ANY ($4::text[])" : ""
    let names = ["subscription", "directory"].map { table in
      """
      SELECT f.name FROM cell c CROSS JOIN LATERAL (
          SELECT b.name FROM \(table) b WHERE b.cell = c.number AND b.name > $2::text \(isAsked)
          ORDER BY b.name LIMIT $3::bigint) f
      """
    }.joined(separator: "\n    UNION ")
    return """
      SELECT n.name, d.display_name, d.owner, d.cost_center, d.tags, d.state
      FROM (SELECT u.name FROM (\(names)) u ORDER BY u.name LIMIT $3::bigint) n
        LEFT JOIN LATERAL (
          SELECT e.* FROM cell c JOIN directory e ON e.cell = c.number AND e.name = n.name
          ORDER BY c.name = $1::text DESC, e.cell LIMIT 1) d ON true
      ORDER BY n.name
      """
  }
}

extension PostgreSQL {
  /// Those of one cell, or of all, by name.
  func declaredSources(of cell: Int64?) throws(StoreError) -> [ReportingSource] {
    let rows = try query(
      """
      SELECT name, cadence_seconds, complete_until, heard_time, position FROM source
      \(cell == nil ? "" : "WHERE cell = $1::bigint") ORDER BY name, cell
      """, cell.map { [PostgreSQLParameter($0)] } ?? [])
    return (0..<rows.count).map { row in
      ReportingSource(
        name: rows.text(row, 0), cadenceSeconds: UInt32(clamping: rows.integer(row, 1)),
        completeUntil: Instant(nanoseconds: rows.integer(row, 2)),
        heardTime: Instant(nanoseconds: rows.integer(row, 3)),
        position: UInt64(bitPattern: rows.integer(row, 4)))
    }
  }
}

extension PostgreSQLRows {
  /// What a row of `window_missing` says, from two columns; none where there is no such row.
  func missingSources(_ row: Int, _ column: Int) -> MissingSources {
    guard !isNull(row, column) else { return .none }
    return MissingSources(
      names: MissingSources.names(json: text(row, column)),
      others: UInt64(bitPattern: integer(row, column + 1)))
  }
}
