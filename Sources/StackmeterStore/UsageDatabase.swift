package import StackmeterCore

/// How far the usage database is: what one transaction moves together with the aggregates.
package struct PipelinePosition: Hashable, Sendable {
  /// The first journal position that is not in the database.
  package var nextPosition: UInt64
  /// The reported time of the last applied record.
  package var reportedTime: Instant
  /// All windows before it are closed.
  package var openWindow: Hour
  /// The journal that all positions are of; 0 before the first record.
  package var journalID: UInt64

  package init(
    nextPosition: UInt64, reportedTime: Instant, openWindow: Hour, journalID: UInt64 = 0
  ) {
    self.nextPosition = nextPosition
    self.reportedTime = reportedTime
    self.openWindow = openWindow
    self.journalID = journalID
  }
}

/// What an aggregate is counted under.
package struct AggregateKey: Hashable, Sendable {
  package let window: Hour
  package let series: Int64
  package let usageHour: Hour

  package init(window: Hour, series: Int64, usageHour: Hour) {
    self.window = window
    self.series = series
    self.usageHour = usageHour
  }
}

/// A quantity that no aggregate can hold any more, kept aside.
package struct UnappliedQuantity: Hashable, Sendable {
  package let key: AggregateKey
  package let quantity: Quantity
  /// Of the event; where a whole commit's sum did not fit, the position after it.
  package let position: UInt64

  package init(key: AggregateKey, quantity: Quantity, position: UInt64) {
    self.key = key
    self.quantity = quantity
    self.position = position
  }
}

