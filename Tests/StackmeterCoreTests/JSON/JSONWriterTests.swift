import Foundation
import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct JSONWriterTests {
  private func write(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test func `members and elements are separated by one comma`() throws {
    let text = write { writer in
      writer.object { writer in
        writer.member("text", string: "a")
        writer.member("whole", 5 as UInt64)
        writer.member("below", -5)
        writer.member("yes", true)
        writer.member("quantity", Quantity(attos: 1)!)
        writer.member("raw", raw: "[1]")
        writer.member("none", object: { _ in })
        writer.member(
          "list",
          array: { writer in
            writer.string("a")
            writer.array { _ in }
            writer.object { _ in }
            writer.raw("null")
          })
        writer.member("value", value: .array([.bool(false), .null]))
      }
    }
    #expect(
      text == """
        {"text":"a","whole":5,"below":-5,"yes":true,"quantity":0.000000000000000001,"raw":[1],\
        "none":{},"list":["a",[],{},null],"value":[false,null]}
        """)
  }

  @Test func `every control character is escaped and all else stays`() throws {
    for byte in UInt8(0)...0x7F {
      let text = write { $0.string("a\(Unicode.Scalar(byte))é") }
      #expect(!text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
      let parsed = try JSONSerialization.jsonObject(
        with: Data(text.utf8), options: .fragmentsAllowed)
      #expect(parsed as? String == "a\(Unicode.Scalar(byte))é")
    }
    #expect(write { $0.string("\"\\/\n\r\t") } == "\"\\\"\\\\/\\n\\r\\t\"")
  }

  @Test func `names are escaped as strings are`() {
    #expect(write { $0.object { $0.member("a\"b", 1) } } == "{\"a\\\"b\":1}")
  }

  @Test func `any value is read back as it was written`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let value = JSONValue.random(depth: 4, using: &random)
        var writer = JSONWriter()
        writer.value(value)
        let parsed = try JSONValue(parsing: writer.bytes, limits: .batch)
        try #require(parsed == value)
        var again = JSONWriter()
        again.value(parsed)
        try #require(again.bytes == writer.bytes)
      }
    }
  }
}

extension JSONValue {
  fileprivate static func random(depth: Int, using random: inout SeededRandom) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 6 : 4), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .number(Quantity.random(using: &random).description)
    case 3: return .string(text(using: &random))
    case 4:
      return .array(
        (0..<Int.random(in: 0...12, using: &random)).map { _ in
          JSONValue.random(depth: depth - 1, using: &random)
        })
    default:
      return .object(
        (0..<Int.random(in: 0...12, using: &random)).map { index in
          Member(
            name: text(using: &random) + "\(index)",
            value: JSONValue.random(depth: depth - 1, using: &random))
        })
    }
  }

  private static func text(using random: inout SeededRandom) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...20, using: &random) {
      let ranges: [ClosedRange<UInt32>] = [
        1...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF,
      ]
      let range = ranges[Int.random(in: 0..<ranges.count, using: &random)]
      text.append(Unicode.Scalar(UInt32.random(in: range, using: &random))!)
    }
    return String(text)
  }
}
