import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct RatingOrderTests {
  @Test func `usage is rated by subscription, meter and time, whatever its resource`() throws {
    let rows = [
      try usage("1", "2026-11-02T00", subscription: "a", meter: "m", uri: "/z"),
      try usage("1", "2026-11-03T00", subscription: "a", meter: "M", uri: "/a"),
      try usage("1", "2026-11-03T00", subscription: "a", meter: "m", uri: "/b"),
      try usage("1", "2026-11-01T00", subscription: "a", meter: "n"),
      try usage("1", "2026-11-01T00", subscription: "ab"),
      try usage("1", "2026-11-01T00", subscription: "é"),
      // The same to a reader, of other bytes.
      try usage("1", "2026-11-01T00", subscription: "é".decomposed),
    ]
    let expected = Array(rows[..<5]) + [rows[6], rows[5]]
    #expect(rows.reversed().inRatingOrder == expected)
    #expect(expected.inRatingOrder == expected)
  }

  @Test func `the quick order is the order that is defined`() throws {
    try withSeededRandom { random in
      for _ in 0..<100 {
        let rows = try UsageGenerator.rows(using: &random).shuffled(using: &random)
        try #require(rows.inRatingOrder == rows.sorted { $0.isRated(before: $1) })
      }
    }
  }

  @Test func `texts are ordered by their bytes`() throws {
    try withSeededRandom { random in
      for _ in 0..<1000 {
        func text() -> String {
          String(
            (0..<Int.random(in: 0...20, using: &random)).map { _ in
              Character(
                ["a", "b", "é", "e\u{301}", "\u{FFFF}", "😀"].randomElement(using: &random)!)
            })
        }
        let (one, two) = (text(), text())
        let expected =
          Array(one.utf8) == Array(two.utf8)
          ? 0 : one.utf8.lexicographicallyPrecedes(two.utf8) ? -1 : 1
        try #require(one.byteOrder(two) == expected)
      }
    }
  }
}

extension String {
  fileprivate var decomposed: String { replacing("é", with: "e\u{301}") }
}
