import StackmeterCore
import Testing

@testable import GatewayServer

@Suite struct SeriesWordsTests {
  private func event(_ id: Int, source: String = "cloud", resource: String, info: String = "")
    -> String
  {
    #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"\#(id)","source":"\#(source)","#
      + #""subject":"abc","time":"2026-11-23T15:00:00Z","#
      + #""data":{"meter":"cpu","quantity":1,"resourceUri":"\#(resource)","additionalInfo":"\#(info)"}}"#
  }

  private func read(_ events: [String], _ words: SeriesWords.Pool) throws -> [SourcedBatch] {
    try EventsBody(Array("[\(events.joined(separator: ","))]".utf8), form: .many, words).batches
  }

  @Test func `each series stands once in a batch, whichever words and bodies name it`() throws {
    let words = SeriesWords.Pool(countMax: 1)
    // An escape is read in full, and names the same series; sources take turns.
    let events = ["/r", #"\/r"#, "/s"].enumerated().flatMap { number, resource in
      ["cloud", "other"].map { event(number, source: $0, resource: resource) }
    }
    for _ in 0..<3 {
      let batches = try read(events, words)
      #expect(batches.map(\.batch.source) == ["cloud", "other"])
      #expect(batches.map(\.requestIndices) == [[0, 2, 4], [1, 3, 5]])
      for batch in batches.map(\.batch) {
        #expect(batch.series.map(\.resource.uri) == ["/r", "/s"])
        #expect(batch.seriesIndex == [0, 0, 1])
      }
    }
  }

  @Test func `a known series is the same one in a later body`() throws {
    let words = SeriesWords.Pool(countMax: 1)
    func series() throws -> Series {
      try read([event(1, resource: "/r")], words)[0].batch.series[0]
    }
    var packings = 0
    for _ in 0..<3 {
      _ = try series().packed { _ in
        packings += 1
        return []
      }
    }
    #expect(packings == 1)
  }

  @Test func `words past the limit are forgotten between bodies, and read again`() throws {
    let words = SeriesWords.Pool(countMax: 1)
    let chunk = 16_384
    var number = 0
    var counts: [Int] = []
    for _ in 0..<6 {
      let events = (number..<number + chunk).map { event($0, resource: "/r/\($0)") }
      number += chunk
      let batches = try read(events, words)
      #expect(batches.flatMap(\.batch.series).count == chunk)
      let lent = try #require(words.take())
      counts.append(lent.count)
      words.give(lent)
    }
    // Kept up to the limit, and passed by one body at most.
    #expect(counts.max()! <= SeriesWords.wordsMax + chunk)
    #expect(counts.last! < counts.max()!)
  }

  @Test func `long words are not kept`() throws {
    let words = SeriesWords.Pool(countMax: 1)
    let info = String(repeating: "i", count: SeriesWords.wordsBytesMax - 100)
    for (info, count) in [(info, 1), (info + String(repeating: "i", count: 100), 1)] {
      let batches = try read([event(1, resource: "/r", info: info)], words)
      #expect(batches[0].batch.series[0].resource.additionalInfo == info)
      let lent = try #require(words.take())
      #expect(lent.count == count)
      words.give(lent)
    }
  }
}
