internal import CPQ

/// One connection by libpq. Every call blocks; one thread at a time uses it.
struct PostgreSQLConnection: ~Copyable {
  private let connection: OpaquePointer

  init(_ text: String) throws(BenchFailure) {
    guard let connection = PQconnectdb(text) else { throw BenchFailure("libpq has no memory") }
    guard PQstatus(connection) == CONNECTION_OK else {
      defer { PQfinish(connection) }
      throw BenchFailure("PostgreSQL: \(String(cString: PQerrorMessage(connection)))")
    }
    self.connection = connection
  }

  deinit {
    PQfinish(connection)
  }

  /// Runs statements without parameters.
  func execute(_ statements: String) throws(BenchFailure) {
    _ = try result(PQexec(connection, statements))
  }

  func prepare(_ name: String, _ statement: String) throws(BenchFailure) {
    _ = try result(PQprepare(connection, name, statement, 0, nil))
  }

  /// The number in the only row and column of what a statement gives.
  func number(_ statement: String) throws(BenchFailure) -> UInt64 {
    try result(PQexec(connection, statement))
  }

  /// Runs a prepared statement, and gives the number in the only row and column of its answer.
  func number(
    prepared name: String, _ parameters: [BinaryParameter]
  ) throws(BenchFailure) -> UInt64 {
    let lengths = parameters.map { Int32($0.bytes.count) }
    let formats = [Int32](repeating: 1, count: parameters.count)
    let answer = withPointers(parameters[...], []) { values in
      PQexecPrepared(
        connection, name, Int32(parameters.count), values, lengths, formats, 0)
    }
    return try result(answer)
  }

  /// Runs a prepared statement with texts as its parameters, reads all that it answers, and gives the last column.
  func lastColumn(
    prepared name: String, _ parameters: [String]
  ) throws(BenchFailure) -> [String] {
    let texts = parameters.map { Array($0.utf8CString) }
    let answer = withTexts(texts[...], []) { values in
      PQexecPrepared(connection, name, Int32(parameters.count), values, nil, nil, 0)
    }
    defer { PQclear(answer) }
    guard PQresultStatus(answer) == PGRES_TUPLES_OK else {
      throw BenchFailure("PostgreSQL: \(String(cString: PQerrorMessage(connection)))")
    }
    let column = PQnfields(answer) - 1
    return (0..<PQntuples(answer)).map { String(cString: PQgetvalue(answer, $0, column)) }
  }

  private func withTexts<Result>(
    _ rest: ArraySlice<[CChar]>, _ pointers: [UnsafePointer<CChar>?],
    _ body: ([UnsafePointer<CChar>?]) -> Result
  ) -> Result {
    guard let first = rest.first else { return body(pointers) }
    return first.withUnsafeBufferPointer { text in
      withTexts(rest.dropFirst(), pointers + [text.baseAddress], body)
    }
  }

  /// Lends the addresses of all parameters at once.
  private func withPointers<Result>(
    _ rest: ArraySlice<BinaryParameter>, _ pointers: [UnsafePointer<CChar>?],
    _ body: ([UnsafePointer<CChar>?]) -> Result
  ) -> Result {
    guard let first = rest.first else { return body(pointers) }
    return first.bytes.withUnsafeBytes { bytes in
      withPointers(
        rest.dropFirst(), pointers + [bytes.baseAddress!.assumingMemoryBound(to: CChar.self)],
        body)
    }
  }

  private func result(_ answer: OpaquePointer?) throws(BenchFailure) -> UInt64 {
    defer { PQclear(answer) }
    switch PQresultStatus(answer) {
    case PGRES_COMMAND_OK: return 0
    case PGRES_TUPLES_OK where PQntuples(answer) == 1:
      return UInt64(String(cString: PQgetvalue(answer, 0, 0))) ?? 0
    default:
      throw BenchFailure("PostgreSQL: \(String(cString: PQerrorMessage(connection)))")
    }
  }
}
