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
      """
      SELECT n.name, d.display_name, d.owner, d.cost_center, d.tags, d.state FROM (
        SELECT name FROM subscription UNION SELECT name FROM directory) n
      LEFT JOIN LATERAL (
        SELECT e.* FROM directory e JOIN cell c ON c.number = e.cell WHERE e.name = n.name
        ORDER BY c.name = $1::text DESC, e.cell LIMIT 1) d ON true
      WHERE n.name > $2::text AND \(ids == nil ? "true" : "n.name = ANY ($4::text[])")
      ORDER BY n.name LIMIT $3::bigint
      """,
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

  /// What windows missed when they were closed, in any cell.
  func missingAtClose(_ windows: Range<Int64>) throws(StoreError) -> [Int64: MissingSources] {
    let rows = try connection.query(
      """
      SELECT reporting_window, names, others FROM window_missing
      WHERE reporting_window >= $1::bigint AND reporting_window < $2::bigint
      ORDER BY reporting_window, cell
      """, [PostgreSQLParameter(windows.lowerBound), PostgreSQLParameter(windows.upperBound)])
    var missing: [Int64: MissingSources] = [:]
    for row in 0..<rows.count {
      let more = MissingSources(
        names: MissingSources.names(json: rows.text(row, 1)),
        others: UInt64(bitPattern: rows.integer(row, 2)))
      let known = missing[rows.integer(row, 0)] ?? .none
      missing[rows.integer(row, 0)] = MissingSources(
        names: known.names + more.names.filter { !known.names.contains($0) },
        others: known.others + more.others)
    }
    return missing
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
