/// Writes JSON text straight into bytes: no spaces, members in the order of the calls.
package struct JSONWriter {
  package private(set) var bytes: [UInt8] = []
  /// Whether a comma must precede the next value or name at this level.
  private var needsComma = false

  package init() {}

  package mutating func object(_ body: (inout JSONWriter) -> Void) {
    separate()
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
    body(&self)
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }

  package mutating func array(_ body: (inout JSONWriter) -> Void) {
    separate()
    bytes.append(UInt8(ascii: "["))
    needsComma = false
    body(&self)
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }

  package mutating func string(_ value: String) {
    separate()
    quote(value)
    needsComma = true
  }

  /// A value that is valid JSON already: a number's digits, `true`, a stored object.
  package mutating func raw(_ text: String) {
    separate()
    bytes.append(contentsOf: text.utf8)
    needsComma = true
  }

  package mutating func member(_ name: String, string value: String) {
    self.name(name)
    string(value)
  }

  package mutating func member(_ name: String, raw text: String) {
    self.name(name)
    raw(text)
  }

  package mutating func member(_ name: String, _ value: some BinaryInteger) {
    member(name, raw: String(value))
  }

  package mutating func member(_ name: String, _ value: Bool) {
    member(name, raw: value ? "true" : "false")
  }

  /// An exact decimal, as a JSON number.
  package mutating func member(_ name: String, _ value: Quantity) {
    member(name, raw: value.description)
  }

  package mutating func member(_ name: String, object body: (inout JSONWriter) -> Void) {
    self.name(name)
    object(body)
  }

  package mutating func member(_ name: String, array body: (inout JSONWriter) -> Void) {
    self.name(name)
    array(body)
  }

  package mutating func member(_ name: String, value: JSONValue) {
    self.name(name)
    self.value(value)
  }

  /// Writes a parsed value again, numbers digit for digit.
  package mutating func value(_ value: JSONValue) {
    switch value {
    case .null: raw("null")
    case .bool(let value): raw(value ? "true" : "false")
    case .number(let token): raw(token)
    case .string(let value): string(value)
    case .array(let elements):
      array { writer in for element in elements { writer.value(element) } }
    case .object(let members):
      object { writer in
        for member in members { writer.member(member.name, value: member.value) }
      }
    }
  }

  /// The name of a member, whose value must follow.
  package mutating func name(_ name: String) {
    separate()
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }

  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
  }

  private mutating func quote(_ value: String) {
    bytes.append(UInt8(ascii: "\""))
    guard value.utf8.contains(where: JSONWriter.needsEscape) else {
      bytes.append(contentsOf: value.utf8)
      bytes.append(UInt8(ascii: "\""))
      return
    }
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
      case 0..<0x20, 0x7F:
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 15)])
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
