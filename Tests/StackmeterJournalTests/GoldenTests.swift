import Foundation
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

/// Files of version 1 as they were written when it was defined: they stay readable, and the same is written today.
@Suite struct GoldenTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Golden")

  static func golden(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: directory.appending(path: name)))
  }

  /// Records of every kind, and a second segment.
  private func writeLog() throws -> (SimulatedDisk, [Entry]) {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk, segmentBytesMax: 2048)
    var batch = EventBatch(source: "compute")
    batch.series.append(
      Series(
        subscription: "s-1", meter: "CPU",
        resource: Resource(
          uri: "/r/1", location: "here", tags: "{\"a\":\"b\"}", additionalInfo: "x")))
    for number in 0..<3 {
      batch.append(
        id: "id-\(number)".utf8, seriesIndex: 0, usageStart: 3_600_000_000_000,
        usageEnd: 7_200_000_000_000, attos: Int128(number) * 1_000_000_000_000_000_000)
    }
    log.append(
      Record(
        kind: .batch, count: 3, firstPosition: 1, firstTime: Instant(nanoseconds: 1000),
        payload: batch.journalPayload()))
    log.append(
      Record(
        kind: .tick, count: 0, firstPosition: 4, firstTime: Instant(nanoseconds: 2000), payload: [])
    )
    try log.commit()
    log.appendMark()
    try log.commit()
    var refused = EventBatch(source: "compute")
    refused.series = batch.series
    refused.append(
      id: "late".utf8, seriesIndex: 0, usageStart: 1, usageEnd: 2, attos: -5)
    log.append(
      Record(
        number: 4, time: Instant(nanoseconds: 3000),
        refusal: Refusal(.tooOld, field: "usage_start", "is too old"), event: refused))
    log.append(
      Record(
        resolved: [(4, .discarded)], nextNumber: 5, time: Instant(nanoseconds: 4000)))
    let first = batch.event(0)
    var void = first
    void.id = "void"
    void.correction = Correction(.voids, first.id)
    void = void.canonicalVoid
    log.append(
      Record(
        AppliedCorrection(void, of: first, at: 1), position: 5, time: Instant(nanoseconds: 5000)))
    log.append(Record(parked: void, position: 6, time: Instant(nanoseconds: 6000)))
    log.append(
      Record(
        unparked: [Unparked(position: 6, reason: .unknownTarget)], position: 7,
        time: Instant(nanoseconds: 7000)))
    log.append(
      Record(
        Heartbeat(
          source: "compute", cadenceSeconds: 3600, completeUntil: Instant(nanoseconds: 6500)),
        position: 7, time: Instant(nanoseconds: 8000)))
    try log.commit()
    let tail = log.tail
    let entries = try TestLog.entries(disk, upTo: tail)
    try log.reserve(2048)
    return (disk, entries)
  }

  @Test func `a raw segment is written as ever, byte for byte`() throws {
    let (disk, _) = try writeLog()
    let name = Segment.name(firstPosition: 1)
    #expect(try disk.read("/log/\(name)", from: 0, count: .max) == GoldenTests.golden(name))
    let next = Segment.name(firstPosition: 7)
    #expect(try disk.read("/log/\(next)", from: 0, count: .max) == GoldenTests.golden(next))
  }

  /// How well the library compresses is its own affair; all else is ours.
  @Test func `a sealed segment is read as ever, and says the same as one that is written today`()
    throws
  {
    let (disk, entries) = try writeLog()
    var log = try TestLog.open(disk, segmentBytesMax: 2048)
    try TestLog.seal(&log)
    let tail = log.tail
    let path = TestLog.path(1, .sealed)
    let today = try SealedTable.read(disk, path, firstPosition: 1, known: TestLog.id)
    let golden = try GoldenTests.golden(Segment.name(firstPosition: 1, .sealed))
    try disk.change(path) { $0 = golden }
    let ever = try SealedTable.read(disk, path, firstPosition: 1, known: TestLog.id)
    #expect(
      ever.header == today.header && ever.blocks.map(\.rawCount) == today.blocks.map(\.rawCount))
    #expect(ever.footer.digest == today.footer.digest)
    #expect(ever.footer.bytes(TestLog.id) == Array(golden.suffix(SealedFooter.byteCount)))
    #expect(try TestLog.entries(disk, upTo: tail) == entries)
    #expect(
      entries.map(\.kind) == [
        .batch, .tick, .refusal, .resolution, .correction, .parked, .unparked,
        .heartbeat,
      ])
  }
}
