import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct EventBatchJournalTests {
  @Test func `a batch is read back as it was written`() throws {
    try withSeededRandom { random in
      for _ in 0..<300 {
        let batch = EventBatch.random(&random)
        let payload = batch.journalPayload()
        // A slice that does not start at zero reads the same.
        let shifted = ([0, 0, 0] + payload)[3...]
        try #require(EventBatch(journalPayload: shifted) == batch)
      }
    }
  }

  @Test func `a batch without events or texts is read back`() {
    let empty = EventBatch(source: "")
    #expect(empty.journalPayload() == [UInt8](repeating: 0, count: 14))
    #expect(EventBatch(journalPayload: empty.journalPayload()[...]) == empty)
  }

  @Test func `no shorter or longer payload is a batch`() throws {
    try withSeededRandom { random in
      for _ in 0..<30 {
        let payload = EventBatch.random(countMax: 3, &random).journalPayload()
        for count in 0..<payload.count {
          try #require(EventBatch(journalPayload: payload[..<count]) == nil, "\(count) bytes")
        }
        try #require(EventBatch(journalPayload: (payload + [0])[...]) == nil)
      }
    }
  }

  @Test func `a changed payload never stops the program and keeps what a batch promises`() throws {
    try withSeededRandom { random in
      for _ in 0..<3000 {
        var payload = EventBatch.random(countMax: 5, &random).journalPayload()
        for _ in 0...Int.random(in: 0...3, using: &random) {
          payload[Int.random(in: 0..<payload.count, using: &random)] =
            [0, 1, 0x7F, 0xFF].randomElement(using: &random)!
        }
        guard let batch = EventBatch(journalPayload: payload[...]) else { continue }
        for index in 0..<batch.count { _ = batch.event(index) }
        try #require((batch.idEnds.last ?? 0) == batch.ids.count)
      }
    }
  }

  @Test func `counts that the payload has no room for are refused`() {
    // A source of no bytes and 2³² − 1 series; then no series and as many events.
    let series: [UInt8] = [0, 0, 255, 255, 255, 255] + [UInt8](repeating: 0, count: 1000)
    let events: [UInt8] =
      [0, 0, 0, 0, 0, 0, 255, 255, 255, 255] + [UInt8](repeating: 0, count: 1000)
    #expect(EventBatch(journalPayload: series[...]) == nil)
    #expect(EventBatch(journalPayload: events[...]) == nil)
  }

  @Test func `a refusal is read back with its event`() throws {
    var batch = EventBatch(
      source: "vm", series: [Series(subscription: "s", meter: "m", resource: Resource(uri: "/r"))])
    batch.append(id: "é".utf8, seriesIndex: 0, usageStart: 1, usageEnd: 2, attos: 3)
    let refusal = Refusal(.tooOld, field: "usage_start", "is old")
    let record = Record(number: 7, time: Instant(nanoseconds: 9), refusal: refusal, event: batch)
    #expect(
      record.quarantineEntry
        == QuarantineEntry(
          number: 7, refusedTime: Instant(nanoseconds: 9), refusal: refusal, event: batch.event(0)))
  }

  @Test func `what is not a refusal is no entry of the quarantine`() {
    let time = Instant(nanoseconds: 9)
    let tick = Record(kind: .tick, count: 0, firstPosition: 1, firstTime: time, payload: [])
    let broken = Record(kind: .refusal, count: 1, firstPosition: 1, firstTime: time, payload: [99])
    #expect(tick.quarantineEntry == nil && broken.quarantineEntry == nil)
  }

  @Test func `what was closed is read back, and nothing else is`() {
    let time = Instant(nanoseconds: 9)
    let entries: [Record.ResolvedEntry] = [
      (1, .discarded), (.max, .redriven(position: .max)), (2, .redriven(position: 1)),
    ]
    let record = Record(resolved: entries, nextNumber: 7, time: time)
    #expect(record.kind == .resolution && record.count == 0 && record.nextPosition == 7)
    let read = record.resolvedEntries
    #expect(read?.map(\.number) == [1, .max, 2])
    #expect(read?.map(\.outcome) == entries.map(\.outcome))
    #expect(record.quarantineEntry == nil)
    for broken in [
      Record(kind: .tick, count: 0, firstPosition: 1, firstTime: time, payload: []),
      Record(kind: .resolution, count: 0, firstPosition: 1, firstTime: time, payload: [1]),
    ] {
      #expect(broken.resolvedEntries == nil)
    }
  }

  @Test func `a digest tells reasons and every field of an event apart`() {
    func batch(_ change: (inout EventBatch) -> Void = { _ in }) -> EventBatch {
      var batch = EventBatch(
        source: "vm",
        series: [Series(subscription: "s", meter: "m", resource: Resource(uri: "/r"))])
      batch.append(id: "e".utf8, seriesIndex: 0, usageStart: 1, usageEnd: 2, attos: 3)
      change(&batch)
      return batch
    }
    let batches = [
      batch(), batch { $0.source = "v" }, batch { $0.series[0].subscription = "S" },
      batch { $0.series[0].meter = "M" }, batch { $0.series[0].resource.tags = "{}" },
      batch { $0.ids = [0] }, batch { $0.usageStart = [0] }, batch { $0.usageEnd = [3] },
      batch { $0.attos = [EventBatch.notAQuantity] },
    ]
    var digests = Set(batches.map { RefusalDigest(.tooOld, $0, key: (1, 2)) })
    #expect(digests.count == batches.count)
    #expect(digests.contains(RefusalDigest(.tooOld, batch(), key: (1, 2))))
    digests.insert(RefusalDigest(.inFuture, batch(), key: (1, 2)))
    digests.insert(RefusalDigest(.tooOld, batch(), key: (1, 3)))
    #expect(digests.count == batches.count + 2)
    // The bytes of a record tell the same as what was written into it.
    let record = Record(
      number: 1, time: Instant(nanoseconds: 9), refusal: Refusal(.tooOld, field: "f", "m"),
      event: batch())
    #expect(RefusalDigest(record, key: (1, 2)) == RefusalDigest(.tooOld, batch(), key: (1, 2)))
    let cut = Record(
      kind: .refusal, count: 1, firstPosition: 1, firstTime: Instant(nanoseconds: 9),
      payload: [1, 9, 0, 1])
    #expect(RefusalDigest(cut, key: (1, 2)) == nil)
  }
}
