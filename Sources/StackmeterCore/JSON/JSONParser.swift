extension JSONValue {
  /// Parses a whole text, strictly as RFC 8259 and within `limits`.
  package init(parsing bytes: [UInt8], limits: JSONLimits) throws(JSONError) {
    var parser = JSONParser(bytes: bytes, limits: limits)
    self = try parser.wholeText()
  }
}

/// Reads a JSON text from its start, value by value.
package struct JSONParser {
  package let bytes: [UInt8]
  private let limits: JSONLimits
  /// Where the text goes on.
  package var position = 0
  private var valuesLeft: Int

  package init(bytes: [UInt8], limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
    valuesLeft = limits.valuesMax
  }

  /// A failure here, or at `offset` where the fault began before.
  package func failure(_ problem: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? position, problem: problem)
  }

  package mutating func wholeText() throws(JSONError) -> JSONValue {
    let value = try value(depth: 0)
    try end()
    return value
  }

  /// Throws where anything but space is left.
  package mutating func end() throws(JSONError) {
    skipSpace()
    guard position == bytes.count else { throw failure("more text after the value") }
  }

  package mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  /// Passes this byte where it is the next one.
  package mutating func skip(_ byte: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  /// The next value; `depth` is how many arrays and objects it lies in.
  package mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    skipSpace()
    guard depth < limits.depthMax else {
      throw failure("nested deeper than \(limits.depthMax) levels")
    }
    guard valuesLeft > 0 else { throw failure("more than \(limits.valuesMax) values") }
    valuesLeft -= 1
    guard position < bytes.count else { throw failure("the text ends early") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return .object(try members(depth: depth))
    case UInt8(ascii: "["): return .array(try elements(depth: depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONError)
    -> JSONValue
  {
    let matches = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
    guard matches else { throw failure("not a value") }
    position += word.utf8CodeUnitCount
    return value
  }

  private mutating func members(depth: Int) throws(JSONError) -> [JSONValue.Member] {
    position += 1
    var members: [JSONValue.Member] = []
    // Few members are compared directly; many by a set, so that no text costs quadratic time.
    var names: Set<ExactText> = []
    skipSpace()
    if skip("}") { return members }
    while true {
      skipSpace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw failure("a member's name must be a string")
      }
      let start = position
      let name = try string()
      let isNew =
        members.count < 8 ? !members.contains { $0.name.hasSameBytes(as: name) } : true
      if members.count == 8 { names = Set(members.map { ExactText($0.name) }) }
      guard isNew, members.count < 8 || names.insert(ExactText(name)).inserted else {
        throw failure("the name \"\(name.prefix(64))\" stands twice in one object", at: start)
      }
      skipSpace()
      guard skip(":") else { throw failure("a colon must follow a member's name") }
      members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
      skipSpace()
      if skip("}") { return members }
      guard skip(",") else { throw failure("a comma or } must follow a member") }
    }
  }

  private mutating func elements(depth: Int) throws(JSONError) -> [JSONValue] {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if skip("]") { return elements }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if skip("]") { return elements }
      guard skip(",") else { throw failure("a comma or ] must follow an element") }
    }
  }

  private mutating func number() throws(JSONError) -> String {
    let start = position
    func digit() -> Bool { position < bytes.count && (0x30...0x39).contains(bytes[position]) }
    _ = skip("-")
    let wholeStart = position
    while digit() { position += 1 }
    let wholeDigits = position - wholeStart
    guard wholeDigits > 0 else { throw failure("not a value", at: start) }
    guard wholeDigits == 1 || bytes[wholeStart] != UInt8(ascii: "0") else {
      throw failure("a number must not start with 0", at: start)
    }
    if skip(".") {
      let fractionStart = position
      while digit() { position += 1 }
      guard position > fractionStart else { throw failure("digits must follow the point") }
    }
    if skip("e") || skip("E") {
      if !skip("+") { _ = skip("-") }
      let exponentStart = position
      while digit() { position += 1 }
      guard position > exponentStart else { throw failure("digits must follow the exponent") }
    }
    guard position - start <= Quantity.textBytesMax else {
      throw failure("a number of more than \(Quantity.textBytesMax) characters", at: start)
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    // The common case: no escape, so the bytes are the value.
    while position < bytes.count, bytes[position] != UInt8(ascii: "\""),
      bytes[position] != UInt8(ascii: "\\"), bytes[position] >= 0x20
    {
      position += 1
    }
    if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
      let text = try checked(bytes[start..<position], from: start)
      position += 1
      return text
    }
    var unescaped = Array(bytes[start..<position])
    while true {
      guard position < bytes.count else { throw failure("a string does not end") }
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        let text = try checked(unescaped[...], from: start)
        position += 1
        return text
      case UInt8(ascii: "\\"):
        position += 1
        unescaped.append(contentsOf: UTF8.encode(try escape())!)
      case 0..<0x20:
        throw failure("a control character in a string must be escaped")
      default:
        unescaped.append(byte)
        position += 1
      }
    }
  }

  /// The text of a string whose first byte is at `start`. Failures point at its opening quotation mark.
  private func checked(_ slice: ArraySlice<UInt8>, from start: Int) throws(JSONError) -> String {
    guard slice.count <= limits.stringBytesMax else {
      throw failure("a string of more than \(limits.stringBytesMax) bytes", at: start - 1)
    }
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw failure("a string is not UTF-8", at: start - 1)
    }
    return text
  }

  /// The character of an escape whose backslash was just passed. Failures point at that backslash.
  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    let start = position - 1
    guard position < bytes.count else { throw failure("a string does not end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw failure("unknown escape", at: start)
    }
    let first = try hexadecimal(escapeStart: start)
    guard first != 0 else { throw failure("a string holds the character NUL", at: start) }
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, skip("\\"), skip("u") else {
      throw failure("half of a surrogate pair", at: start)
    }
    let second = try hexadecimal(escapeStart: start)
    guard (0xDC00..<0xE000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    else { throw failure("half of a surrogate pair", at: start) }
    return scalar
  }

  private mutating func hexadecimal(escapeStart: Int) throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else {
      throw failure("four hexadecimal digits must follow", at: escapeStart)
    }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw failure("four hexadecimal digits must follow", at: escapeStart)
      }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }
}
