import StackmeterCore
import StackmeterJournal
import StackmeterWire

extension FuzzTarget {
  /// Inputs of the right form, to begin with.
  var seeds: [[UInt8]] {
    switch self {
    case .request: FuzzTarget.messages.map { [$0.type] + $0.bytes }
    case .batch: [NumberedBatch(number: 7, batch: FuzzTarget.events).packed()]
    case .record: [FuzzTarget.events.journalPayload(), FuzzTarget.refusal]
    case .recovery: FuzzTarget.changes
    case .cloudEvent: FuzzTarget.texts.map { Array($0.utf8) }
    }
  }

  private static let events: EventBatch = EventBatchBuilder(
    (1...3).map { number in
      UsageEvent(
        id: "e\(number)", source: "fuzz",
        series: Series(
          subscription: "s\(number % 2)", meter: "cpu",
          resource: Resource(
            uri: "/subscriptions/s/r", location: "l", tags: #"{"a":"b"}"#, additionalInfo: "{}")),
        usageStart: Instant(nanoseconds: Int64(number) * 3_600_000_000_000),
        usageEnd: Instant(nanoseconds: Int64(number) * 3_600_000_000_000 + 60),
        quantity: Quantity(attos: Int128(number) * 1_500_000_000_000_000_000)!)
    }
  ).batches[0].batch

  private static let refusal: [UInt8] = [3, 1, 0, 0x66, 1, 0, 0x6D] + events.journalPayload()

  private static var messages: [(type: UInt8, bytes: [UInt8])] {
    let rows = (0..<events.count).map { events.event($0) }
    let results: [EventResult] = [
      .accepted(position: 1, reportedTime: Instant(nanoseconds: 5)),
      .accepted(position: 2, reportedTime: Instant(nanoseconds: 6)), .duplicate(position: 1),
      .conflict(position: 1, Refusal(.conflict, field: "id", "m")),
    ]
    return [
      (0, ReportRequest(rows).packed()), (1, NumberedBatch(number: 1, batch: events).packed()),
      (2, ReadJournalRequest(fromPosition: 1, follow: true, journalID: 9).packed()),
      (3, ListQuarantineRequest(afterNumber: 3, pageSize: 7).packed()),
      (4, GetStatusRequest().packed()),
      (
        11,
        JournalChunk(records: [1, 2, 3], nextPosition: 4, durablePosition: 5, journalID: 6).packed()
      ),
      (12, BatchResult(number: 3, results: EventResults(results)).packed()),
      (13, ReportResponse(results: results).packed()),
    ]
  }

  /// One of each command of `RecoveryFuzz`.
  private static let changes: [[UInt8]] = [
    [], [0, 0, 0, 40, 1], [1, 3, 0, 70], [2, 2, 0, 60, 16], [3, 1, 0, 50, 4, 1, 2, 3, 4],
    [4, 1, 0, 40, 8], [5, 1, 0, 24, 2, 40, 24], [6, 3, 0, 0, 99], [7, 3, 0, 0], [7, 1, 0, 1],
  ]

  private static let texts = [
    """
    {"specversion":"1.0","type":"stackmeter.usage.v1","id":"a","source":"s","subject":
    "/subscriptions/1","time":"2026-11-23T16:00:00Z","data":{"meter":"m","quantity":"1.25",
    "resourceUri":"/r","location":"l","tags":{"k":"v"},"additionalInfo":{"x":[1,true,null]},
    "startTime":"2026-11-23T15:00:00+01:00","endTime":"2026-11-23T16:00:00.000000001Z"}}
    """,
    #"[{"id":"\u00e9\ud83d\ude00\n","data":{"quantity":-1.5e-3}},{"id":7}]"#, "[[[[]]]]", "-0.0E+5",
  ]
}
