import StackmeterTesting
import StackmeterWire
import Testing

@Suite struct TextTests {
  private let schema = ProtoSchema.committed

  private static let invalid: [(String, [UInt8])] = [
    ("a byte that is never UTF-8", [0x61, 0xFF]),
    ("a continuation without a start", [0x80]),
    ("a start without a continuation", [0xC3]),
    ("a character that is cut off", [0x61, 0xE2, 0x82]),
    ("an overlong slash", [0xC0, 0xAF]),
    ("an overlong NUL", [0xC0, 0x80]),
    ("an overlong character of three bytes", [0xE0, 0x80, 0xAF]),
    ("a surrogate", [0xED, 0xA0, 0x80]),
    ("past the last character", [0xF4, 0x90, 0x80, 0x80]),
    ("a fault after eight good bytes", Array("abcdefghi".utf8) + [0xFE]),
    ("NUL inside", [0x61, 0, 0x62]),
    ("NUL alone", [0]),
    ("NUL at the end", [0x61, 0]),
    ("one byte too many", Array(repeating: 0x61, count: WireLimits.standard.textBytesMax + 1)),
  ]

  @Test(arguments: WireFixture.all)
  func `a text that is none is refused by the name of its field`(fixture: WireFixture) {
    for path in schema.paths(from: fixture.name) where path.last!.type == "string" {
      for (fault, content) in Self.invalid {
        let bytes = nested(path.dropLast()) { $0.content(path.last!.number, content) }
        let error = wireError { () throws(WireError) in try fixture.repack(bytes, .standard) }
        guard case .invalidText(let field, _)? = error else {
          Issue.record("\(path.map(\.name)): \(fault): \(error.map { "\($0)" } ?? "is taken")")
          continue
        }
        #expect(field == path.last!.name, "\(fault)")
      }
    }
  }

  @Test(arguments: WireFixture.all)
  func `a text of the greatest length and of any character is taken`(fixture: WireFixture) {
    for path in schema.paths(from: fixture.name) where path.last!.type == "string" {
      for text in [
        String(repeating: "x", count: WireLimits.standard.textBytesMax), "\u{1}", "\u{7F}",
        "\u{FFFF}", "\u{10FFFF}", "12345678é",
      ] {
        let bytes = nested(path.dropLast()) { $0.text(path.last!.number, text) }
        let error = wireError { () throws(WireError) in try fixture.repack(bytes, .standard) }
        if case .invalidText? = error { Issue.record("\(path.map(\.name)): \(error!)") }
      }
    }
  }

  @Test func `an explanation names the field and the fault`() {
    let error = wireError { () throws(WireError) in try HealthCheckRequest([0x0A, 1, 0]) }
    #expect(error?.explanation == "service: holds the character NUL")
    #expect(
      WireError.malformed(message: "stackmeter.v1.Series", offset: 7).explanation
        == "malformed stackmeter.v1.Series at byte 7")
    #expect(
      WireError.tooLarge(bytes: 5, max: 4).explanation
        == "message of 5 bytes; at most 4 are taken")
    #expect(
      WireError.overBudget(bytesMax: 9).explanation
        == "message needs more than its memory budget of 9 bytes")
  }

  @Test func `UTF-8 is told from other bytes as the standard library does`() throws {
    try withSeededRandom { random in
      let pieces: [[UInt8]] = [
        [0x61], [0x62, 0x63], [0xC3, 0xA9], [0xE2, 0x82, 0xAC], [0xF0, 0x9F, 0x9A, 0x97],
        Array("abcdefgh".utf8), [0x80], [0xC3], [0xFF], [0xED, 0xA0, 0x80],
      ]
      for _ in 0..<2000 {
        let count = Int.random(in: 0...6, using: &random)
        let bytes = (0..<count).flatMap { _ in
          pieces[min(Int.random(in: 0...40, using: &random) / 4, pieces.count - 1)]
        }
        let isUTF8 = bytes.withUnsafeBytes { $0.isUTF8 }
        try #require(isUTF8 == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
      }
    }
  }
}
