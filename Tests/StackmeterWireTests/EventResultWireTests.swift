import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@Suite struct EventResultWireTests {
  @Test func `any results survive as runs`() throws {
    try withSeededRandom { random in
      for _ in 0..<100 {
        var results: [EventResult] = []
        var position = UInt64.random(in: 0...3, using: &random)
        var time = Int64.random(in: -2...2, using: &random)
        for _ in 0..<Int.random(in: 0...80, using: &random) {
          // Mostly runs, at times a gap in one or the other.
          position &+= UInt64.random(in: 0...9, using: &random) == 0 ? 2 : 1
          time &+= Int64.random(in: 0...9, using: &random) == 0 ? 0 : 1
          let refusal = Refusal(
            Refusal.Reason.allCases.randomElement(using: &random)!,
            field: ["", "id"].randomElement(using: &random)!, "is wrong")
          results.append(
            [
              .accepted(position: position, reportedTime: Instant(nanoseconds: time)),
              .accepted(position: position, reportedTime: Instant(nanoseconds: time)),
              .accepted(position: position, reportedTime: Instant(nanoseconds: time)),
              .duplicate(position: position), .parked(position: position),
              .conflict(position: position, refusal),
              .quarantined(refusal), .invalid(refusal),
            ].randomElement(using: &random)!)
        }
        let result = BatchResult(number: random.next(), results: EventResults(results))
        try #require(try BatchResult(result.packed()) == result)
        let response = ReportResponse(results: results)
        try #require(try ReportResponse(response.packed()) == response)
      }
    }
  }

  @Test func `a full batch that was accepted is one short range`() throws {
    let results = (0..<EventLimits.batchEventsMax).map { index in
      EventResult.accepted(
        position: 1_000_000 + UInt64(index),
        reportedTime: Instant(nanoseconds: 1_700_000_000_000_000_000 + Int64(index)))
    }
    let bytes = BatchResult(number: 1, results: EventResults(results)).packed()
    #expect(bytes.count < 32)
    #expect(try Array(BatchResult(bytes).results) == results)
  }

  @Test func `positions and times at the end of their range do not trap`() throws {
    let results: [EventResult] = [
      .accepted(position: .max, reportedTime: Instant(nanoseconds: .max)),
      .accepted(position: 0, reportedTime: Instant(nanoseconds: .min)),
      .duplicate(position: .max), .duplicate(position: 0),
      .parked(position: .max), .parked(position: 0),
    ]
    let result = BatchResult(number: 1, results: EventResults(results))
    #expect(try BatchResult(result.packed()) == result)
  }

  private func ranges(_ counts: [UInt64]) -> [UInt8] {
    ProtoWriter.bytes { writer in
      for count in counts {
        writer.message(2) {
          $0.number(1, count)
          $0.number(2, 1)
        }
      }
    }
  }

  @Test(
    arguments: [
      [4_000_000_000], [16_385], [16_384, 1], [1, 4_294_967_295], [8_192, 8_192, 1],
    ] as [[UInt64]])
  func `more results than a batch has events are refused`(counts: [UInt64]) {
    let error = wireError { () throws(WireError) in try BatchResult(ranges(counts)) }
    #expect(error?.field == "ranges")
  }

  @Test func `ranges up to a full batch are taken, empty ones too`() throws {
    #expect(try BatchResult(ranges([0, 16_383, 0, 1])).results.count == 16_384)
    #expect(try BatchResult(ranges([0, 0])).results.count == 0)
  }

  @Test(arguments: [0, 7, 99, UInt64(Int32.max), UInt64(bitPattern: -1)])
  func `an outcome that is unknown is refused`(outcome: UInt64) {
    let one = ProtoWriter.bytes { $0.number(1, outcome) }
    let rows = ProtoWriter.bytes { $0.content(1, one) }
    let rowsError = wireError { () throws(WireError) in try ReportResponse(rows) }
    #expect(rowsError?.field == "outcome")
  }

  @Test(arguments: [3, 4, 5] as [UInt64], ["", "NoSuchReason"])
  func `a refusal needs a reason that is known`(outcome: UInt64, reason: String) {
    let bytes = ProtoWriter.bytes { writer in
      writer.message(1) {
        $0.number(1, outcome)
        $0.text(4, reason)
      }
    }
    let error = wireError { () throws(WireError) in try ReportResponse(bytes) }
    #expect(error?.field == "outcome")
  }

  @Test func `an entry of the quarantine needs an event, a series and a reason`() {
    for entry in [
      ProtoWriter.bytes { $0.text(3, "TooOld") },
      ProtoWriter.bytes { $0.message(6) { $0.content(3, []) } },
      ProtoWriter.bytes {
        $0.text(3, "TooOld")
        $0.content(6, [])
      },
    ] {
      let bytes = ProtoWriter.bytes { $0.content(1, entry) }
      let error = wireError { () throws(WireError) in try ListQuarantineResponse(bytes) }
      #expect(["entries", "series"].contains(error?.field))
    }
  }

  @Test func `a choice of entries is by number or by filter, and bounded`() {
    let filter = ProtoWriter.bytes { $0.content(2, []) }
    let limited = { (limit: UInt64) in filter + ProtoWriter.bytes { $0.number(4, limit) } }
    let numbers = { (count: Int) in
      ProtoWriter.bytes { writer in for _ in 0..<count { writer.number(1, 7) } }
    }
    for (bytes, field) in [
      ([], "numbers"), (numbers(1) + filter, "filter"), (numbers(1001), "numbers"),
      (limited(1001), "limit"),
      (
        ProtoWriter.bytes { $0.content(2, ProtoWriter.bytes { $0.text(1, "Ugly") }) },
        "filter.reasons"
      ),
    ] as [([UInt8], String)] {
      let error = wireError { () throws(WireError) in try ResolveQuarantineRequest(bytes) }
      #expect(error?.field == field)
    }
    #expect(
      (try? ResolveQuarantineRequest(limited(0)))?.choice
        == .matching(QuarantineFilter(), after: 0, limit: 1000))
    #expect((try? ResolveQuarantineRequest(numbers(1000))) != nil)
    let page = wireError { () throws(WireError) in
      try ListQuarantineRequest(ProtoWriter.bytes { $0.number(2, 1001) })
    }
    #expect(page?.field == "page_size")
  }
}
