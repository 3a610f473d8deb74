internal import StackmeterCore
internal import StackmeterWire
internal import Testing

@testable import StackmeterCommand

struct ReportLedgerTests {
  private func chunk(
    _ sources: [String], firstLine: Int, refused: Int = 0
  ) -> EventChunk {
    let start = Instant(parsing: "2026-11-23T15:00:00Z")!
    var chunk = EventChunk(
      endOffset: (firstLine + sources.count) * 10, endLine: firstLine + sources.count - 1)
    for (index, source) in sources.enumerated() {
      chunk.events.append(
        UsageEvent(
          id: "e\(firstLine + index)", source: source,
          series: Series(subscription: "a", meter: "m", resource: Resource(uri: "/vm")),
          usageStart: start, usageEnd: start, quantity: Quantity(1)))
      chunk.lines.append(firstLine + index)
    }
    chunk.lineCount = sources.count + refused
    for line in 0..<refused {
      chunk.refused.append(
        RefusedLine(line: line, id: "", field: "", message: "is wrong", reason: "Malformed"))
    }
    return chunk
  }

  private func accepted(_ count: Int) -> EventResults {
    EventResults(
      (0..<count).map { .accepted(position: UInt64($0), reportedTime: Instant(nanoseconds: 0)) })
  }

  @Test
  func `the position moves over chunks that are answered, in order`() throws {
    var ledger = ReportLedger()
    let first = ledger.add(chunk(["x", "y", "x"], firstLine: 1))
    let second = ledger.add(chunk(["x"], firstLine: 4))
    #expect(first.map(\.batch.count) == [2, 1])
    #expect((first + second).map(\.number) == [1, 2, 3])
    #expect(try ledger.settle(BatchResult(number: 3, results: accepted(1))) == [])
    #expect(try ledger.settle(BatchResult(number: 1, results: accepted(2))) == [])
    #expect(ledger.position == .init(offset: 0, lines: 0))
    #expect(ledger.unanswered == [first[1]])
    #expect(try ledger.settle(BatchResult(number: 2, results: accepted(1))) == [])
    #expect(ledger.position == .init(offset: 50, lines: 4))
    #expect(ledger.isSettled)
    #expect(ledger.tally == .init(lines: 4, accepted: 4, duplicates: 0, refused: 0))
  }

  @Test
  func `refused events are traced to their lines`() throws {
    var ledger = ReportLedger(from: .init(offset: 70, lines: 9))
    #expect(ledger.position.lines == 9)
    _ = ledger.add(chunk(["x", "y", "x"], firstLine: 10, refused: 1))
    let refused = try ledger.settle(
      BatchResult(
        number: 1,
        results: EventResults([
          .parked(position: 1),
          .quarantined(Refusal(.unknownMeter, field: "series.meter", "is unknown")),
        ])))
    #expect(
      refused == [
        RefusedLine(
          line: 12, id: "e12", field: "series.meter", message: "is unknown",
          reason: "UnknownMeter")
      ])
    #expect(ledger.tally == .init(lines: 4, accepted: 0, duplicates: 0, parked: 1, refused: 2))
  }

  @Test
  func `a chunk without events is answered by itself`() {
    var ledger = ReportLedger()
    #expect(ledger.add(chunk([], firstLine: 3)) == [])
    #expect(ledger.position == .init(offset: 30, lines: 2))
  }

  @Test
  func `a second result for a batch changes nothing, and a wrong count is an error`() throws {
    var ledger = ReportLedger()
    _ = ledger.add(chunk(["x"], firstLine: 1))
    #expect(throws: CommandFailure.self) {
      try ledger.settle(BatchResult(number: 1, results: accepted(2)))
    }
    _ = try ledger.settle(BatchResult(number: 1, results: accepted(1)))
    _ = try ledger.settle(BatchResult(number: 1, results: accepted(1)))
    #expect(ledger.tally.accepted == 1)
  }
}
