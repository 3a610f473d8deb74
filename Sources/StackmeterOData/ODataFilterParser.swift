internal import StackmeterCore

extension ODataFilter {
  package static let bytesMax = 8192
  /// How deep parentheses, `not` and functions may lie in each other.
  package static let depthMax = 32
  /// Operands and operators together.
  package static let termsMax = 500

  /// Reads the value of `$filter`.
  package init(parsing text: String, of type: ODataEntityType) throws(ODataError) {
    guard text.utf8.count <= ODataFilter.bytesMax else {
      throw ODataError(.invalid, "$filter", "has more than \(ODataFilter.bytesMax) bytes")
    }
    var parser = ODataFilterParser(bytes: Array(text.utf8), type: type)
    self = try parser.whole()
  }
}

/// Reads a filter by recursive descent: `or`, `and`, `not`, comparisons, in this order of binding.
private struct ODataFilterParser {
  let bytes: [UInt8]
  let type: ODataEntityType
  var position = 0
  var terms = 0

  typealias Operand = ODataFilter.Operand

  init(bytes: [UInt8], type: ODataEntityType) {
    self.bytes = bytes
    self.type = type
  }

  func failure(_ problem: String) -> ODataError {
    ODataError(.invalid, "$filter", "\(problem) at character \(position + 1)")
  }

  func unsupported(_ what: String) -> ODataError {
    ODataError(
      .unsupported, "$filter",
      "\(what) is not supported; there are eq, ne, gt, ge, lt, le, in, and, or, not, contains, "
        + "startswith, endswith, tolower and toupper")
  }

  mutating func whole() throws(ODataError) -> ODataFilter {
    let filter = try disjunction(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("there is something behind the filter") }
    return filter
  }

  mutating func disjunction(depth: Int) throws(ODataError) -> ODataFilter {
    var filter = try conjunction(depth: depth)
    while skipWord("or") { filter = .or(filter, try conjunction(depth: depth)) }
    return filter
  }

  mutating func conjunction(depth: Int) throws(ODataError) -> ODataFilter {
    var filter = try negation(depth: depth)
    while skipWord("and") { filter = .and(filter, try negation(depth: depth)) }
    return filter
  }

  mutating func negation(depth: Int) throws(ODataError) -> ODataFilter {
    terms += 1
    guard depth <= ODataFilter.depthMax else {
      throw failure("parts lie more than \(ODataFilter.depthMax) deep in each other")
    }
    guard terms <= ODataFilter.termsMax else {
      throw failure("there are more than \(ODataFilter.termsMax) parts")
    }
    if skipWord("not") { return .not(try negation(depth: depth + 1)) }
    skipSpace()
    if skip("(") {
      let filter = try disjunction(depth: depth + 1)
      try expect(")")
      return filter
    }
    for function in ODataFilter.Function.allCases where skipCall(function.rawValue) {
      let text = try operand(depth: depth + 1)
      try expect(",")
      let part = try operand(depth: depth + 1)
      try expect(")")
      try require(.string, text)
      try require(.string, part)
      return .function(function, text, part)
    }
    return try comparison(depth: depth)
  }

  mutating func comparison(depth: Int) throws(ODataError) -> ODataFilter {
    let left = try operand(depth: depth)
    for comparison in ODataFilter.Comparison.allCases where skipWord(comparison.rawValue) {
      let right = try operand(depth: depth)
      guard kind(left) == nil || kind(right) == nil || kind(left) == kind(right) else {
        throw failure("\(name(kind(left))) and \(name(kind(right))) have nothing to compare")
      }
      return .comparison(comparison, left, right)
    }
    if skipWord("in") { return .isOne(of: left, try values(kind(left))) }
    for operation in ["has", "add", "sub", "mul", "div", "mod", "divby"] where skipWord(operation) {
      throw unsupported("the operator \(operation)")
    }
    guard kind(left) == .boolean else { throw failure("an operator such as eq is missing") }
    return .flag(left)
  }

