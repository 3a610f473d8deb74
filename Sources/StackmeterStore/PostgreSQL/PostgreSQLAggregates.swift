package import StackmeterCore

/// What is written between `begin` and `commit`. Lists go as arrays, one statement for each.
extension PostgreSQLUsageStore {
  package func put(rules: [MeterRule]) throws(StoreError) {
    guard !rules.isEmpty else { return }
    let session = try current()
    for rule in rules {
      try session.connection.query(
        """
        INSERT INTO rule VALUES ($1::bigint, $2::text, $5::bigint, $3::bigint, $4::text,
          nullif($6::bigint, -1), nullif($7::bigint, -1))
        ON CONFLICT DO NOTHING
        """,
        [
          PostgreSQLParameter(session.number), PostgreSQLParameter(rule.meter),
          PostgreSQLParameter(rule.fromPosition), PostgreSQLParameter(rule.aggregation.rawValue),
          PostgreSQLParameter(rule.number),
          PostgreSQLParameter(rule.restatement?.window.index ?? -1),
          PostgreSQLParameter(rule.restatement?.fromHour.index ?? -1),
        ])
      try session.connection.query(
        "UPDATE meter SET aggregation = $3::text WHERE cell = $1::bigint AND id = $2::text",
        [
          PostgreSQLParameter(session.number), PostgreSQLParameter(rule.meter),
          PostgreSQLParameter(rule.aggregation.rawValue),
        ])
    }
  }

  package func aggregates(
    of window: Hour, _ keys: [SeriesHour]
  ) throws(StoreError) -> [Quantity?] {
    guard !keys.isEmpty else { return [] }
    let session = try current()
    if open.window != window {
      let rows = try session.connection.query(
        """
        SELECT EXISTS (SELECT 1 FROM aggregate
          WHERE reporting_window = $1::bigint AND cell = $2::bigint)
        """, [PostgreSQLParameter(window.index), PostgreSQLParameter(session.number)])
      open.begin(window, isEmpty: rows.integer(0, 0) == 0)
    }
    var (known, missing) = open.look(keys)
    guard !missing.isEmpty else { return known }
    let read = try read(missing.map { keys[$0] }, of: window, session)
    for (place, quantity) in zip(missing, read) {
      known[place] = quantity
      if let quantity { open.remember(quantity, of: keys[place]) }
    }
    return known
  }

  private func read(
    _ keys: [SeriesHour], of window: Hour, _ session: PostgreSQLSession
  ) throws(StoreError) -> [Quantity?] {
    let rows = try session.connection.query(
      """
      SELECT (SELECT a.quantity FROM aggregate a
        WHERE a.reporting_window = $1::bigint AND a.cell = $2::bigint
          AND a.subscription = k.subscription AND a.series = k.series
          AND a.usage_hour = k.usage_hour)
      FROM unnest($3::bigint[], $4::integer[], $5::integer[])
        WITH ORDINALITY k (subscription, series, usage_hour, place)
      ORDER BY k.place
      """,
      [PostgreSQLParameter(window.index), PostgreSQLParameter(session.number)]
        + PostgreSQLParameter.keys(keys))
    return try rows.quantities(keys.count)
  }

  package func put(
    aggregates: [(key: SeriesHour, quantity: Quantity)], of window: Hour
  ) throws(StoreError) {
    guard !aggregates.isEmpty else { return }
    let session = try current()
    try session.connection.query(
      """
      INSERT INTO aggregate (reporting_window, cell, subscription, series, usage_hour, quantity)
      SELECT $1::bigint, $2::bigint, k.subscription, k.series, k.usage_hour, k.quantity
      FROM unnest($3::bigint[], $4::integer[], $5::integer[], $6::numeric[])
        k (subscription, series, usage_hour, quantity)
      ON CONFLICT (reporting_window, cell, subscription, series, usage_hour)
      DO UPDATE SET quantity = excluded.quantity
      """,
      [PostgreSQLParameter(window.index), PostgreSQLParameter(session.number)]
        + PostgreSQLParameter.keys(aggregates.map(\.key))
        + [PostgreSQLParameter(attos: aggregates.map(\.quantity.attos))])
    guard open.window == window else { return }
    for (key, quantity) in aggregates { open.remember(quantity, of: key) }
  }

