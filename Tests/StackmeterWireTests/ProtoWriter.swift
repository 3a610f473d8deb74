/// Writes protobuf by hand, also what no encoder would write.
struct ProtoWriter {
  private(set) var bytes: [UInt8] = []

  /// The bytes that `body` writes.
  static func bytes(_ body: (inout ProtoWriter) -> Void) -> [UInt8] {
    var writer = ProtoWriter()
    body(&writer)
    return writer.bytes
  }

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func raw(_ content: [UInt8]) {
    bytes += content
  }

  mutating func key(_ number: Int, wireType: Int) {
    varint(UInt64(number) << 3 | UInt64(wireType))
  }

  mutating func number(_ number: Int, _ value: UInt64) {
    key(number, wireType: 0)
    varint(value)
  }

  mutating func fixed64(_ number: Int, _ value: Int64) {
    key(number, wireType: 1)
    fixed64(value)
  }

  mutating func fixed64(_ value: Int64) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  /// A string, a bytes field, a sub-message or a packed column.
  mutating func content(_ number: Int, _ content: [UInt8]) {
    key(number, wireType: 2)
    varint(UInt64(content.count))
    bytes += content
  }

  mutating func text(_ number: Int, _ text: String) {
    content(number, Array(text.utf8))
  }

  mutating func message(_ number: Int, _ body: (inout ProtoWriter) -> Void) {
    content(number, ProtoWriter.bytes(body))
  }
}
