package import StackmeterCore

/// The one writer of a cell's aggregates in PostgreSQL.
///
/// A transaction locks the cell's row of `pipeline` and begins only where that is where this writer left it, so it is
/// counted once even where the end of the one before is not known. What fails with `interrupted` may be begun anew
/// from `position`; a lost connection is made anew then.
package final class PostgreSQLUsageStore: UsageStore {
  package let cell: String
  private let text: String
  private let schema: String?
  private let lockWait: Duration
  let seriesMax: Int64
  /// Nil where the connection was lost.
  private var session: PostgreSQLSession?
  /// The next position as this writer knows it; nil where it does not.
  private var knownPosition: UInt64?
  /// Between `begin` and its end.
  private var isOpen = false
  /// What this writer has written or read of the open window.
  var open = OpenAggregates()

  /// `text` is a connection string or URI of libpq; `schema` where the tables are, or are made, nil for the
  /// connection's own. Throws `otherWriter` where another process still writes the cell after `lockWait`.
  package init(
    _ text: String, schema: String? = nil, cell: String = "local",
    seriesMax: Int64 = SeriesNumbers.seriesMax,
    lockWait: Duration = .seconds(10)
  ) throws(StoreError) {
    self.cell = cell
    self.text = text
    self.schema = schema
    self.lockWait = lockWait
    self.seriesMax = seriesMax
    session = try PostgreSQLSession(text, schema: schema, cell: cell, lockWait: lockWait)
    _ = try position()
  }

  /// The session, made anew where it was lost: between transactions only.
  func connected() throws(StoreError) -> PostgreSQLSession {
    if let session, session.connection.isConnected { return session }
    guard !isOpen else {
      throw StoreError(.interrupted, "PostgreSQL: the connection is lost")
    }
    // The old connection goes first, and its lock with it.
    session = nil
    open.forget()
    let new = try PostgreSQLSession(text, schema: schema, cell: cell, lockWait: lockWait)
    session = new
    return new
  }

  /// The session of the transaction that is open.
  func current() throws(StoreError) -> PostgreSQLSession {
    guard let session, session.connection.isConnected else {
      throw StoreError(.interrupted, "PostgreSQL: the connection is lost")
    }
    return session
  }

  package func position() throws(StoreError) -> PipelinePosition {
    let session = try connected()
    let position = try session.connection.pipelinePosition(of: session.number)
    if !isOpen { knownPosition = position.nextPosition }
    return position
  }

  package func rules() throws(StoreError) -> [MeterRule] {
    let session = try connected()
    return try session.connection.meterRules(of: session.number)
  }

  /// Runs `body` in a transaction of its own.
  func alone<Result>(
    _ body: (PostgreSQLSession) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let session = try connected()
    return try session.connection.transaction { () throws(StoreError) in try body(session) }
  }

  package func replaceCatalog(_ catalog: MeterCatalog) throws(StoreError) {
    try alone { (session) throws(StoreError) in
      let cell = PostgreSQLParameter(session.number)
      try session.connection.query(
        """
        DELETE FROM meter WHERE cell = $1::bigint
          AND id NOT IN (SELECT meter FROM rule WHERE cell = $1::bigint)
        """, [cell])
      for meter in catalog.meters {
        try session.connection.query(
          """
          INSERT INTO meter VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::text,
            coalesce((SELECT aggregation FROM rule WHERE cell = $1::bigint AND meter = $2::text
              ORDER BY number DESC LIMIT 1), $7::text), $8::bigint = 1)
          ON CONFLICT (cell, id) DO UPDATE SET
          name = excluded.name, unit = excluded.unit, category = excluded.category,
          resource_provider = excluded.resource_provider, aggregation = excluded.aggregation,
          billable = excluded.billable
          """,
          [
            cell, PostgreSQLParameter(meter.id), PostgreSQLParameter(meter.name),
            PostgreSQLParameter(meter.unit), PostgreSQLParameter(meter.category),
            PostgreSQLParameter(meter.resourceProvider),
            PostgreSQLParameter(meter.aggregation.rawValue),
            PostgreSQLParameter(Int64(meter.isBillable ? 1 : 0)),
          ])
      }
    }
  }

  package func begin() throws(StoreError) {
    let session = try connected()
    isOpen = true
    do throws(StoreError) {
      try session.connection.execute("BEGIN")
      let rows = try session.connection.query(
        "SELECT next_position FROM pipeline WHERE cell = $1::bigint FOR UPDATE",
        [PostgreSQLParameter(session.number)])
      guard let knownPosition, rows.count == 1,
        UInt64(bitPattern: rows.integer(0, 0)) == knownPosition
      else {
        throw StoreError(
          .interrupted, "the position of cell \"\(cell)\" is not where this aggregator left it")
      }
    } catch {
      rollback()
      throw error
    }
  }

  package func rollback() {
    isOpen = false
    open.forget()
    session?.connection.rollback()
  }

  package func commit(_ position: PipelinePosition) throws(StoreError) {
    let session = try current()
    try session.connection.query(
      """
      UPDATE pipeline SET next_position = $2::bigint, reported_time = $3::bigint,
        open_window = $4::bigint, journal_id = $5::bigint, samples_from = $6::bigint
      WHERE cell = $1::bigint
      """,
      [
        PostgreSQLParameter(session.number), PostgreSQLParameter(position.nextPosition),
        PostgreSQLParameter(position.reportedTime.nanoseconds),
        PostgreSQLParameter(position.openWindow.index), PostgreSQLParameter(position.journalID),
        PostgreSQLParameter(position.samplesFrom.index),
      ])
    // What comes of it is known once there is an answer.
    knownPosition = nil
    try session.connection.commit()
    isOpen = false
    knownPosition = position.nextPosition
  }

  package func retain(from window: Hour) throws(StoreError) {
    try alone { (session) throws(StoreError) in
      _ = try session.connection.query(
        """
        UPDATE pipeline SET retained_from = $2::bigint
        WHERE cell = $1::bigint AND retained_from < $2::bigint
        """, [PostgreSQLParameter(session.number), PostgreSQLParameter(window.index)])
    }
  }

  package func removeAggregates(limit: Int) throws(StoreError) -> Int {
    try alone { (session) throws(StoreError) in
      try session.connection.query(
        """
        DELETE FROM window_missing m USING pipeline p WHERE m.cell = $1::bigint
          AND p.cell = m.cell AND m.reporting_window < p.retained_from
        """, [PostgreSQLParameter(session.number)])
      return try session.connection.query(
        """
        DELETE FROM aggregate
        WHERE (reporting_window, cell, subscription, series, usage_hour) IN (
          SELECT a.reporting_window, a.cell, a.subscription, a.series, a.usage_hour
          FROM aggregate a JOIN pipeline p ON p.cell = a.cell
          WHERE p.cell = $1::bigint AND a.reporting_window < least(p.retained_from, p.open_window)
          ORDER BY a.reporting_window LIMIT $2::bigint)
        """, [PostgreSQLParameter(session.number), PostgreSQLParameter(Int64(limit))]
      ).changes
    }
  }

  package func removeSamples(limit: Int) throws(StoreError) -> Int {
    try alone { (session) throws(StoreError) in
      try PostgreSQLSamples(session).removeExpired(limit: limit)
    }
  }
}