/// The one writer of the usage database.
///
/// Not safe for threads: its owner calls it from one task at a time. The first error leaves the database at the
/// last commit; the owner may go on from there or stop.
package final class UsageDatabase {
  private let connection: SQLite
  private let selectAggregate: Statement
  private let putAggregate: Statement
  private let selectSeries: Statement
  private let insertSeries: Statement
  private let insertUnapplied: Statement
  private let updatePipeline: Statement

  /// Opens the file, making it where there is none. Whoever calls this holds the lock of the one writer.
  package init(path: String) throws(StoreError) {
    connection = try SQLite(path, .writer)
    for pragma in [
      "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF",
      "cell_size_check=ON", "temp_store=MEMORY", "journal_size_limit=67108864",
    ] {
      try connection.execute("PRAGMA \(pragma)")
    }
    try UsageDatabase.prepareSchema(connection, path)
    selectAggregate = try connection.prepare(
      "SELECT units, attos FROM aggregate WHERE window = ? AND series = ? AND usage_hour = ?")
    putAggregate = try connection.prepare(
      """
      INSERT INTO aggregate VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET units = excluded.units, attos = excluded.attos
      """)
    selectSeries = try connection.prepare(
      """
      SELECT id FROM series WHERE subscription = ? AND meter = ? AND resource_uri = ?
      AND location = ? AND tags = ? AND additional_info = ?
      """)
    insertSeries = try connection.prepare(
      """
      INSERT INTO series (subscription, meter, resource_uri, location, tags, additional_info)
      VALUES (?, ?, ?, ?, ?, ?) RETURNING id
      """)
    insertUnapplied = try connection.prepare(
      """
      INSERT INTO unapplied (position, window, series, usage_hour, units, attos)
      VALUES (?, ?, ?, ?, ?, ?)
      """)
    updatePipeline = try connection.prepare(
      "UPDATE pipeline SET next_position = ?, reported_time = ?, open_window = ?, journal_id = ?")
  }

  private static func prepareSchema(_ connection: SQLite, _ path: String) throws(StoreError) {
    switch try connection.schemaVersion() {
    case Schema.version: return
    case 0:
      try connection.transaction { () throws(StoreError) in
        try connection.execute(Schema.statements)
        try connection.execute("PRAGMA application_id = \(Schema.applicationID)")
        try connection.execute("PRAGMA user_version = \(Schema.version)")
      }
    case let found:
      throw Schema.newer(found, path)
    }
  }

  package func position() throws(StoreError) -> PipelinePosition {
    try connection.pipelinePosition()
  }

  /// Makes the catalog in the database equal to `catalog`. A meter that left the catalog keeps its row where
  /// usage speaks of it.
  package func replaceCatalog(_ catalog: MeterCatalog) throws(StoreError) {
    let put = try connection.prepare(
      """
      INSERT INTO meter VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
      name = excluded.name, unit = excluded.unit, category = excluded.category,
      resource_provider = excluded.resource_provider, aggregation = excluded.aggregation,
      billable = excluded.billable
      """)
    try connection.transaction { () throws(StoreError) in
      try connection.execute(
        "DELETE FROM meter WHERE id NOT IN (SELECT meter FROM series)")
      for meter in catalog.meters {
        put.bind(1, meter.id)
        put.bind(2, meter.name)
        put.bind(3, meter.unit)
        put.bind(4, meter.category)
        put.bind(5, meter.resourceProvider)
        put.bind(6, meter.aggregation.rawValue)
        put.bind(7, meter.isBillable ? 1 : 0)
        try put.run()
      }
    }
  }

  /// Begins the transaction that `commit` ends. Series may be interned in between.
  package func begin() throws(StoreError) {
    try connection.execute("BEGIN IMMEDIATE")
  }

  package func rollback() {
    // Nothing to undo where SQLite has rolled back already.
    try? connection.execute("ROLLBACK")
  }

  /// The number of a series, given to it now if it has none.
  package func intern(_ series: Series) throws(StoreError) -> Int64 {
    bind(series, to: selectSeries)
    if try selectSeries.step() {
      defer { selectSeries.reset() }
      return selectSeries.integer(0)
    }
    bind(series, to: insertSeries)
    _ = try insertSeries.step()
    let id = insertSeries.integer(0)
    _ = try insertSeries.step()
    return id
  }

  private func bind(_ series: Series, to statement: Statement) {
    statement.bind(1, series.subscription)
    statement.bind(2, series.meter)
    statement.bind(3, series.resource.uri)
    statement.bind(4, series.resource.location)
    statement.bind(5, series.resource.tags)
    statement.bind(6, series.resource.additionalInfo)
  }

  /// Adds deltas to the aggregates and moves the position, all or nothing. What no longer fits an aggregate is
  /// kept in `unapplied`; returns how many.
  package func commit(
    deltas: [AggregateKey: Quantity], unapplied: [UnappliedQuantity],
    position: PipelinePosition
  ) throws(StoreError) -> Int {
    var kept = unapplied
    // In the order of the key, so that pages are written once.
    for (key, delta) in deltas.sorted(by: { $0.key < $1.key }) {
      selectAggregate.bind(1, key.window.index)
      selectAggregate.bind(2, key.series)
      selectAggregate.bind(3, key.usageHour.index)
      var total = delta
      if try selectAggregate.step() {
        let stored = Quantity(
          units: selectAggregate.integer(0), attos: selectAggregate.integer(1))
        selectAggregate.reset()
        guard let sum = stored?.adding(delta) else {
          kept.append(
            UnappliedQuantity(key: key, quantity: delta, position: position.nextPosition))
          continue
        }
        total = sum
      }
      putAggregate.bind(1, key.window.index)
      putAggregate.bind(2, key.series)
      putAggregate.bind(3, key.usageHour.index)
      putAggregate.bind(4, total.units)
      putAggregate.bind(5, total.remainingAttos)
      try putAggregate.run()
    }
    for entry in kept {
      insertUnapplied.bind(1, Int64(entry.position))
      insertUnapplied.bind(2, entry.key.window.index)
      insertUnapplied.bind(3, entry.key.series)
      insertUnapplied.bind(4, entry.key.usageHour.index)
      insertUnapplied.bind(5, entry.quantity.units)
      insertUnapplied.bind(6, entry.quantity.remainingAttos)
      try insertUnapplied.run()
    }
    updatePipeline.bind(1, Int64(position.nextPosition))
    updatePipeline.bind(2, position.reportedTime.nanoseconds)
    updatePipeline.bind(3, position.openWindow.index)
    updatePipeline.bind(4, Int64(bitPattern: position.journalID))
    try updatePipeline.run()
    try connection.execute("COMMIT")
    return kept.count
  }
}

extension AggregateKey: Comparable {
  package static func < (left: AggregateKey, right: AggregateKey) -> Bool {
    (left.window, left.series, left.usageHour) < (right.window, right.series, right.usageHour)
  }
}
