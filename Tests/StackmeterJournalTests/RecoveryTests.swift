import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct RecoveryTests {
  /// Cuts the power at every change that the script makes, and again while the log recovers.
  @Test(arguments: SimulatedDisk.Unsynced.allCases)
  func `a crash at any moment leaves exactly a prefix with all that was committed`(
    unsynced: SimulatedDisk.Unsynced
  ) throws {
    try withSeededRandom { random in
      for round in 0..<(unsynced == .torn ? 12 : 1) {
        var index = 0
        while try crash(at: index, unsynced, isRecoveryCut: round % 2 == 1, &random) { index += 1 }
        try #require(index > 30)
      }
    }
  }

  /// False once the script makes fewer changes than `index`.
  private func crash(
    at index: Int, _ unsynced: SimulatedDisk.Unsynced, isRecoveryCut: Bool,
    _ random: inout SeededRandom
  ) throws -> Bool {
    let disk = SimulatedDisk()
    disk.fail(.changes, after: index, errno: EIO, isLasting: true)
    var script = RecordScript()
    do {
      try script.run(disk)
      return false
    } catch {}
    disk.crash(keepingUnsynced: unsynced, &random)
    if isRecoveryCut {
      disk.fail(
        .changes, after: Int.random(in: 0...4, using: &random), errno: EIO, isLasting: true)
      _ = try? TestLog.entries(disk)
      disk.crash(keepingUnsynced: unsynced, &random)
    }
    let found = try TestLog.entries(disk)
    var log = try TestLog.open(disk)
    try #require(found.count >= script.committed, "change \(index)")
    try #require(found == Array(script.appended.prefix(found.count)), "change \(index)")
    try #require(!TestLog.names(disk).contains { $0.hasSuffix(".new") })
    var more = RecordScript()
    more.append(to: &log, payloadBytes: 33)
    try log.commit()
    disk.crash(keepingUnsynced: .dropped, &random)
    try #require(TestLog.entries(disk) == found + more.appended, "change \(index)")
    return true
  }

  private func logOfThreeSegments() throws -> (SimulatedDisk, RecordScript, segments: [UInt64]) {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    return (disk, script, try TestLog.names(disk).compactMap { Segment.firstPosition(name: $0) })
  }

  /// Puts bytes behind the last record of a segment, where there are only zeros.
  private func append(_ bytes: [UInt8], to path: String, at offset: Int, _ disk: SimulatedDisk)
    throws
  {
    try disk.change(path) { $0.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
  }

  @Test func `a torn end is kept beside the log and cut off`() throws {
    let (disk, script, segments) = try logOfThreeSegments()
    let path = TestLog.path(try #require(segments.last))
    let end = try TestLog.open(disk).tail.segmentBytes
    try append([1, 2, 3], to: path, at: end, disk)
    #expect(try TestLog.entries(disk) == script.appended)
    #expect(try disk.read("\(path).\(end).torn", from: 0, count: 9) == [1, 2, 3])
    #expect(try disk.read(path, from: end, count: .max).allSatisfy { $0 == 0 })
    // The same tear again is one file, another at the same place is a second.
    try append([1, 2, 3], to: path, at: end, disk)
    _ = try TestLog.entries(disk)
    try append([4], to: path, at: end, disk)
    _ = try TestLog.entries(disk)
    #expect(
      try TestLog.names(disk).filter { $0.hasSuffix(".torn") }.map { "/log/\($0)" }
        == ["\(path).\(end).2.torn", "\(path).\(end).torn"])
  }

  @Test func `a log can be read before it is begun, and is not changed by that`() throws {
    let (disk, script, segments) = try logOfThreeSegments()
    let path = TestLog.path(try #require(segments.last))
    let end = try TestLog.open(disk).tail.segmentBytes
    try append([1, 2, 3], to: path, at: end, disk)
    // But for making a directory that is there.
    let changes = Set<SimulatedDisk.Operation>.changes.subtracting([.makeDirectory])
    let before = changes.reduce(0) { $0 + disk.count($1) }
    var log = try RecordLog(
      disk: disk, directory: TestLog.directory, newID: TestLog.id, segmentBytesMax: 300,
      begins: false)
    let (count, tail) = (log.nextPosition - 1, log.tail)
    #expect(tail.segmentBytes == end && log.segmentPositions == segments)
    for position in 1...count {
      let found = try log.record(at: position)
      #expect(found != nil)
    }
    #expect(changes.reduce(0) { $0 + disk.count($1) } == before)
    try log.begin()
    #expect(log.tornBytes == 3)
    try log.begin()
    #expect(try TestLog.entries(disk) == script.appended)
  }

  @Test func `a commit that was torn in its middle is no damage`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk, segmentBytesMax: 1 << 20)
    script.append(to: &log, payloadBytes: 10)
    try log.commit()
    let acknowledged = script.appended
    for _ in 0..<3 { script.append(to: &log, payloadBytes: 100) }
    try log.commit()
    // The first of three records never reached the disk, the two after it did.
    try disk.change(TestLog.path(1)) { bytes in
      let start = SegmentHeader.byteCount + 42
      for index in start..<(start + 132) { bytes[index] = 0 }
    }
    #expect(try TestLog.entries(disk) == acknowledged)
  }

  @Test func `damage in front of a later commit is refused`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk, segmentBytesMax: 1 << 20)
    for _ in 0..<3 {
      script.append(to: &log, payloadBytes: 40)
      try log.commit()
    }
    try disk.damage(TestLog.path(1), at: SegmentHeader.byteCount + 44, mask: 4)
    try TestLog.expectRefused(
      disk, "checksum mismatch, but a later commit follows at byte \(SegmentHeader.byteCount + 72)")
  }

  @Test func `damage in a segment that is not the last is refused when it is read`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    let path = TestLog.path(segments[1])
    try disk.damage(path, at: try disk.size(path) - 1, mask: 1)
    try TestLog.expectRefused(
      disk, "checksum mismatch; it was left as it is; restore it from a backup")
  }

  @Test func `a segment that was cut short is refused`() throws {
    for index in 0...3 {
      let (disk, _, segments) = try logOfThreeSegments()
      let segment = index == 0 ? segments[segments.count - 1] : segments[index]
      try disk.change(TestLog.path(segment)) { $0.removeLast() }
      try TestLog.expectRefused(
        disk, index == 0 ? "is shorter now" : "when the next segment was begun")
    }
  }

  @Test func `a missing segment is refused`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    try disk.remove(TestLog.path(segments[1]))
    try TestLog.expectRefused(disk, "when the next segment was begun")
  }

  @Test func `a record of a later version is refused even at the end`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    var newer: [UInt8] = []
    Record(
      kind: .tick, count: 0, firstPosition: 1000, firstTime: Instant(nanoseconds: 1 << 40),
      payload: []
    ).write(to: &newer, of: TestLog.id, startsCommit: true)
    newer[9] = 2
    withUnsafeBytes(of: Record.checksum(newer[8...], seed: TestLog.id.seed).littleEndian) {
      newer.replaceSubrange(4..<8, with: $0)
    }
    let end = try TestLog.open(disk).tail.segmentBytes
    try append(newer, to: TestLog.path(try #require(segments.last)), at: end, disk)
    try TestLog.expectNewer(disk, "which this program does not know")
  }

  @Test(arguments: [(0, 3, "2"), (1, 3, "769")])
  func `a segment of a later version is refused as newer even without records`(
    place: Int, mask: UInt8, version: String
  ) throws {
    let disk = SimulatedDisk()
    _ = try TestLog.entries(disk)
    try disk.damage(TestLog.path(1), at: 8 + place, mask: mask)
    try TestLog.expectNewer(
      disk, "a segment of version \(version), and this program knows 1")
  }

  @Test(arguments: [(0, 1), (1, 4), (2, 1), (3, 128)])
  func `a version that cannot be is damage`(place: Int, mask: UInt8) throws {
    let disk = SimulatedDisk()
    _ = try TestLog.entries(disk)
    try disk.damage(TestLog.path(1), at: 8 + place, mask: mask)
    try TestLog.expectRefused(disk, "the header is not that of a segment of version 1")
  }

  @Test func `a segment of another log is refused`() throws {
    let other = SimulatedDisk()
    var script = RecordScript()
    try script.run(other, newID: TestLog.otherID)
    let (_, _, segments) = try logOfThreeSegments()
    for segment in segments {
      let (disk, _, _) = try logOfThreeSegments()
      let foreign = try other.read(TestLog.path(segment), from: 0, count: .max)
      try disk.change(TestLog.path(segment)) { $0 = foreign }
      try TestLog.expectRefused(disk, "it belongs to another log than the segments in front of it")
    }
  }

  @Test func `a flipped bit of the only header is refused and costs no record`() throws {
    for bit in 0..<SegmentHeader.byteCount * 8 {
      let disk = SimulatedDisk()
      var script = RecordScript()
      var log = try TestLog.open(disk)
      script.append(to: &log, payloadBytes: 10)
      try log.commit()
      try disk.damage(TestLog.path(1), at: bit / 8, mask: 1 << UInt8(bit % 8))
      // Some look like a version to come: 3 to 513.
      if (65..<74).contains(bit) {
        try TestLog.expectNewer(disk, "a segment of version ")
      } else {
        try TestLog.expectRefused(disk, "the header is not that of a segment of version 1")
      }
    }
  }

  /// Two quantities side by side are the frame of a tick that begins a later commit. Only under the log's own id,
  /// which no reporter knows, would its checksum be good.
  @Test(arguments: [nil, TestLog.otherID, TestLog.id])
  func `what a reporter plants in a payload is no later commit`(planter: LogID?) throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk, segmentBytesMax: 1 << 12)
    script.append(to: &log, payloadBytes: 10)
    try log.commit()
    let valid = log.tail.segmentBytes
    var planted: [UInt8] = []
    Record(
      kind: .tick, count: 0, firstPosition: log.nextPosition + 2,
      firstTime: log.lastTime.advanced(by: .seconds(1)), payload: []
    ).write(to: &planted, of: planter ?? TestLog.id, startsCommit: true)
    if planter == nil {
      withUnsafeBytes(of: Record.checksum(planted[8...], seed: 0).littleEndian) {
        planted.replaceSubrange(4..<8, with: $0)
      }
    }
    var batch = EventBatch(source: "vm")
    batch.series.append(Series(subscription: "s", meter: "m", resource: Resource(uri: "/r")))
    for half in [planted.prefix(16), planted.suffix(16)] {
      let attos = half.reversed().reduce(Int128(0)) { $0 << 8 | Int128($1) }
      batch.append(id: "e".utf8, seriesIndex: 0, usageStart: 1, usageEnd: 2, attos: attos)
    }
    log.append(
      Record(
        kind: .batch, count: 2, firstPosition: log.nextPosition,
        firstTime: log.lastTime.advanced(by: .nanoseconds(1)), payload: batch.journalPayload()))
    try log.commit()
    let torn = try disk.read(TestLog.path(1), from: valid, count: log.tail.segmentBytes - valid)
    try #require(torn.suffix(32) == planted[...])
    // The power fails: the record's first sector is lost, the rest is there.
    try disk.change(TestLog.path(1)) { bytes in
      for index in valid..<(valid + 20) { bytes[index] = 0 }
    }
    if planter == TestLog.id {
      try TestLog.expectRefused(disk, "but a later commit follows")
    } else {
      #expect(try TestLog.entries(disk) == script.appended)
    }
  }

  @Test func `what an interrupted recovery left is removed`() throws {
    let (disk, script, segments) = try logOfThreeSegments()
    _ = try disk.create(TestLog.path(try #require(segments.last)) + ".new")
    #expect(try TestLog.entries(disk) == script.appended)
    #expect(try !TestLog.names(disk).contains { $0.hasSuffix(".new") })
  }
}
