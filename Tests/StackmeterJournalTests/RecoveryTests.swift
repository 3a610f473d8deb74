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
    var found: [Entry] = []
    var log = try TestLog.open(disk) { found.append($0) }
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

  /// Opening throws damage, and nothing on the disk is another than before.
  private func expectRefused(_ disk: SimulatedDisk, _ problem: String) throws {
    let before = try contents(disk)
    let error = #expect(throws: RecordLogError.self) { _ = try TestLog.entries(disk) }
    guard case .damaged = error else {
      Issue.record("\(String(describing: error)) is not damage")
      return
    }
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    #expect(try contents(disk) == before)
  }

  private func contents(_ disk: SimulatedDisk) throws -> [String: [UInt8]] {
    var contents: [String: [UInt8]] = [:]
    for name in try TestLog.names(disk) {
      contents[name] = try disk.read("/log/\(name)", from: 0, count: .max)
    }
    return contents
  }

  @Test func `a torn end is kept beside the log and cut off`() throws {
    let (disk, script, segments) = try logOfThreeSegments()
    let path = TestLog.path(try #require(segments.last))
    let size = try disk.size(path)
    try disk.change(path) { $0 += [1, 2, 3] }
    #expect(try TestLog.entries(disk) == script.appended)
    #expect(try disk.read("\(path).\(size).torn", from: 0, count: 9) == [1, 2, 3])
    #expect(try disk.size(path) == size)
    // The same tear again is one file, another at the same place is a second.
    try disk.change(path) { $0 += [1, 2, 3] }
    _ = try TestLog.entries(disk)
    try disk.change(path) { $0 += [4] }
    _ = try TestLog.entries(disk)
    #expect(
      try TestLog.names(disk).filter { $0.hasSuffix(".torn") }.map { "/log/\($0)" }
        == ["\(path).\(size).2.torn", "\(path).\(size).torn"])
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
      for index in (16 + 42)..<(16 + 42 + 132) { bytes[index] = 0 }
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
    try disk.damage(TestLog.path(1), at: 60, mask: 4)
    try expectRefused(disk, "checksum mismatch, but a later commit follows at byte 88")
  }

  @Test func `any flipped bit gives the same records, fewer of the last commit, or a refusal`()
    throws
  {
    let (_, script, segments) = try logOfThreeSegments()
    let lastCommit = script.appended.count - 1
    for segment in segments {
      let size = try logOfThreeSegments().0.size(TestLog.path(segment))
      for offset in 0..<size {
        let (disk, _, _) = try logOfThreeSegments()
        try disk.damage(TestLog.path(segment), at: offset, mask: 1 << UInt8(offset % 8))
        do {
          let found = try TestLog.entries(disk)
          try #require(found.count >= lastCommit, "byte \(offset) of \(segment)")
          try #require(found == Array(script.appended.prefix(found.count)))
        } catch is RecordLogError {}
      }
    }
  }

  @Test func `damage in a sealed segment is refused`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    let path = TestLog.path(segments[1])
    try disk.damage(path, at: try disk.size(path) - 1, mask: 1)
    try expectRefused(disk, "checksum mismatch; it was left as it is; restore it from a backup")
  }

  @Test func `a sealed segment without its end is refused`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    try disk.change(TestLog.path(segments[1])) { $0.removeLast() }
    try expectRefused(disk, "an incomplete record")
  }

  @Test func `a missing segment is refused`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    try disk.remove(TestLog.path(segments[1]))
    try expectRefused(disk, "but the next segment begins at \(segments[2])")
  }

  @Test func `a record of a later version is refused even at the end`() throws {
    let (disk, _, segments) = try logOfThreeSegments()
    var newer: [UInt8] = []
    Record(
      kind: .tick, count: 0, firstPosition: 1000, firstTime: Instant(nanoseconds: 1 << 40),
      payload: []
    ).write(to: &newer, startsCommit: true)
    newer[9] = 2
    withUnsafeBytes(of: Record.checksum(newer[8...]).littleEndian) {
      newer.replaceSubrange(4..<8, with: $0)
    }
    try disk.change(TestLog.path(try #require(segments.last))) { $0 += newer }
    try expectRefused(disk, "which this version of the program cannot read")
  }

  @Test func `a segment of another format is refused even without records`() throws {
    let disk = SimulatedDisk()
    _ = try TestLog.entries(disk)
    try disk.damage(TestLog.path(1), at: 8, mask: 3)
    try expectRefused(disk, "the header is not that of a segment of version 1")
  }

  @Test(arguments: [0, 5, 15])
  func `a header that a crash cut off is written again`(count: Int) throws {
    let disk = SimulatedDisk()
    _ = try TestLog.entries(disk)
    try disk.change(TestLog.path(1)) { bytes in
      for index in count..<16 { bytes[index] = 0 }
    }
    #expect(try TestLog.entries(disk) == [])
    #expect(try disk.read(TestLog.path(1), from: 0, count: 99) == Segment.header)
  }

  @Test func `what an interrupted recovery left is removed`() throws {
    let (disk, script, segments) = try logOfThreeSegments()
    _ = try disk.create(TestLog.path(try #require(segments.last)) + ".new")
    #expect(try TestLog.entries(disk) == script.appended)
    #expect(try !TestLog.names(disk).contains { $0.hasSuffix(".new") })
  }
}
