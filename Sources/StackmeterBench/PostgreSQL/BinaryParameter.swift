/// A parameter of a statement in PostgreSQL's binary format: arrays of one dimension, and numbers.
struct BinaryParameter {
  private(set) var bytes: [UInt8] = []

  /// Object ids of PostgreSQL's types.
  private enum TypeID {
    static let bigint: Int32 = 20
    static let integer: Int32 = 23
    static let text: Int32 = 25
    static let numeric: Int32 = 1700
  }

  private init() {}

  init(_ value: Int32) {
    append(value)
  }

  init(integers: some Collection<Int32>) {
    beginArray(of: TypeID.integer, integers.count)
    for value in integers {
      append(Int32(4))
      append(value)
    }
  }

  init(bigints: [Int64]) {
    beginArray(of: TypeID.bigint, bigints.count)
    for value in bigints {
      append(Int32(8))
      append(value)
    }
  }

  /// Texts that lie one after the other; `ends` says where each ends.
  init(texts: [UInt8], ends: [Int]) {
    beginArray(of: TypeID.text, ends.count)
    var start = 0
    for end in ends {
      append(Int32(end - start))
      bytes.append(contentsOf: texts[start..<end])
      start = end
    }
  }

  /// Decimals with 18 digits after the point. Their size is at most a tenth of what 128 bits hold.
  init(attos: [Int128]) {
    beginArray(of: TypeID.numeric, attos.count)
    for value in attos { appendNumeric(value) }
  }

  private mutating func beginArray(of type: Int32, _ count: Int) {
    append(Int32(1))
    append(Int32(0))
    append(type)
    append(Int32(count))
    append(Int32(1))
  }

  /// Digits to the base 10,000, the most significant first: their number, the weight of the first, the sign, the
  /// digits to show after the point, then the digits.
  private mutating func appendNumeric(_ attos: Int128) {
    // Five digits after the point are 20 decimal ones.
    var rest = attos.magnitude * 100
    var digits: [Int16] = []
    while rest > 0 {
      digits.append(Int16(rest % 10_000))
      rest /= 10_000
    }
    let weight = digits.count - 6
    append(Int32(8 + 2 * digits.count))
    append(Int16(digits.count))
    append(Int16(digits.isEmpty ? 0 : weight))
    append(Int16(attos < 0 ? 0x4000 : 0))
    append(Int16(18))
    for digit in digits.reversed() { append(digit) }
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
