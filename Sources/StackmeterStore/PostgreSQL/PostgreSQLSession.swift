internal import StackmeterCore

/// A database that has the tables, and the cell whose aggregates one process writes there.
///
/// A session holds an advisory lock of its cell for as long as its connection lives, so there is one writer.
struct PostgreSQLSession {
  let connection: PostgreSQL
  /// Of the cell.
  let number: Int64

  /// The advisory lock of whoever makes tables, `SMUD`. That of a cell is the number of the table `pipeline` × 2³² +
  /// the cell's, so that the same cell of another schema is another one.
  private static let tablesLock: Int64 = 0x534D_5544
  /// How long a statement waits for a lock that somebody else holds.
  private static let statementLockWait: Duration = .seconds(30)

  /// Connects, makes the tables where there are none or older ones, and waits up to `lockWait` until no other writes
  /// the cell: a process that was killed keeps the lock until PostgreSQL has noticed. `schema` is made where it is not
  /// there; nil for that of the connection.
  init(_ text: String, schema: String?, cell: String, lockWait: Duration) throws(StoreError) {
    connection = try PostgreSQL(text)
    if let schema {
      try connection.execute("CREATE SCHEMA IF NOT EXISTS \(PostgreSQL.identifier(schema))")
      try connection.use(schema: schema)
    }
    switch try connection.schemaVersion() {
    case PostgreSQLSchema.version: break
    case 0, PostgreSQLSchema.usageVersion, PostgreSQLSchema.billingVersion:
      try PostgreSQLSession.makeTables(connection)
    case let found: throw PostgreSQLSchema.other(found)
    }
    number = try PostgreSQLSession.number(of: cell, connection)
    try connection.execute("SET lock_timeout = \(max(1, lockWait.milliseconds))")
    do throws(StoreError) {
      try connection.query(
        "SELECT pg_advisory_lock('pipeline'::regclass::oid::bigint * 4294967296 + $1::bigint)",
        [PostgreSQLParameter(number)])
    } catch {
      guard error.kind == .interrupted, connection.isConnected else { throw error }
      throw StoreError(
        .otherWriter,
        "another aggregator writes cell \"\(cell)\" of this database: stop it, or give this one "
          + "another cell")
    }
    // Every list is looked up row by row: whole tables are never worth reading.
    try connection.execute(
      "SET lock_timeout = \(PostgreSQLSession.statementLockWait.milliseconds); "
        + "SET enable_seqscan = off")
    try connection.query(
      "INSERT INTO pipeline VALUES ($1::bigint, 1, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
      [PostgreSQLParameter(number)])
  }

  /// Two processes may come at the same time.
  private static func makeTables(_ connection: PostgreSQL) throws(StoreError) {
    try connection.transaction { () throws(StoreError) in
      try connection.query(
        "SELECT pg_advisory_xact_lock($1::bigint)", [PostgreSQLParameter(tablesLock)])
      switch try connection.schemaVersion() {
      case 0: try connection.execute(PostgreSQLSchema.text)
      case PostgreSQLSchema.usageVersion:
        try connection.execute(PostgreSQLSchema.upgrade)
        try connection.execute(PostgreSQLSchema.upgradeBudgets)
      case PostgreSQLSchema.billingVersion:
        try connection.execute(PostgreSQLSchema.upgradeBudgets)
      default: break
      }
    }
  }

  private static func number(
    of cell: String, _ connection: PostgreSQL
  ) throws(StoreError) -> Int64 {
    // Another cell may take the number first.
    while true {
      let found = try connection.query(
        "SELECT number, is_retired FROM cell WHERE name = $1::text", [PostgreSQLParameter(cell)])
      if found.count == 1 {
        guard found.integer(0, 1) == 0 else {
          throw StoreError(
            .otherCell,
            "cell \"\(cell)\" is retired: nothing may be added to it; use a cell of another name")
        }
        return found.integer(0, 0)
      }
      try connection.query(
        """
        INSERT INTO cell (number, name) SELECT coalesce(max(number), 0) + 1, $1::text FROM cell
        ON CONFLICT DO NOTHING
        """, [PostgreSQLParameter(cell)])
    }
  }
}

extension PostgreSQLSchema {
  static func other(_ found: Int64) -> StoreError {
    StoreError(
      found > version ? .newerSchema : .olderSchema,
      "the PostgreSQL database is \(found > version ? "newer" : "older") than this program: it has "
        + "schema version \(found), but this program knows \(version); "
        + (found > version
          ? "run the program that made it"
          : found == usageVersion || found == billingVersion
            ? "the aggregator brings it to \(version) when it starts"
            : "version \(found) was never released: name an empty database, and the aggregator counts "
              + "the journal anew")
    )
  }
}