  /// What stands behind `in`: literals of one kind.
  mutating func values(_ kind: ODataValue.Kind?) throws(ODataError) -> [ODataValue] {
    try expect("(")
    var values: [ODataValue] = []
    repeat {
      terms += 1
      guard terms <= ODataFilter.termsMax else {
        throw failure("there are more than \(ODataFilter.termsMax) parts")
      }
      skipSpace()
      guard case .literal(var value) = try operand(depth: 0) else {
        throw failure("the list behind in may have literals only")
      }
      if kind == .time, case .string(let text) = value, let time = time(text) {
        value = .time(time)
      }
      guard value == .null || value.kind == kind else {
        throw failure("the list behind in must have values of the property's type")
      }
      values.append(value)
    } while skip(",")
    try expect(")")
    return values
  }

  mutating func operand(depth: Int) throws(ODataError) -> Operand {
    guard depth <= ODataFilter.depthMax else {
      throw failure("parts lie more than \(ODataFilter.depthMax) deep in each other")
    }
    skipSpace()
    for casing in ODataFilter.Casing.allCases where skipCall(casing.rawValue) {
      let operand = try operand(depth: depth + 1)
      try expect(")")
      try require(.string, operand)
      return .cased(casing, operand)
    }
    if position < bytes.count, bytes[position] == UInt8(ascii: "'") {
      return .literal(.string(try text()))
    }
    let start = position
    while position < bytes.count, ODataFilterParser.isOfWord(bytes[position]) { position += 1 }
    let word = String(decoding: bytes[start..<position], as: UTF8.self)
    switch word {
    case "": throw failure("a property or a value is missing")
    case "null": return .literal(.null)
    case "true": return .literal(.boolean(true))
    case "false": return .literal(.boolean(false))
    default: break
    }
    if let index = type.index(of: word) { return .property(index) }
    if position < bytes.count, bytes[position] == UInt8(ascii: "(") {
      throw unsupported("the function \(word)")
    }
    if word.utf8.first.map({ $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }) == true {
      if let time = time(word) { return .literal(.time(time)) }
      do throws(QuantityError) {
        return .literal(.decimal(try Quantity(parsing: word)))
      } catch {
        position = start
        throw failure("\(word.prefix(64)) is neither a number nor a time")
      }
    }
    position = start
    let names = type.properties.map(\.name).joined(separator: ", ")
    throw failure("there is no property \(word.prefix(64)) among \(names)")
  }

  /// A text in single quotes, in which two of them stand for one.
  private mutating func text() throws(ODataError) -> String {
    position += 1
    var content: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "'") {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "'") else {
          return String(decoding: content, as: UTF8.self)
        }
        position += 1
      }
      content.append(byte)
    }
    throw failure("a text has no end")
  }

  /// A time, or the midnight of a date: clients that know no dates write them without a zone, too.
  private func time(_ word: String) -> Instant? {
    Instant(parsing: word) ?? Instant(parsing: word + "Z") ?? Day(parsing: word)?.start
  }

  private func kind(_ operand: Operand) -> ODataValue.Kind? {
    switch operand {
    case .literal(let value): value.kind
    case .property(let index): type.properties[index].kind
    case .cased: .string
    }
  }

  private func name(_ kind: ODataValue.Kind?) -> String { kind?.rawValue ?? "null" }

  private func require(
    _ wanted: ODataValue.Kind, _ operand: Operand
  ) throws(ODataError) {
    guard kind(operand) ?? wanted == wanted else {
      throw failure("a \(wanted.rawValue) is needed in front of this, not a \(name(kind(operand)))")
    }
  }

  // Words and marks.

  private static func isOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), 0x09, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","),
      UInt8(ascii: "'"):
      false
    default: true
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position] == UInt8(ascii: " ") || bytes[position] == 0x09 {
      position += 1
    }
  }

  private mutating func skip(_ mark: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: mark) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ mark: Unicode.Scalar) throws(ODataError) {
    guard skip(mark) else { throw failure("a \(mark) is missing") }
  }

  /// A word that ends here. Operators are in lower case.
  private mutating func skipWord(_ word: String) -> Bool {
    let start = position
    skipSpace()
    let end = position + word.utf8.count
    guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8),
      end == bytes.count || !ODataFilterParser.isOfWord(bytes[end])
    else {
      position = start
      return false
    }
    position = end
    return true
  }

  /// The name of a function and its parenthesis.
  private mutating func skipCall(_ name: String) -> Bool {
    let start = position
    guard skipWord(name), position < bytes.count, bytes[position] == UInt8(ascii: "(") else {
      position = start
      return false
    }
    position += 1
    return true
  }
}
