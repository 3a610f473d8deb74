import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import CollectorServer

/// How much one call looks at, and how the next one goes on.
@Suite(.timeLimit(.minutes(1))) struct UsageFinderTests {
  private static let directory = "/finder"
  private static let id = LogID(rawValue: 0x1234_5678)!

  private static func record(_ events: [UsageEvent], at position: UInt64) -> Record {
    Record(
      kind: .batch, count: UInt32(events.count), firstPosition: position,
      firstTime: Fixture.now.advanced(by: .seconds(Int64(position))),
      payload: EventBatchBuilder(events).batches[0].batch.journalPayload())
  }

  private static func journal(_ records: [Record]) throws -> (SimulatedDisk, LogTail) {
    let disk = SimulatedDisk()
    var log = try RecordLog(
      disk: disk, directory: directory, newID: id, segmentBytesMax: 16 << 20)
    for record in records {
      log.append(record)
      try log.commit()
    }
    return (disk, log.tail)
  }

  private static func find(
    _ disk: SimulatedDisk, _ tail: LogTail, from position: UInt64 = 1, limit: UInt32 = 0,
    subscription: String = "s"
  ) throws -> UsageFinder {
    var finder = UsageFinder(
      FindUsageRequest(
        positions: position..<tail.nextPosition, journalID: id.rawValue,
        subscription: subscription, meter: "CPU",
        usageHour: Fixture.now.advanced(by: .seconds(-3600)).hour, limit: limit))
    var reader = LogReader(disk: disk, directory: directory, fromPosition: position)
    try finder.run(&reader, tail)
    return finder
  }

  @Test func `an answer ends at its limit, in the middle of a record, and the next one goes on`()
    throws
  {
    let events = (0..<7).map { Fixture.event("\($0)") }
    let (disk, tail) = try Self.journal([
      Self.record(Array(events[..<5]), at: 1), Self.record(Array(events[5...]), at: 6),
    ])
    var (position, ids, sizes): (UInt64, [String], [Int]) = (1, [], [])
    while position < tail.nextPosition {
      let finder = try Self.find(disk, tail, from: position, limit: 3)
      ids += finder.found.map(\.event.id)
      sizes.append(finder.found.count)
      position = finder.nextPosition
    }
    #expect(ids == events.map(\.id) && sizes == [3, 3, 1])
  }

  @Test func `an answer ends before it is too large for a message`() throws {
    let events = (0..<300).map { number in
      var event = Fixture.event("\(number)")
      event.series.resource.additionalInfo = String(repeating: "x", count: 8000)
      return event
    }
    let (disk, tail) = try Self.journal([Self.record(events, at: 1)])
    let first = try Self.find(disk, tail)
    let bytes = first.found.count * 8000
    #expect(bytes <= UsageFinder.answerBytesMax && bytes > UsageFinder.answerBytesMax / 2)
    let second = try Self.find(disk, tail, from: first.nextPosition)
    #expect(second.found.first?.position == first.nextPosition)
    #expect(second.found.first?.position == UInt64(first.found.count + 1))
  }

  @Test func `a correction is never torn apart by the limit`() throws {
    let target = Fixture.event("a")
    var better = Fixture.event("b", subscription: "s", duration: .seconds(90), quantity: 5)
    better.correction = Correction(.replaces, "a")
    let correction = AppliedCorrection(better, of: target, at: 1)
    try #require(correction.deltas.count == 2)
    let (disk, tail) = try Self.journal([
      Self.record([target], at: 1),
      Record(correction, position: 2, time: Fixture.now.advanced(by: .seconds(9))),
    ])
    let first = try Self.find(disk, tail, limit: 2)
    #expect(first.found.map(\.position) == [1] && first.nextPosition == 2)
    // Where it is more than the limit by itself, it is an answer all the same.
    let second = try Self.find(disk, tail, from: 2, limit: 1)
    #expect(second.found.map(\.position) == [2, 2] && second.nextPosition == tail.nextPosition)
  }

  @Test func `one call looks at so much of the journal and no more`() throws {
    // Ten MiB for each record.
    let payload = (0..<1280).map { number in
      var event = Fixture.event("\(number)", subscription: "other")
      event.series.resource.tags = "\(number)" + String(repeating: " ", count: 8180)
      return event
    }
    let batch = EventBatchBuilder(payload).batches[0].batch.journalPayload()
    let records = (0..<8).map { number in
      Record(
        kind: .batch, count: UInt32(payload.count),
        firstPosition: UInt64(number * payload.count + 1),
        firstTime: Fixture.now.advanced(by: .seconds(number)), payload: batch)
    }
    let end = UInt64(8 * payload.count + 1)
    let (disk, tail) = try Self.journal(records + [Self.record([Fixture.event("last")], at: end)])
    let first = try Self.find(disk, tail)
    #expect(first.found.isEmpty)
    #expect(first.nextPosition > 1 && first.nextPosition < end)
    let second = try Self.find(disk, tail, from: first.nextPosition)
    #expect(second.found.map(\.event.id) == ["last"])
    #expect(second.nextPosition == tail.nextPosition)
  }
}
