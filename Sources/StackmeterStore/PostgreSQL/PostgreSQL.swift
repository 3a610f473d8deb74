internal import CPQ
internal import Glibc
internal import StackmeterCore

/// One connection to PostgreSQL by libpq, for one thread at a time. Every call blocks.
package final class PostgreSQL {
  private let handle: OpaquePointer
  /// The names of prepared statements by their text.
  private var prepared: [String: String] = [:]
  /// When the statements that run now are given up; nil for never.
  private var deadline: ContinuousClock.Instant?
  /// What the server was told of that, in milliseconds.
  private var timeout: Int64 = 0
  /// libpq has seen the end before its status says so.
  private var isBroken = false

  /// What a connection gets where its text says nothing else. A server that is gone without a word is noticed.
  private static let defaults = [
    "connect_timeout": "5", "fallback_application_name": "stackmeter", "keepalives_idle": "10",
    "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "30000",
  ]

  /// Connects. `text` is a connection string or URI of libpq; it is in no message, because it may hold a password.
  package init(_ text: String) throws(StoreError) {
    try PostgreSQL.check(text)
    var names: [UnsafeMutablePointer<CChar>?] = []
    var values: [UnsafeMutablePointer<CChar>?] = []
    let settings = PostgreSQL.defaults.sorted { $0.key < $1.key } + [("dbname", text)]
    for (name, value) in settings + [("client_encoding", "UTF8")] {
      names.append(strdup(name))
      values.append(strdup(value))
    }
    defer { for text in names + values { free(text) } }
    let keys = names.map { UnsafePointer($0) } + [nil]
    guard let handle = PQconnectdbParams(keys, values.map { UnsafePointer($0) } + [nil], 1) else {
      throw StoreError(.system, "PostgreSQL: libpq has no memory")
    }
    self.handle = handle
    guard PQstatus(handle) == CONNECTION_OK else {
      throw StoreError(.interrupted, PostgreSQL.sentence(PQerrorMessage(handle)))
    }
    // The server's notes are nothing for standard error.
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
    let encoding = PQparameterStatus(handle, "server_encoding").map { String(cString: $0) }
    guard encoding == "UTF8" else {
      throw StoreError(
        .system,
        "the PostgreSQL database has the encoding \(encoding ?? "?"); make one with ENCODING 'UTF8'"
      )
    }
    // Whole lists are parameters: a plan that does not know how long they are reads whole tables.
    try execute("SET plan_cache_mode = force_custom_plan; SET TimeZone = 'UTC'")
  }

  deinit {
    PQfinish(handle)
  }

  /// Throws where a text is no connection string. What is wrong with it is not said: libpq would quote a part of it.
  package static func check(_ text: String) throws(StoreError) {
    var message: UnsafeMutablePointer<CChar>?
    let options = PQconninfoParse(text, &message)
    PQfreemem(message)
    guard let options else {
      throw StoreError(
        .system,
        "store.postgresql is neither a connection string nor a URI of PostgreSQL, such as "
          + "\"host=db.example dbname=stackmeter user=stackmeter\"")
    }
    PQconninfoFree(options)
  }

  /// False once the connection is known to be lost.
  var isConnected: Bool { PQstatus(handle) == CONNECTION_OK && !isBroken }
  var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }
  /// The process of the server that serves this connection.
  var serverProcess: Int32 { PQbackendPID(handle) }

  /// The server, for people.
  var place: String {
    func text(_ value: UnsafeMutablePointer<CChar>?) -> String {
      value.map { String(cString: $0) } ?? ""
    }
    let version = PQserverVersion(handle)
    return "PostgreSQL \(version / 10_000).\(version % 10_000), database \(text(PQdb(handle))) "
      + "at \(text(PQhost(handle)))"
  }

  /// A name as SQL takes it, whatever is in it.
  static func identifier(_ name: String) -> String {
    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
      + "\""
  }

  /// Looks for tables in one schema only from here on.
  func use(schema: String) throws(StoreError) {
    try execute("SET search_path = \(PostgreSQL.identifier(schema))")
  }

  /// Runs `body`; its statements fail once they have taken longer than `limit` together.
  func within<Result>(
    _ limit: Duration, _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let milliseconds = max(1, limit.milliseconds)
    if timeout != milliseconds {
      _ = try rows(
        PQexec(
          handle, "SET statement_timeout = \(milliseconds); SET lock_timeout = \(milliseconds)"))
      timeout = milliseconds
    }
    deadline = ContinuousClock.now + limit
    defer { deadline = nil }
    return try body()
  }

  private static var tooSlow: StoreError {
    StoreError(
      .tooSlow, "the question took too long; ask for a shorter time or fewer subscriptions")
  }

  /// Before every statement: what a limit has told the server is not in force behind it.
  private func checkDeadline() throws(StoreError) {
    if let deadline {
      guard ContinuousClock.now <= deadline else { throw PostgreSQL.tooSlow }
    } else if timeout != 0 {
      timeout = 0
      _ = try rows(PQexec(handle, "SET statement_timeout = 0; SET lock_timeout = 0"))
    }
  }

  /// Runs statements without parameters that give no rows.
  package func execute(_ sql: String) throws(StoreError) {
    try checkDeadline()
    _ = try rows(PQexec(handle, sql))
  }

  /// Runs one statement, which is prepared once for each text.
  @discardableResult
  package func query(
    _ sql: String, _ parameters: [PostgreSQLParameter] = []
  ) throws(StoreError) -> PostgreSQLRows {
    try checkDeadline()
    let name: String
    if let known = prepared[sql] {
      name = known
    } else {
      name = "s\(prepared.count)"
      _ = try rows(PQprepare(handle, name, sql, 0, nil))
      prepared[sql] = name
    }
    let lengths = parameters.map { Int32($0.bytes.count) }
    let formats = [Int32](repeating: 1, count: parameters.count)
    let answer = PostgreSQL.withPointers(parameters[...], []) { values in
      PQexecPrepared(handle, name, Int32(parameters.count), values, lengths, formats, 1)
    }
    return try rows(answer)
  }

  /// Lends the addresses of all parameters at once.
  private static func withPointers<Result>(
    _ rest: ArraySlice<PostgreSQLParameter>, _ pointers: [UnsafePointer<CChar>?],
    _ body: ([UnsafePointer<CChar>?]) -> Result
  ) -> Result {
    guard let first = rest.first else { return body(pointers) }
    return first.bytes.withUnsafeBytes { bytes in
      // A nil pointer would be NULL instead of an empty text.
      let address = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
      let pointers = pointers + [address?.assumingMemoryBound(to: CChar.self)]
      return withPointers(rest.dropFirst(), pointers, body)
    }
  }

  /// Runs `body` in one transaction, which ends with it whichever way.
  func transaction<Result>(
    _ begin: String = "BEGIN", _ body: () throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try execute(begin)
    do throws(StoreError) {
      let result = try body()
      try commit()
      return result
    } catch {
      rollback()
      throw error
    }
  }

  /// Where the connection is lost on the way, nobody knows whether it is committed.
  func commit() throws(StoreError) {
    let rows = try rows(PQexec(handle, "COMMIT"))
    // A transaction that has failed is rolled back without an error.
    guard rows.command == "COMMIT" else {
      throw StoreError(.interrupted, "PostgreSQL has rolled the transaction back")
    }
  }

  func rollback() {
    if isConnected && isInTransaction { PQclear(PQexec(handle, "ROLLBACK")) }
  }

  private func rows(_ result: OpaquePointer?) throws(StoreError) -> PostgreSQLRows {
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
      guard let result else { break }
      return PostgreSQLRows(result)
    default: break
    }
    defer { PQclear(result) }
    throw failure(result)
  }

  private static let sqlState = Int32(UInt8(ascii: "C"))
  private static let primaryMessage = Int32(UInt8(ascii: "M"))

  private func failure(_ result: OpaquePointer?) -> StoreError {
    let state = PQresultErrorField(result, PostgreSQL.sqlState).map { String(cString: $0) } ?? ""
    let reason =
      PQresultErrorField(result, PostgreSQL.primaryMessage).map { PostgreSQL.sentence($0) }
      ?? PostgreSQL.sentence(PQerrorMessage(handle))
    // What libpq itself finds has no state: the connection is not what it was.
    if state.isEmpty || state.hasPrefix("57P") || state.hasPrefix("08") { isBroken = true }
    switch state {
    // A statement was cancelled.
    case "57014" where deadline != nil, "55P03" where deadline != nil: return PostgreSQL.tooSlow
    // Serialization failure, deadlock, lock timeout, a statement cancelled by hand.
    case "40001", "40P01", "55P03", "57014": return StoreError(.interrupted, reason)
    case "42P01", "3F000":
      return StoreError(.missing, "\(reason); the aggregator makes the tables when it starts")
    case "22003": return StoreError(.overflow, "a total is too large; ask for a shorter time")
    default: return StoreError(isConnected ? .system : .interrupted, reason)
    }
  }

  private static func sentence(_ message: UnsafePointer<CChar>?) -> String {
    let text = message.map { String(cString: $0) } ?? ""
    let lines = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return "PostgreSQL: " + (lines.isEmpty ? "the connection is lost" : lines)
  }
}

extension Duration {
  /// Rounded toward zero.
  var milliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
