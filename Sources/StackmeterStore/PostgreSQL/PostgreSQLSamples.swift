internal import StackmeterCore

/// The two tables of samples of one cell. The greatest sample of a key is the last one of its table's primary key.
struct PostgreSQLSamples {
  private let session: PostgreSQLSession

  init(_ session: PostgreSQLSession) {
    self.session = session
  }

  private var cell: PostgreSQLParameter { PostgreSQLParameter(session.number) }

  func greatest(_ keys: [SeriesHour], of kind: Aggregation) throws(StoreError) -> [Quantity?] {
    let (table, order) =
      kind == .latest
      ? ("time_sample", "v.usage_end DESC, v.usage_start DESC, v.position DESC")
      : ("value_sample", "v.quantity DESC")
    let rows = try session.connection.query(
      """
      SELECT (SELECT v.quantity FROM \(table) v
        WHERE v.cell = $1::bigint AND v.usage_hour = k.usage_hour
          AND v.subscription = k.subscription AND v.series = k.series
        ORDER BY \(order) LIMIT 1)
      FROM unnest($2::bigint[], $3::integer[], $4::integer[])
        WITH ORDINALITY k (subscription, series, usage_hour, place)
      ORDER BY k.place
      """, [cell] + PostgreSQLParameter.keys(keys))
    return try rows.quantities(keys.count)
  }

  func contains(_ values: [SampleValue]) throws(StoreError) -> [Bool] {
    guard !values.isEmpty else { return [] }
    let rows = try session.connection.query(
      """
      SELECT EXISTS (SELECT 1 FROM value_sample v
        WHERE v.cell = $1::bigint AND v.usage_hour = k.usage_hour
          AND v.subscription = k.subscription AND v.series = k.series
          AND v.quantity = k.quantity)
      FROM unnest($2::bigint[], $3::integer[], $4::integer[], $5::numeric[])
        WITH ORDINALITY k (subscription, series, usage_hour, quantity, place)
      ORDER BY k.place
      """,
      [cell] + PostgreSQLParameter.keys(values.map(\.key))
        + [PostgreSQLParameter(attos: values.map(\.quantity.attos))])
    guard rows.count == values.count else {
      throw StoreError(.system, "PostgreSQL gave \(rows.count) rows for \(values.count) values")
    }
    return (0..<rows.count).map { rows.integer($0, 0) != 0 }
  }

  func insert(_ samples: [UsageSample]) throws(StoreError) {
    let values = samples.filter { $0.kind != .latest }
    if !values.isEmpty {
      try session.connection.query(
        """
        INSERT INTO value_sample
        SELECT $1::bigint, k.usage_hour, k.subscription, k.series, k.quantity, k.event
        FROM unnest($2::bigint[], $3::integer[], $4::integer[], $5::numeric[], $6::bytea[])
          k (subscription, series, usage_hour, quantity, event)
        """, [cell] + PostgreSQLSamples.values(values))
    }
    let times = samples.filter { $0.kind == .latest }
    guard !times.isEmpty else { return }
    try session.connection.query(
      """
      INSERT INTO time_sample
      SELECT $1::bigint, k.usage_hour, k.subscription, k.series, k.usage_end, k.usage_start,
        k.position, k.event, k.quantity
      FROM unnest($2::bigint[], $3::integer[], $4::integer[], $5::numeric[], $6::bytea[],
          $7::bigint[], $8::bigint[], $9::bigint[])
        k (subscription, series, usage_hour, quantity, event, usage_end, usage_start, position)
      """,
      [cell] + PostgreSQLSamples.values(times) + PostgreSQLSamples.times(times)
        + [PostgreSQLParameter(bigints: times.map { Int64(bitPattern: $0.position) })])
  }

  /// False for those that are not there.
  func remove(_ samples: [UsageSample]) throws(StoreError) -> [Bool] {
    var found = Array(repeating: false, count: samples.count)
    let values = samples.indices.filter { samples[$0].kind != .latest }
    if !values.isEmpty {
      let rows = try session.connection.query(
        """
        DELETE FROM value_sample v
        USING unnest($2::bigint[], $3::integer[], $4::integer[], $5::numeric[], $6::bytea[])
          WITH ORDINALITY k (subscription, series, usage_hour, quantity, event, place)
        WHERE v.cell = $1::bigint AND v.usage_hour = k.usage_hour
          AND v.subscription = k.subscription AND v.series = k.series
          AND v.quantity = k.quantity AND v.event = k.event
        RETURNING k.place
        """, [cell] + PostgreSQLSamples.values(values.map { samples[$0] }))
      for row in 0..<rows.count { found[values[Int(rows.integer(row, 0)) - 1]] = true }
    }
    let times = samples.indices.filter { samples[$0].kind == .latest }
    guard !times.isEmpty else { return found }
    let removed = times.map { samples[$0] }
    let rows = try session.connection.query(
      """
      DELETE FROM time_sample v
      USING unnest($2::bigint[], $3::integer[], $4::integer[], $5::numeric[], $6::bytea[],
          $7::bigint[], $8::bigint[])
        WITH ORDINALITY
        k (subscription, series, usage_hour, quantity, event, usage_end, usage_start, place)
      WHERE v.cell = $1::bigint AND v.usage_hour = k.usage_hour
        AND v.subscription = k.subscription AND v.series = k.series
        AND v.usage_end = k.usage_end AND v.usage_start = k.usage_start AND v.event = k.event
      RETURNING k.place
      """, [cell] + PostgreSQLSamples.values(removed) + PostgreSQLSamples.times(removed))
    for row in 0..<rows.count { found[times[Int(rows.integer(row, 0)) - 1]] = true }
    return found
  }

  /// Removes samples that no correction can reach any more, at most `limit`.
  func removeExpired(limit: Int) throws(StoreError) -> Int {
    var removed = 0
    for (table, key) in [
      ("value_sample", "cell, usage_hour, subscription, series, quantity, event"),
      (
        "time_sample",
        "cell, usage_hour, subscription, series, usage_end, usage_start, position"
      ),
    ] {
      removed += try session.connection.query(
        """
        DELETE FROM \(table) WHERE (\(key)) IN (
          SELECT \(key) FROM \(table) WHERE cell = $1::bigint
            AND usage_hour < (SELECT samples_from FROM pipeline WHERE cell = $1::bigint)
          LIMIT $2::bigint)
        """, [cell, PostgreSQLParameter(Int64(limit - removed))]
      ).changes
    }
    return removed
  }

  private static func values(_ samples: [UsageSample]) -> [PostgreSQLParameter] {
    PostgreSQLParameter.keys(samples.map(\.key)) + [
      PostgreSQLParameter(attos: samples.map(\.quantity.attos)),
      PostgreSQLParameter(byteStrings: samples.map(\.event.bytes)),
    ]
  }

  private static func times(_ samples: [UsageSample]) -> [PostgreSQLParameter] {
    [
      PostgreSQLParameter(bigints: samples.map(\.usageEnd.nanoseconds)),
      PostgreSQLParameter(bigints: samples.map(\.usageStart.nanoseconds)),
    ]
  }
}