  package func greatestSamples(
    _ keys: [SeriesHour], of kind: Aggregation
  ) throws(StoreError) -> [Quantity?] {
    try PostgreSQLSamples(current()).greatest(keys, of: kind)
  }

  package func hasSamples(_ values: [SampleValue]) throws(StoreError) -> [Bool] {
    try PostgreSQLSamples(current()).contains(values)
  }

  package func remove(samples removed: [UsageSample]) throws(StoreError) -> [Bool] {
    try PostgreSQLSamples(current()).remove(removed)
  }

  package func insert(samples inserted: [UsageSample]) throws(StoreError) {
    try PostgreSQLSamples(current()).insert(inserted)
  }

  package func keepAside(_ quantities: [UnappliedQuantity]) throws(StoreError) {
    guard !quantities.isEmpty else { return }
    let session = try current()
    let subscriptions = quantities.map { $0.series.map(SeriesNumbers.subscription(ofSeries:)) }
    let series = quantities.map { $0.series.map(SeriesNumbers.withinSubscription) }
    try session.connection.query(
      """
      INSERT INTO unapplied SELECT $1::bigint,
        k.place + (SELECT coalesce(max(id), 0) FROM unapplied WHERE cell = $1::bigint),
        k.position, k.reporting_window, k.subscription, k.series, k.usage_hour, k.quantity,
        k.reason
      FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
          $7::numeric[], $8::text[]) WITH ORDINALITY
        k (position, reporting_window, subscription, series, usage_hour, quantity, reason, place)
      """,
      [
        PostgreSQLParameter(session.number),
        PostgreSQLParameter(bigints: quantities.map { Int64(bitPattern: $0.position) }),
        PostgreSQLParameter(bigints: quantities.map(\.window.index)),
        PostgreSQLParameter(optionalBigints: subscriptions),
        PostgreSQLParameter(optionalBigints: series),
        PostgreSQLParameter(bigints: quantities.map(\.usageHour.index)),
        PostgreSQLParameter(attos: quantities.map(\.quantity.attos)),
        PostgreSQLParameter(texts: quantities.map(\.reason)),
      ])
  }

  package func lastWindowHash() throws(StoreError) -> [UInt8]? {
    let session = try current()
    let rows = try session.connection.query(
      """
      SELECT hash FROM closed_window WHERE cell = $1::bigint
      ORDER BY reporting_window DESC LIMIT 1
      """, [PostgreSQLParameter(session.number)])
    return rows.count == 1 ? rows.bytes(0, 0) : nil
  }

  package func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    let session = try current()
    return try session.connection.windowRows(
      of: window, cell: session.number, after: key, limit: limit)
  }

  package func put(window: ClosedWindow) throws(StoreError) {
    let session = try current()
    try session.connection.query(
      """
      INSERT INTO closed_window
      VALUES ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bytea)
      """,
      [
        PostgreSQLParameter(session.number), PostgreSQLParameter(window.window.index),
        PostgreSQLParameter(window.endPosition), PostgreSQLParameter(window.rowCount),
        PostgreSQLParameter(window.oldestUsage.index), PostgreSQLParameter(window.hash),
      ])
  }
}

extension PostgreSQLParameter {
  /// Three arrays: subscriptions, series within them, and usage hours.
  static func keys(_ keys: [SeriesHour]) -> [PostgreSQLParameter] {
    [
      PostgreSQLParameter(bigints: keys.map { SeriesNumbers.subscription(ofSeries: $0.series) }),
      PostgreSQLParameter(
        integers: keys.map { Int32(SeriesNumbers.withinSubscription($0.series)) }),
      PostgreSQLParameter(integers: keys.map { Int32(clamping: $0.usageHour.index) }),
    ]
  }
}

extension PostgreSQLRows {
  /// The quantities of the only column; nil for NULL.
  func quantities(_ expected: Int) throws(StoreError) -> [Quantity?] {
    guard count == expected else {
      throw StoreError(.system, "PostgreSQL gave \(count) rows for \(expected) keys")
    }
    var quantities: [Quantity?] = []
    quantities.reserveCapacity(count)
    for row in 0..<count { quantities.append(isNull(row, 0) ? nil : try quantity(row, 0)) }
    return quantities
  }
}
