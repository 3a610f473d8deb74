internal import StackmeterCore

/// A parameter of a statement in PostgreSQL's binary format: arrays of one dimension, numbers and bytes.
package struct PostgreSQLParameter {
  package private(set) var bytes: [UInt8] = []

  /// Object ids of PostgreSQL's types.
  private enum TypeID {
    static let bytea: Int32 = 17
    static let bigint: Int32 = 20
    static let integer: Int32 = 23
    static let text: Int32 = 25
    static let numeric: Int32 = 1700
  }

  package init(_ value: Int32) {
    append(value)
  }

  package init(_ value: Int64) {
    append(value)
  }

  /// As a `bigint` with the same bits.
  init(_ position: UInt64) {
    append(position)
  }

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  package init(integers: some Collection<Int32>) {
    beginArray(of: TypeID.integer, integers.count)
    for value in integers {
      append(Int32(4))
      append(value)
    }
  }

  package init(bigints: some Collection<Int64>) {
    beginArray(of: TypeID.bigint, bigints.count)
    for value in bigints {
      append(Int32(8))
      append(value)
    }
  }

  /// With NULL for nil.
  init(optionalBigints values: some Collection<Int64?>) {
    beginArray(of: TypeID.bigint, values.count, hasNulls: true)
    for value in values {
      append(Int32(value == nil ? -1 : 8))
      if let value { append(value) }
    }
  }

  /// Texts that lie one after the other; `ends` says where each ends.
  package init(texts: [UInt8], ends: [Int]) {
    beginArray(of: TypeID.text, ends.count)
    var start = 0
    for end in ends {
      append(Int32(end - start))
      bytes.append(contentsOf: texts[start..<end])
      start = end
    }
  }

  init(texts: some Collection<String>) {
    beginArray(of: TypeID.text, texts.count)
    for text in texts {
      append(Int32(text.utf8.count))
      bytes.append(contentsOf: text.utf8)
    }
  }

  init(byteStrings: some Collection<[UInt8]>) {
    beginArray(of: TypeID.bytea, byteStrings.count)
    for value in byteStrings {
      append(Int32(value.count))
      bytes.append(contentsOf: value)
    }
  }

  /// Decimals with 18 digits after the point.
  package init(attos: some Collection<Int128>) {
    beginArray(of: TypeID.numeric, attos.count)
    for value in attos { appendNumeric(value) }
  }

  /// An array without elements has no dimension.
  private mutating func beginArray(of type: Int32, _ count: Int, hasNulls: Bool = false) {
    bytes.reserveCapacity(20 + count * 12)
    append(Int32(count == 0 ? 0 : 1))
    append(Int32(hasNulls ? 1 : 0))
    append(type)
    guard count > 0 else { return }
    append(Int32(count))
    append(Int32(1))
  }

  /// Digits to the base 10,000, the most significant first: their number, the weight of the first, the sign, the
  /// digits to show after the point, then the digits.
  private mutating func appendNumeric(_ attos: Int128) {
    let (whole, fraction) = attos.magnitude.quotientAndRemainder(
      dividingBy: Quantity.attosPerUnit.magnitude)
    // Five digits after the point are 20 decimal ones.
    var rest = fraction * 100
    var digits: [Int16] = []
    while digits.count < 5 {
      digits.append(Int16(rest % 10_000))
      rest /= 10_000
    }
    rest = whole
    while rest > 0 {
      digits.append(Int16(rest % 10_000))
      rest /= 10_000
    }
    while digits.last == 0 { digits.removeLast() }
    let weight = digits.count - 6
    append(Int32(8 + 2 * digits.count))
    append(Int16(digits.count))
    append(Int16(digits.isEmpty ? 0 : weight))
    append(Int16(attos < 0 ? 0x4000 : 0))
    append(Int16(18))
    for digit in digits.reversed() { append(digit) }
  }

  private mutating func append(_ value: some FixedWidthInteger & BitwiseCopyable) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
