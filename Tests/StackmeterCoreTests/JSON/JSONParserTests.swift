import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct JSONParserTests {
  static let limits = JSONLimits(depthMax: 8, valuesMax: 100, stringBytesMax: 80)

  private func parse(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8), limits: Self.limits)
  }

  private func failure(_ bytes: [UInt8]) -> JSONError? {
    do {
      _ = try JSONValue(parsing: bytes, limits: Self.limits)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [
    ("null", "null"), ("true", "true"), ("false", "false"), ("\"\"", "\"\""), ("[]", "[]"),
    ("{}", "{}"), (" \t\r\n [ 1 , 2 ] \n", "[1,2]"), ("0", "0"), ("-0", "-0"), ("-0.0", "-0.0"),
    ("1e5", "1e5"), ("1E+05", "1E+05"), ("12.50e-0", "12.50e-0"), ("[[],{}]", "[[],{}]"),
    ("{\"a\":{\"b\":[null]},\"c\":1}", "{\"a\":{\"b\":[null]},\"c\":1}"), ("{\"\":0}", "{\"\":0}"),
    ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\""),
    ("\"\\u0041\\u00e9\\u20AC\"", "\"Aé€\""), ("\"\\uD83D\\uDE00\"", "\"😀\""),
    ("\"\\udbff\\udfff\"", "\"\u{10FFFF}\""), ("\"é€😀\u{7F}\"", "\"é€😀\\u007f\""),
    ("\"\\u0001\"", "\"\\u0001\""), ("\"\u{2028}\u{FFFF}\"", "\"\u{2028}\u{FFFF}\""),
    ("{\"e\\u0301\":1,\"\\u00e9\":2}", "{\"e\u{301}\":1,\"é\":2}"),
  ])
  func `a valid text is read and written again`(text: String, written: String) throws {
    var writer = JSONWriter()
    writer.value(try parse(text))
    #expect(writer.bytes == Array(written.utf8))
  }

  @Test func `a number keeps its own digits`() throws {
    for digits in ["100000000000000000000000000000000000000001", "1.10", "1E400", "-0.0e-0"] {
      guard case .number(let token) = try parse(digits) else {
        Issue.record("\(digits) is not a number")
        continue
      }
      #expect(token == digits)
    }
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "True", "NULL", "undefined", "NaN", "Infinity", "-Infinity", "-",
    "+1", ".5", "-.5", "1.", "1.e1", "1e", "1e+", "1eE2", "0x1", "01", "-01", "00", "1_0", "1,0",
    "１", "- 1", "--1", "1a", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]",
    "[1:2]",
    "[a]", "[}", "{", "}", "{]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
    "{\"a\" 1}", "{\"a\"::1}", "{\"a\",1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1;\"b\":2}", "\"", "\"a", "'a'", "\"\\\"", "\"\\", "\"\\a\"", "\"\\x00\"", "\"\\u\"",
    "\"\\u00\"", "\"\\u00g0\"", "\"\\u+041\"", "\"\\u 041\"", "\"\\u００４１\"", "\"\\U0041\"",
    "\"\\é\"",
    "\"\t\"", "\"\n\"", "\"\u{1F}\"", "\"a\u{0}b\"", "\"\\\n\"", "// c\n1", "/* c */ 1", "1 // c",
    "# 1",
    "1 2", "{} {}", "[]]", "null,", "\"a\"b", "\u{FEFF}1", "1\u{FEFF}", "\u{A0}1", "1\u{A0}",
    "\u{B}1",
    "\u{C}1", "1\u{0}", "\u{0}", "<null>", "*", "[1]x", "\"a\" \"b\"", "truefalse", "-true",
    "1e1.5", "1.2.3", "{\"a\":}", "{:1}", "{\"a\":1,,\"b\":2}", "[\"a", "[\"a\"", "{\"a\":\"b",
    "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"",
    "\"\\ud800\\n\"", "\"\\ud800\\u\"", "\"\\udc00\\ud800\"", "\"\\u0000\"", "\"a\\u0000b\"",
    "{\"\\u0000\":1}",
  ])
  func `an invalid text is refused`(text: String) {
    #expect(failure(Array(text.utf8)) != nil)
  }

  @Test(arguments: [
    [0xFF], [0x80], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF],
    [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
    [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
    [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xF0, 0x9F, 0x98],
  ])
  func `a string or a name that is not UTF-8 is refused at its quotation mark`(bytes: [Int]) {
    let raw = bytes.map { UInt8($0) }
    let quote = UInt8(ascii: "\"")
    #expect(failure([0x20, quote] + raw + [quote])?.offset == 1)
    #expect(failure([0x20, quote] + raw + Array("\\n".utf8) + [quote])?.offset == 1)
    #expect(failure([0x7B, quote] + raw + [quote, 0x3A, 0x31, 0x7D])?.offset == 1)
    #expect(failure(raw)?.offset == 0)
  }

  @Test(arguments: [
    ("", 0, "ends early"), ("  ", 2, "ends early"), ("[1,x]", 3, "not a value"),
    ("[-]", 1, "not a value"), ("[1, 012]", 4, "start with 0"), ("[1]]", 3, "more text"),
    ("{\"a\":1,\"b\":2,\"a\":3}", 13, "\"a\" stands twice"), ("{\"a\" 1}", 5, "colon"),
    ("{\"a\":1 2}", 7, "comma"), ("{1:2}", 1, "name must be a string"), ("[\"a\\q\"]", 3, "escape"),
    ("[\"a\\u00g0\"]", 3, "hexadecimal"), ("[\"\\ud800\"]", 2, "surrogate"),
    ("[\"\\u0000\"]", 2, "NUL"), ("[\"a\tb\"]", 3, "control character"),
    ("[\"abc", 5, "does not end"),
    ("[tru]", 1, "not a value"), ("[1.]", 3, "follow the point"),
    ("[1e]", 3, "follow the exponent"),
  ])
  func `an error points at the fault`(text: String, offset: Int, problem: String) throws {
    let error = try #require(failure(Array(text.utf8)))
    #expect(error.offset == offset)
    #expect(error.problem.contains(problem))
    #expect(error.description == "not valid JSON at byte \(offset): \(error.problem)")
  }

  @Test(arguments: [2, 7, 8, 9, 10, 30])
  func `a name that stands twice is refused in small and large objects`(count: Int) {
    for repeated in 0..<count {
      var members = (0..<count).map { "\"n\($0)\":0" }
      #expect(failure(Array("{\(members.joined(separator: ","))}".utf8)) == nil)
      // The same name by an escape.
      members.append("\"\\u006e\(repeated)\":1")
      let error = failure(Array("{\(members.joined(separator: ","))}".utf8))
      #expect(error?.problem == "the name \"n\(repeated)\" stands twice in one object")
    }
  }

  @Test func `names that differ in bytes are different however many there are`() throws {
    for others in [0, 6, 7, 8, 20] {
      let names = (0..<others).map { "\"n\($0)\":0" } + ["\"\u{E9}\":1", "\"e\u{301}\":2"]
      let value = try parse("{\(names.joined(separator: ","))}")
      let object = try #require(JSONObject(value, path: ""))
      #expect(object["\u{E9}"] == .number("1"))
      #expect(object["e\u{301}"] == .number("2"))
    }
  }

  @Test func `the same name may stand in two objects`() throws {
    _ = try parse("[{\"a\":{\"a\":1}},{\"a\":2}]")
  }

  @Test func `nesting is taken up to the limit and not one level past it`() throws {
    func nested(_ depth: Int, _ open: String, _ close: String) -> String {
      String(repeating: open, count: depth) + String(repeating: close, count: depth)
    }
    _ = try parse(nested(8, "[", "]"))
    #expect(failure(Array(nested(9, "[", "]").utf8))?.problem.contains("deeper than 8") == true)
    let objects = String(repeating: "{\"a\":", count: 7)
    _ = try parse(objects + "1" + String(repeating: "}", count: 7))
    let tooDeep = "{\"a\":" + objects + "1" + String(repeating: "}", count: 8)
    #expect(failure(Array(tooDeep.utf8))?.offset == 40)
    #expect(failure([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))?.offset == 8)
  }

  @Test func `values are taken up to the limit and not one past it`() throws {
    func array(_ count: Int) -> String {
      "[\(Array(repeating: "1", count: count).joined(separator: ","))]"
    }
    _ = try parse(array(99))
    #expect(failure(Array(array(100).utf8))?.problem == "more than 100 values")
  }

  @Test func `a string is taken up to the limit in bytes and not one past it`() throws {
    for unit in ["a", "\\n"] {
      let longest = "\"\(String(repeating: unit, count: 80))\""
      #expect(try parse(longest).string?.utf8.count == 80)
      let error = failure(Array("\"\(unit)\(longest.dropFirst())".utf8))
      #expect(error?.offset == 0 && error?.problem == "a string of more than 80 bytes")
    }
    #expect(failure(Array("\"\(String(repeating: "é", count: 41))\"".utf8)) != nil)
  }

  @Test func `a number of 64 characters is taken and one of 65 is not`() throws {
    _ = try parse(String(repeating: "1", count: 64))
    let error = failure(Array(("[" + String(repeating: "1", count: 65) + "]").utf8))
    #expect(error?.offset == 1)
    #expect(error?.problem == "a number of more than 64 characters")
  }

  @Test func `the front of a valid text is never valid`() throws {
    let text = Array(
      "{\"a\":[1.5e3,\"x\\u00e9\\uD83D\\uDE00\",true,null],\"b\":{\"c\":false}}".utf8)
    _ = try JSONValue(parsing: text, limits: Self.limits)
    for length in 0..<text.count {
      #expect(failure(Array(text[..<length])) != nil, "the first \(length) bytes")
    }
  }

  @Test func `any change of any byte is an error or a value, never a crash`() throws {
    let text = Array("{\"a\":[1.5e3,\"x\\u00e9\\uD83D\\uDE00é\",true,null],\"b\":{\"c\":-0}}".utf8)
    try withSeededRandom { random in
      for _ in 0..<20_000 {
        var changed = text
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          changed[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(
            in: 0...255, using: &random)
        }
        guard let value = try? JSONValue(parsing: changed, limits: Self.limits) else { continue }
        var writer = JSONWriter()
        writer.value(value)
        let again = try JSONValue(parsing: writer.bytes, limits: Self.limits)
        var second = JSONWriter()
        second.value(again)
        try #require(second.bytes == writer.bytes)
      }
    }
  }
}
