internal import CPQ
package import StackmeterCore

/// What a statement gave, in PostgreSQL's binary format. Rows and columns count from 0.
package final class PostgreSQLRows {
  private let result: OpaquePointer

  /// Takes the result over.
  init(_ result: OpaquePointer) {
    self.result = result
  }

  deinit {
    PQclear(result)
  }

  package var count: Int { Int(PQntuples(result)) }

  /// What was done: `COMMIT`, `INSERT 0 1`.
  var command: String { String(cString: PQcmdStatus(result)) }

  /// The rows that were written.
  var changes: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

  func isNull(_ row: Int, _ column: Int) -> Bool {
    PQgetisnull(result, Int32(row), Int32(column)) != 0
  }

  private func raw(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result, Int32(row), Int32(column)),
      count: Int(PQgetlength(result, Int32(row), Int32(column))))
  }

  /// A number of 2, 4 or 8 bytes, or a truth as 0 or 1; 0 for NULL.
  package func integer(_ row: Int, _ column: Int) -> Int64 {
    let bytes = raw(row, column)
    guard let first = bytes.first else { return 0 }
    return bytes.dropFirst().reduce(Int64(Int8(bitPattern: first))) { $0 << 8 | Int64($1) }
  }

  func text(_ row: Int, _ column: Int) -> String {
    String(decoding: raw(row, column), as: UTF8.self)
  }

  /// The bytes of a text or a `bytea`.
  func bytes(_ row: Int, _ column: Int) -> [UInt8] { Array(raw(row, column)) }

  /// A decimal; throws where it is no quantity.
  package func quantity(_ row: Int, _ column: Int) throws(StoreError) -> Quantity {
    guard let attos = PostgreSQLRows.attos(raw(row, column)), let quantity = Quantity(attos: attos)
    else { throw StoreError(.overflow, "a total is too large; ask for a shorter time") }
    return quantity
  }

  /// A decimal that may be larger than a quantity, in attos.
  func attos(_ row: Int, _ column: Int) throws(StoreError) -> Int128 {
    guard let attos = PostgreSQLRows.attos(raw(row, column)) else {
      throw StoreError(.overflow, "a total is too large; ask for a shorter time")
    }
    return attos
  }

  /// Reads what `PostgreSQLParameter` writes for a decimal. Nil where it is none, is too large, or has more digits
  /// after the point than 18.
  static func attos(_ numeric: UnsafeRawBufferPointer) -> Int128? {
    func word(_ index: Int) -> Int {
      Int(
        Int16(bigEndian: numeric.loadUnaligned(fromByteOffset: index * 2, as: Int16.self)))
    }
    guard numeric.count >= 8, numeric.count == 8 + 2 * word(0) else { return nil }
    let isNegative = word(2) == 0x4000
    guard isNegative || word(2) == 0 else { return nil }
    var attos: Int128 = 0
    for index in 0..<word(0) {
      let exponent = 4 * (word(1) - index) + Quantity.fractionDigits
      var digit = Int128(word(4 + index))
      if exponent < 0 {
        let power = PostgreSQLRows.powerOfTen(min(-exponent, 4))
        guard digit % power == 0, -exponent <= 4 || digit == 0 else { return nil }
        digit /= power
      } else if digit != 0 {
        guard exponent <= 38 else { return nil }
        let (product, overflow) = digit.multipliedReportingOverflow(
          by: PostgreSQLRows.powerOfTen(exponent))
        guard !overflow else { return nil }
        digit = product
      }
      let (sum, overflow) = attos.addingReportingOverflow(digit)
      guard !overflow else { return nil }
      attos = sum
    }
    return isNegative ? -attos : attos
  }

  private static func powerOfTen(_ exponent: Int) -> Int128 {
    (0..<exponent).reduce(Int128(1)) { power, _ in power * 10 }
  }

  /// A series from six columns.
  func series(_ row: Int, _ column: Int) -> Series {
    Series(
      subscription: text(row, column), meter: text(row, column + 1),
      resource: Resource(
        uri: text(row, column + 2), location: text(row, column + 3), tags: text(row, column + 4),
        additionalInfo: text(row, column + 5)))
  }
}