extension PostgreSQL {
  /// The version of the tables that are there; 0 where there are none.
  func schemaVersion() throws(StoreError) -> Int64 {
    let found = try query("SELECT to_regclass('schema_version') IS NOT NULL")
    guard found.integer(0, 0) != 0 else { return 0 }
    let version = try query("SELECT version FROM schema_version")
    guard version.count == 1 else {
      throw StoreError(.system, "the PostgreSQL database has lost its schema version")
    }
    return version.integer(0, 0)
  }

  /// The position of one cell.
  func pipelinePosition(of cell: Int64) throws(StoreError) -> PipelinePosition {
    let rows = try query(
      """
      SELECT next_position, reported_time, open_window, journal_id, retained_from, samples_from
      FROM pipeline WHERE cell = $1::bigint
      """, [PostgreSQLParameter(cell)])
    guard rows.count == 1 else {
      throw StoreError(.system, "the usage database has lost its position")
    }
    return PipelinePosition(
      nextPosition: UInt64(bitPattern: rows.integer(0, 0)),
      reportedTime: Instant(nanoseconds: rows.integer(0, 1)),
      openWindow: Hour(index: rows.integer(0, 2)),
      journalID: UInt64(bitPattern: rows.integer(0, 3)),
      retainedFrom: Hour(index: rows.integer(0, 4)), samplesFrom: Hour(index: rows.integer(0, 5)))
  }

  /// The rules of one cell.
  func meterRules(of cell: Int64) throws(StoreError) -> [MeterRule] {
    let rows = try query(
      """
      SELECT meter, number, aggregation, from_position, reporting_window, from_hour FROM rule
      WHERE cell = $1::bigint ORDER BY meter, number
      """, [PostgreSQLParameter(cell)])
    var rules: [MeterRule] = []
    for row in 0..<rows.count {
      guard let aggregation = Aggregation(rawValue: rows.text(row, 2)) else {
        throw StoreError(
          .system,
          "the rule of meter \(rows.text(row, 0)) is \(rows.text(row, 2)), which this program "
            + "does not know")
      }
      rules.append(
        MeterRule(
          meter: rows.text(row, 0), number: rows.integer(row, 1),
          fromPosition: UInt64(bitPattern: rows.integer(row, 3)), aggregation: aggregation,
          restatement: rows.isNull(row, 4)
            ? nil
            : MeterRule.Restatement(
              window: Hour(index: rows.integer(row, 4)),
              fromHour: Hour(index: rows.integer(row, 5)))))
    }
    return rules
  }

  /// At most `limit` rows of a window of one cell, after a key.
  func windowRows(
    of window: Hour, cell: Int64, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    let after = key ?? SeriesHour(series: -1, usageHour: Hour(index: 0))
    let rows = try query(
      """
      SELECT a.subscription, a.series, a.usage_hour, a.quantity, s.first_window, n.name, s.meter,
        s.resource_uri, s.location, s.tags, s.additional_info
      FROM aggregate a
        LEFT JOIN series s ON s.cell = $2::bigint AND s.subscription = a.subscription
          AND s.id = a.series
        LEFT JOIN subscription n ON n.cell = $2::bigint AND n.id = a.subscription
      WHERE a.reporting_window = $1::bigint AND a.cell = $2::bigint
        AND (a.subscription, a.series, a.usage_hour) > ($3::bigint, $4::bigint, $5::bigint)
      ORDER BY a.subscription, a.series, a.usage_hour LIMIT $6::bigint
      """,
      [
        PostgreSQLParameter(window.index), PostgreSQLParameter(cell),
        PostgreSQLParameter(SeriesNumbers.subscription(ofSeries: after.series)),
        PostgreSQLParameter(SeriesNumbers.withinSubscription(after.series)),
        PostgreSQLParameter(after.usageHour.index), PostgreSQLParameter(Int64(limit)),
      ])
    var found: [WindowRow] = []
    found.reserveCapacity(rows.count)
    for row in 0..<rows.count {
      let series = SeriesNumbers.number(rows.integer(row, 0), rows.integer(row, 1))
      let isNew =
        !rows.isNull(row, 4) && !rows.isNull(row, 5) && rows.integer(row, 4) == window.index
        && found.last?.key.series != series
      found.append(
        WindowRow(
          key: SeriesHour(series: series, usageHour: Hour(index: rows.integer(row, 2))),
          quantity: try rows.quantity(row, 3), newSeries: isNew ? rows.series(row, 5) : nil))
    }
    return found
  }
}

extension SeriesNumbers {
  /// The number of a series within its subscription.
  static func withinSubscription(_ number: Int64) -> Int64 {
    number & (1 << bitsWithinSubscription - 1)
  }

  static func number(_ subscription: Int64, _ withinSubscription: Int64) -> Int64 {
    subscription << bitsWithinSubscription + withinSubscription
  }
}
