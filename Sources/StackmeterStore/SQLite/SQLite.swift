internal import CSQLite
internal import Glibc

/// One connection to an SQLite file, for one thread at a time.
///
/// Debian's SQLite can corrupt a WAL database that two connections write and checkpoint at the same instant, so
/// exactly one connection of one process opens it to write: of the usage database the aggregator's, of the outbox the
/// bridge's, each under a lock. All others are read-only. https://sqlite.org/wal.html#walresetbug
package final class SQLite {
  package enum Mode {
    case writer
    case reader
  }

  private let handle: OpaquePointer
  private let path: String
  /// When the statements that run now are given up; nil for never.
  private var deadline: ContinuousClock.Instant?

  /// Once in a process. It fails, and changes nothing, where something has used SQLite before.
  private static let isConfigured = stackmeter_sqlite_count_no_memory() == SQLITE_OK

  package init(_ path: String, _ mode: Mode) throws(StoreError) {
    _ = SQLite.isConfigured
    var opened: OpaquePointer?
    let flags =
      switch mode {
      case .writer: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
      case .reader: SQLITE_OPEN_READONLY
      }
    let result = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
    guard result == SQLITE_OK, let opened else {
      let reason =
        opened.map { String(cString: sqlite3_errmsg($0)) + SQLite.systemReason($0) }
        ?? "out of memory"
      sqlite3_close_v2(opened)
      if result == SQLITE_CANTOPEN, case .reader = mode {
        throw StoreError(.missing, "\(path) cannot be opened: \(reason)")
      }
      throw StoreError(.system, "\(path): \(reason)")
    }
    handle = opened
    self.path = path
    sqlite3_extended_result_codes(opened, 1)
    sqlite3_busy_timeout(opened, 5000)
    sqlite3_progress_handler(
      opened, SQLite.stepsBetweenChecks,
      { connection in
        let this = Unmanaged<SQLite>.fromOpaque(connection!).takeUnretainedValue()
        return this.deadline.map { ContinuousClock.now > $0 ? 1 : 0 } ?? 0
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// About a millisecond of SQLite's work.
  private static let stepsBetweenChecks: Int32 = 10_000

  /// Runs `body`; its statements fail once they have taken longer than `limit` together.
  package func within<Result>(
    _ limit: Duration, _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    deadline = ContinuousClock.now + limit
    defer { deadline = nil }
    return try body()
  }

  deinit {
    if !isClosed { sqlite3_close_v2(handle) }
  }

  private(set) fileprivate var isClosed = false

  /// Moves what the WAL has into the database, as far as nobody reads it, and ends the connection with all of its
  /// statements; the last connection leaves one file. Nothing may be called afterwards.
  package func close() {
    precondition(!isClosed, "a connection is closed once")
    // Who reads for longer keeps the WAL, which the next writer takes up.
    sqlite3_busy_timeout(handle, 1000)
    sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
    while let statement = sqlite3_next_stmt(handle, nil) { sqlite3_finalize(statement) }
    sqlite3_close_v2(handle)
    isClosed = true
  }

  /// Runs statements that give no rows.
  package func execute(_ sql: String) throws(StoreError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
  }

  package func prepare(_ sql: String) throws(StoreError) -> SQLiteStatement {
    var prepared: OpaquePointer?
    guard
      sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        == SQLITE_OK, let prepared
    else { throw failure() }
    return SQLiteStatement(prepared, connection: self)
  }

  /// Runs `body` in one transaction, which ends with it whichever way.
  package func transaction<Result>(
    _ begin: String = "BEGIN IMMEDIATE", _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try execute(begin)
    do throws(StoreError) {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      // Fails where SQLite has rolled back already; the first error is the one that tells.
      sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
      throw error
    }
  }

  /// The rows that the last statement that changes rows has changed.
  package var changes: Int { Int(sqlite3_changes64(handle)) }

  /// The number of the row that was inserted last.
  package var lastRow: Int64 { sqlite3_last_insert_rowid(handle) }

  package func failure() -> StoreError {
    let reason = String(cString: sqlite3_errmsg(handle))
    if reason == "integer overflow" {
      return StoreError(.overflow, "a total is too large; ask for a shorter time")
    }
    if sqlite3_errcode(handle) & 0xFF == SQLITE_INTERRUPT {
      return StoreError(
        .tooSlow, "the question took too long; ask for a shorter time or fewer subscriptions")
    }
    if sqlite3_extended_errcode(handle) == SQLITE_CANTOPEN {
      return StoreError(.missing, "\(path): \(reason)\(SQLite.systemReason(handle))")
    }
    return StoreError(.system, "\(path): \(reason)\(SQLite.systemReason(handle))")
  }

  /// What the system said where SQLite only says that it said something.
  private static func systemReason(_ handle: OpaquePointer?) -> String {
    // A file that cannot be opened to write SQLite opens to read.
    if sqlite3_errcode(handle) & 0xFF == SQLITE_READONLY {
      return
        ": it or a file beside it could only be opened to read; see the disk and the permissions"
    }
    let number = sqlite3_system_errno(handle)
    let isSystem = [SQLITE_IOERR, SQLITE_CANTOPEN].contains(sqlite3_errcode(handle) & 0xFF)
    return isSystem && number != 0 ? ": \(String(cString: strerror(number)))" : ""
  }
}

/// The short name in this module; outside it a statement is what somebody owes.
typealias Statement = SQLiteStatement

/// A prepared statement. Parameters and columns count from 1 and from 0, as in SQLite.
package final class SQLiteStatement {
  private let handle: OpaquePointer
  /// Keeps the connection open.
  private let connection: SQLite

  fileprivate init(_ handle: OpaquePointer, connection: SQLite) {
    self.handle = handle
    self.connection = connection
  }

  deinit {
    if !connection.isClosed { sqlite3_finalize(handle) }
  }

  package func bind(_ index: Int32, _ value: Int64) {
    sqlite3_bind_int64(handle, index, value)
  }

  package func bind(_ index: Int32, _ value: String) {
    var value = value
    value.withUTF8 { bytes in
      _ = sqlite3_bind_text64(
        handle, index,
        UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
          ?? SQLiteStatement.empty, UInt64(bytes.count), SQLiteStatement.transient,
        UInt8(SQLITE_UTF8))
    }
  }

  package func bind(_ index: Int32, _ value: [UInt8]) {
    value.withUnsafeBytes { bytes in
      _ = sqlite3_bind_blob64(
        handle, index, bytes.baseAddress ?? UnsafeRawPointer(SQLiteStatement.empty),
        UInt64(bytes.count), SQLiteStatement.transient)
    }
  }

  package func bindNull(_ index: Int32) {
    sqlite3_bind_null(handle, index)
  }

  /// Tells SQLite to copy the text before the call returns.
  private static var transient: sqlite3_destructor_type {
    unsafeBitCast(-1, to: sqlite3_destructor_type.self)
  }

  /// Any address: a nil pointer would bind NULL instead of an empty text.
  private static var empty: UnsafePointer<CChar> {
    sqlite3_libversion()
  }

  /// Whether there is a row. After the last one the statement is ready to run again.
  package func step() throws(StoreError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE:
      sqlite3_reset(handle)
      return false
    default:
      let error = connection.failure()
      sqlite3_reset(handle)
      throw error
    }
  }

  /// Runs a statement that gives no rows.
  package func run() throws(StoreError) {
    while try step() {}
  }

  /// Gives up rows that were not read.
  package func reset() {
    sqlite3_reset(handle)
  }

  package func isNull(_ column: Int32) -> Bool {
    sqlite3_column_type(handle, column) == SQLITE_NULL
  }

  package func bytes(_ column: Int32) -> [UInt8] {
    let count = Int(sqlite3_column_bytes(handle, column))
    guard count > 0, let bytes = sqlite3_column_blob(handle, column) else { return [] }
    return Array(UnsafeRawBufferPointer(start: bytes, count: count))
  }

  package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  /// The bytes of a text.
  package func byteCount(_ column: Int32) -> Int { Int(sqlite3_column_bytes(handle, column)) }

  package func text(_ column: Int32) -> String {
    let count = Int(sqlite3_column_bytes(handle, column))
    guard count > 0, let bytes = sqlite3_column_text(handle, column) else { return "" }
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }
}
