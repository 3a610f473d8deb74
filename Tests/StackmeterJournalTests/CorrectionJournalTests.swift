import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct CorrectionJournalTests {
  private let time = Instant(seconds: 1_764_000_000)

  private func event(_ id: String, _ quantity: Int32, _ correction: Correction? = nil) -> UsageEvent
  {
    UsageEvent(
      id: id, source: "p",
      series: Series(subscription: "s", meter: "m", resource: Resource(uri: "/r")),
      usageStart: time, usageEnd: time.advanced(by: .seconds(60)), quantity: Quantity(quantity),
      correction: correction)
  }

  /// The record as it is read from a log's bytes.
  private func reread(_ record: Record) throws -> Record {
    var bytes: [UInt8] = []
    record.write(to: &bytes, of: TestLog.id, startsCommit: false)
    let records = Record.all(in: bytes, of: TestLog.id)
    try #require(records.count == 1)
    return records[0]
  }

  private func examples() -> [Record] {
    let target = event("e", 5)
    var moved = event("r", 7, Correction(.replaces, "e"))
    moved.series.meter = "n"
    return [
      Record(
        AppliedCorrection(moved, of: target, at: 3), position: 9, time: time),
      Record(
        AppliedCorrection(event("é", 0, Correction(.voids, "e")).canonicalVoid, of: target, at: 3),
        position: 9, time: time),
      Record(parked: moved, position: 9, time: time),
      Record(
        unparked: [
          Unparked(position: 4, reason: .unknownTarget),
          Unparked(position: .max, reason: .voidOfVoid),
        ], position: 9, time: time),
    ]
  }

  @Test func `a correction is read back with its target and what it counts`() throws {
    let target = event("e", 5)
    var replacement = event("r", 7, Correction(.replaces, "e"))
    replacement.series.meter = "n"
    let applied = AppliedCorrection(replacement, of: target, at: 3)
    let record = try reread(Record(applied, position: 9, time: time))
    #expect(record.appliedCorrection == applied)
    #expect(record.count == 2 && record.nextPosition == 11)
    #expect(record.countedEvents == replacement.deltas(correcting: target))
    #expect(record.declaredEvent(at: 9) == replacement)
    #expect(record.declaredEvent(at: 10) == replacement)
    #expect(record.declaredEvent(at: 8) == nil && record.declaredEvent(at: 11) == nil)
    #expect(record.parkedCorrection == nil && record.unparked == nil)
  }

  @Test func `a parked correction is read back and counts nothing`() throws {
    let void = event("v", 0, Correction(.voids, "é")).canonicalVoid
    let record = try reread(Record(parked: void, position: 9, time: time))
    #expect(record.parkedCorrection == void)
    #expect(record.nextPosition == 10 && record.countedEvents == nil)
    #expect(record.declaredEvent(at: 9) == void)
    #expect(record.appliedCorrection == nil && record.unparked == nil)
  }

  @Test func `parked corrections that were refused are read back and take no position`() throws {
    let all = Refusal.Reason.allCases.enumerated().map {
      Unparked(position: UInt64($0) << 40, reason: $1)
    }
    for entries in [[], all] {
      let record = try reread(Record(unparked: entries, position: 9, time: time))
      #expect(record.unparked == entries)
      #expect(record.nextPosition == 9 && record.countedEvents == nil)
      #expect(record.declaredEvent(at: 9) == nil)
    }
  }

  @Test func `an event of a batch is found by its position`() {
    let events = [event("a", 1), event("b", 2)]
    let record = Record(
      kind: .batch, count: 2, firstPosition: 5, firstTime: time,
      payload: EventBatchBuilder(events).batches[0].batch.journalPayload())
    #expect((4...7).map { record.declaredEvent(at: $0) } == [nil, events[0], events[1], nil])
  }

  @Test func `a refused correction is read back with what it names`() throws {
    for kind in Correction.Kind.allCases {
      let refused = event("r", 7, Correction(kind, "e"))
      let record = try reread(
        Record(
          number: 7, time: time, refusal: Refusal(.unknownTarget, field: kind.field, "is gone"),
          event: EventBatch(refused)))
      #expect(record.quarantineEntry?.event == refused)
    }
  }

  @Test func `the bytes are those of the README`() {
    let void = event("v", 0, Correction(.voids, "e")).canonicalVoid
    let applied = AppliedCorrection(void, of: event("e", 5), at: 3)
    // Kind and target in front of a batch of one event with empty texts.
    let declared: [UInt8] = [2, 1, 0, 0x65] + EventBatch(void.uncorrected).journalPayload()
    #expect(
      Array(Record(applied, position: 9, time: time).payload)
        == [3, 0, 0, 0, 0, 0, 0, 0] + declared + applied.deltas.journalPayload())
    #expect(Array(Record(parked: void, position: 9, time: time).payload) == declared)
    let unparked = Record(
      unparked: [Unparked(position: 258, reason: .unknownTarget)], position: 9, time: time)
    #expect(Array(unparked.payload) == [1, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 8])
    #expect([Record.Kind.correction, .parked, .unparked].map(\.rawValue) == [5, 6, 7])
  }

  @Test func `no shorter, longer or changed payload is more than nothing or a correction`() throws {
    try withSeededRandom { random in
      for record in examples() {
        let payload = Array(record.payload)
        for count in payload.indices {
          try #require(!isRead(record, Array(payload[..<count])), "\(record.kind): \(count)")
        }
        try #require(!isRead(record, payload + [0]))
        for _ in 0..<2000 {
          var changed = payload
          for _ in 0...Int.random(in: 0...3, using: &random) {
            changed[Int.random(in: 0..<changed.count, using: &random)] =
              [0, 1, 2, 0x7F, 0xFF].randomElement(using: &random)!
          }
          _ = isRead(record, changed)
        }
      }
    }
  }

  /// Whether a record like this one with another payload is of its kind's form. Reads all that it has.
  private func isRead(_ record: Record, _ payload: [UInt8]) -> Bool {
    let changed = Record(
      kind: record.kind, count: record.count, firstPosition: record.firstPosition,
      firstTime: record.firstTime, payload: payload)
    _ = changed.countedEvents
    _ = changed.declaredEvent(at: changed.firstPosition)
    return changed.appliedCorrection != nil || changed.parkedCorrection != nil
      || changed.unparked != nil
  }
}

extension UsageEvent {
  /// The same without what it corrects.
  fileprivate var uncorrected: UsageEvent {
    var event = self
    event.correction = nil
    return event
  }
}
