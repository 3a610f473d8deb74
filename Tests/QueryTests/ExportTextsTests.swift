import StackmeterCore
import StackmeterWire
import Testing

@testable import QueryServer

/// What exports remember of series.
@Suite struct ExportTextsTests {
  private func aggregate(_ uri: String, info: String = "", cell: String? = nil) -> UsageAggregate {
    UsageAggregate(
      series: Series(
        subscription: "s", meter: "m", resource: Resource(uri: uri, additionalInfo: info)),
      usageStart: Hour(index: 7).start, usageEnd: Hour(index: 8).start, quantity: .zero,
      window: Hour(index: 7), isProvisional: false, cell: cell)
  }

  @Test func `a series is made once in each cell`() {
    var texts = ExportTexts(.ndjson, cell: "own")
    let first = texts.text(of: aggregate("/a"))
    #expect(texts.text(of: aggregate("/a")) === first)
    #expect(first.cell == Array(#"","cell":"own"}"#.utf8) + [10])
    let other = texts.text(of: aggregate("/a", cell: "other"))
    #expect(other.cell == Array(#"","cell":"other"}"#.utf8) + [10])
    #expect(other.idBytes != first.idBytes && other.members == first.members)
    #expect(texts.count == 2)
  }

  @Test func `past the limit all is forgotten, and made anew`() {
    var texts = ExportTexts(.csv, cell: "own")
    let info = String(repeating: "x", count: 1 << 20)
    let fit = ExportTexts.bytesMax >> 20
    for number in 0..<fit - 1 { _ = texts.text(of: aggregate("/\(number)", info: info)) }
    #expect(texts.count == fit - 1)
    let first = texts.text(of: aggregate("/0", info: info)).members
    _ = texts.text(of: aggregate("/a", info: info))
    #expect(texts.count == 1)
    #expect(texts.text(of: aggregate("/0", info: info)).members == first)
  }

  @Test func `what a file has learned is there for the next one of its format`() {
    let pool = ExportTextsPool()
    #expect(pool.take(.ndjson) == nil)
    var texts = ExportTexts(.ndjson, cell: "own")
    _ = texts.text(of: aggregate("/a"))
    pool.give(texts, isEnd: true)
    #expect(pool.take(.csv) == nil)
    #expect(pool.take(.ndjson)?.count == 1)
    // Each is in one hand.
    #expect(pool.take(.ndjson) == nil)
  }

  @Test func `files at their end leave one, and those under way as many as the limit says`() {
    let pool = ExportTextsPool()
    func taken() -> Int {
      var count = 0
      while pool.take(.csv) != nil { count += 1 }
      return count
    }
    for _ in 0..<3 { pool.give(ExportTexts(.csv, cell: "own"), isEnd: true) }
    #expect(taken() == 1)
    for _ in 0...ExportTextsPool.keptMax {
      pool.give(ExportTexts(.csv, cell: "own"), isEnd: false)
    }
    #expect(taken() == ExportTextsPool.keptMax)
  }
}
