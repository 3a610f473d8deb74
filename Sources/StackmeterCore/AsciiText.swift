/// Writes a short ASCII text into place: what every row of every answer is made of, so without a heap buffer
/// in between.
struct AsciiText: ~Copyable {
  /// Enough for the longest quantity and the longest instant.
  static let bytesMax = 64

  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private var count = 0

  private init(_ bytes: UnsafeMutableBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  static func make(_ body: (inout AsciiText) -> Void) -> String {
    String(unsafeUninitializedCapacity: bytesMax) { buffer in
      var text = AsciiText(buffer)
      body(&text)
      return text.count
    }
  }

  /// Appends to bytes, without a text in between.
  static func append(to output: inout [UInt8], _ body: (inout AsciiText) -> Void) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytesMax) { buffer in
      var text = AsciiText(buffer)
      body(&text)
      output.append(contentsOf: buffer[..<text.count])
    }
  }

  mutating func byte(_ scalar: Unicode.Scalar) {
    bytes[count] = UInt8(ascii: scalar)
    count += 1
  }

  /// Writes `value` with zeros before it up to `digits` digits, or more where it is longer.
  mutating func number(_ value: UInt64, digits: Int = 1) {
    var length = digits
    var rest = value
    for _ in 0..<digits { rest /= 10 }
    while rest > 0 {
      length += 1
      rest /= 10
    }
    rest = value
    for index in stride(from: count + length - 1, through: count, by: -1) {
      bytes[index] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
      rest /= 10
    }
    count += length
  }

  /// Writes `value`, the digits after a point, without zeros at the end.
  mutating func fraction(_ value: UInt64, digits: Int) {
    number(value, digits: digits)
    while count > 0, bytes[count - 1] == 0x30 { count -= 1 }
  }
}
