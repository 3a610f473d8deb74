internal import StackmeterCommerce
internal import StackmeterCore
internal import StackmeterStore

/// How far the windows are read.
struct ReadCursor: Hashable, Sendable {
  let window: Hour
  /// Of the next part of the window's rows; empty for the first, or where it is not known.
  var token: String
  /// The rows of the window that are read.
  var rows: Int64
  /// The window was read before.
  var isAgain: Bool
}

/// A batch on its way.
struct OutgoingBatch: Hashable, Sendable {
  let number: Int64
  let id: String
  let window: Hour
  let records: Int
  let body: [UInt8]
}

/// How much is where.
struct OutboxTotals: Hashable, Sendable {
  var pending: UInt64 = 0
  var sent: UInt64 = 0
  var acknowledged: UInt64 = 0
  var refused: UInt64 = 0
  /// The oldest with a batch.
  var oldestWindow: Hour?
  /// The first that is to be read, for the first time or again.
  var nextWindow: Hour?
}

/// What is still to be told to the commerce service, durably. Every change is one transaction.
actor Outbox {
  let database: SQLite
  let insertBatch: SQLiteStatement
  let deleteBatch: SQLiteStatement
  let putSettled: SQLiteStatement

  init(path: String) throws(StoreError) {
    database = try OutboxSchema.open(path)
    insertBatch = try database.prepare(
      "INSERT INTO batch (id, window, records, state, body) VALUES (?1, ?2, ?3, 0, ?4)")
    deleteBatch = try database.prepare("DELETE FROM batch WHERE number = ?1 AND id = ?2")
    putSettled = try database.prepare(
      """
      INSERT INTO settled (window, acknowledged, refused) VALUES (?1, ?2, ?3)
      ON CONFLICT (window) DO UPDATE SET
        acknowledged = acknowledged + excluded.acknowledged, refused = refused + excluded.refused
      """)
  }

  func close() {
    database.close()
  }

  /// Says with which window reading begins, unless it has begun.
  func begin(with window: Hour) throws(StoreError) {
    let statement = try database.prepare(
      "INSERT INTO progress (one, window, token, rows) VALUES (1, ?1, '', 0) ON CONFLICT DO NOTHING"
    )
    statement.bind(1, window.index)
    try statement.run()
  }

  /// What is read next; nil before `begin`. Windows that are read once more come first.
  func cursor() throws(StoreError) -> ReadCursor? {
    for (source, isAgain) in [("again ORDER BY window LIMIT 1", true), ("progress", false)] {
      let statement = try database.prepare("SELECT window, token, rows FROM \(source)")
      defer { statement.reset() }
      if try statement.step() {
        return ReadCursor(
          window: Hour(index: statement.integer(0)), token: statement.text(1),
          rows: statement.integer(2), isAgain: isAgain)
      }
    }
    return nil
  }

  /// Keeps what was read, and how far: nil where the window is at its end. Nothing happens where something else was
  /// read meanwhile.
  func add(
    _ batches: [PreparedBatch], at cursor: ReadCursor, next: ReadCursor?
  ) throws(StoreError) {
    guard try self.cursor() == cursor else { return }
    try database.transaction { () throws(StoreError) in
      for batch in batches { try insert(batch) }
      let sql =
        switch (cursor.isAgain, next == nil) {
        case (true, true): "DELETE FROM again WHERE window = ?1"
        case (true, false): "UPDATE again SET token = ?2, rows = ?3 WHERE window = ?1"
        case (false, true): "UPDATE progress SET window = ?1 + 1, token = '', rows = 0"
        case (false, false): "UPDATE progress SET window = ?1, token = ?2, rows = ?3"
        }
      let statement = try database.prepare(sql)
      statement.bind(1, cursor.window.index)
      if let next {
        statement.bind(2, next.token)
        statement.bind(3, next.rows)
      }
      try statement.run()
    }
  }

  func insert(_ batch: PreparedBatch) throws(StoreError) {
    insertBatch.bind(1, batch.id)
    insertBatch.bind(2, batch.window.index)
    insertBatch.bind(3, Int64(batch.records))
    insertBatch.bind(4, batch.body)
    try insertBatch.run()
  }

  func totals() throws(StoreError) -> OutboxTotals {
    var totals = OutboxTotals()
    let statement = try database.prepare(
      """
      SELECT (SELECT COALESCE(SUM(records), 0) FROM batch WHERE state = 0),
        (SELECT COALESCE(SUM(records), 0) FROM batch WHERE state = 1),
        (SELECT COALESCE(SUM(acknowledged), 0) FROM settled), (SELECT COUNT(*) FROM dead_letter),
        (SELECT MIN(window) FROM batch),
        COALESCE((SELECT MIN(window) FROM again), (SELECT window FROM progress))
      """)
    defer { statement.reset() }
    guard try statement.step() else { return totals }
    totals.pending = UInt64(statement.integer(0))
    totals.sent = UInt64(statement.integer(1))
    totals.acknowledged = UInt64(statement.integer(2))
    totals.refused = UInt64(statement.integer(3))
    totals.oldestWindow = statement.isNull(4) ? nil : Hour(index: statement.integer(4))
    totals.nextWindow = statement.isNull(5) ? nil : Hour(index: statement.integer(5))
    return totals
  }
}
