import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct SegmentSealTests {
  @Test func `a sealed log reads the same from any position, and finds the same records`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    var log = try TestLog.open(disk)
    let tail = log.tail
    let before = log.byteCount
    #expect(try TestLog.seal(&log) > 3)
    let after = log.byteCount
    #expect(before != after)
    #expect(try TestLog.names(disk).filter { $0.hasSuffix(".log") }.count == 1)
    for position in 1...tail.nextPosition {
      let expected = script.appended.filter {
        $0.position + UInt64($0.count) > position || $0.count == 0 && $0.position == position
      }
      #expect(try TestLog.entries(disk, upTo: tail, from: position) == expected)
    }
    for entry in script.appended where entry.count > 0 {
      let found = try log.record(at: entry.position + UInt64(entry.count) - 1)
      #expect(found.map { Entry($0) } == entry)
    }
    #expect(try TestLog.entries(disk) == script.appended)
    let again = try TestLog.open(disk)
    let (count, isSealed) = (again.byteCount, again.nextToSeal == nil)
    #expect(count == after && isSealed)
  }

  @Test func `blocks hold whole records, and a mark is never the first of one`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk, segmentBytesMax: 4 << 20)
    var script = RecordScript()
    for size in [200 << 10, 100 << 10, 10, 300 << 10, 20, 600 << 10] {
      script.append(to: &log, payloadBytes: size)
      try log.commit()
      log.appendMark()
      try log.commit()
    }
    try log.reserve(4 << 20)
    try TestLog.seal(&log)
    let table = try SealedTable.read(
      disk, TestLog.path(1, .sealed), firstPosition: 1, known: TestLog.id)
    #expect(table.blocks.count == 3)
    #expect(table.blocks.map(\.firstPosition) == [0, 2, 4].map { script.appended[$0].position })
    #expect(try TestLog.entries(disk, upTo: log.tail) == script.appended)
    let last = try #require(script.appended.last)
    let found = try log.record(at: last.position)
    #expect(found.map { Entry($0) } == last)
  }

  @Test func `a reader goes on while what it reads is sealed`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk, segmentBytesMax: 4 << 20)
    var script = RecordScript()
    for _ in 0..<3 { script.append(to: &log, payloadBytes: 700 << 10) }
    try log.commit()
    try log.reserve(4 << 20)
    let tail = log.tail
    var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
    var found: [Entry] = []
    var isSealed = false
    while let chunk = try reader.next(upTo: tail) {
      found += Record.all(in: chunk.bytes, of: chunk.id).map { Entry($0) }
      if !isSealed { try TestLog.seal(&log) }
      isSealed = true
    }
    #expect(found == script.appended)
    try #require(!TestLog.names(disk).contains(Segment.name(firstPosition: 1)))
  }

  @Test func `each segment's digest goes on from the one in front of it`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    var log = try TestLog.open(disk)
    try TestLog.seal(&log)
    var previous = SegmentDigest.none
    for segment in try TestLog.sealedSegments(disk) {
      let table = try SealedTable.read(
        disk, TestLog.path(segment, .sealed), firstPosition: segment, known: TestLog.id)
      #expect(table.footer.previousDigest == previous && table.footer.digest != previous)
      previous = table.footer.digest
    }
  }

  @Test func `what does not fit into the chain is refused, and nothing is changed`() throws {
    func sealed(_ seed: UInt8) throws -> (SimulatedDisk, [UInt64]) {
      let disk = SimulatedDisk()
      var log = try TestLog.open(disk)
      for number in 0..<8 {
        log.append(
          Record(
            kind: .batch, count: 1, firstPosition: log.nextPosition,
            firstTime: Instant(nanoseconds: Int64(number + 1)),
            payload: Array(repeating: seed, count: 100)))
        try log.commit()
      }
      try TestLog.seal(&log)
      return (disk, try TestLog.sealedSegments(disk))
    }
    // The same positions, times and sizes with other content.
    let (other, segments) = try sealed(2)
    let (disk, _) = try sealed(1)
    try #require(segments.count > 2)
    let foreign = try other.read(TestLog.path(segments[0], .sealed), from: 0, count: .max)
    try disk.change(TestLog.path(segments[0], .sealed)) { $0 = foreign }
    try TestLog.expectRefused(disk, "behind another segment than the one in front of it")
    let (missing, _) = try sealed(1)
    try missing.remove(TestLog.path(segments[1], .sealed))
    try TestLog.expectRefused(missing, "but the next segment follows")
    let (tailless, _) = try sealed(1)
    let names = try TestLog.names(tailless).filter { $0.hasSuffix(".log") }
    try tailless.remove("/log/\(try #require(names.first))")
    try TestLog.expectRefused(tailless, "the segment that follows it is missing")
  }

  @Test func `a raw segment that is damaged is not sealed and stays`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    let log = try TestLog.open(disk)
    try disk.damage(TestLog.path(1), at: 100, mask: 1)
    let next = log.nextToSeal
    let seal = try #require(next)
    let error = #expect(throws: RecordLogError.self) { _ = try seal.run() }
    guard case .damaged = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try TestLog.names(disk).contains(Segment.name(firstPosition: 1)))
    #expect(try !TestLog.names(disk).contains { $0.hasSuffix(".sealed") })
  }

  @Test(arguments: [EIO, ENOSPC])
  func `a seal that the disk refused is run again`(errno: Int32) throws {
    for index in 0... {
      let disk = SimulatedDisk()
      var script = RecordScript()
      try script.run(disk)
      var log = try TestLog.open(disk)
      let next = log.nextToSeal
      let seal = try #require(next)
      disk.fail(.changes, after: index, errno: errno)
      guard (try? seal.run()) == nil else {
        try #require(index > 5)
        break
      }
      disk.heal()
      let retried = log.nextToSeal
      let again = try #require(retried)
      log.didSeal(try again.run())
      try TestLog.seal(&log)
      try #require(TestLog.entries(disk) == script.appended, "change \(index)")
    }
  }

  @Test func `only segments that are old, applied and not the newest sealed one are removed`()
    throws
  {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    var log = try TestLog.open(disk)
    try TestLog.seal(&log)
    let tail = log.tail
    let segments = try TestLog.sealedSegments(disk)
    let end = Instant(nanoseconds: .max)
    let unapplied = TestLog.removal(&log, before: 0, end)
    let young = TestLog.removal(&log, before: .max, Instant(nanoseconds: 0))
    #expect(unapplied == nil && young == nil)
    // One position short of the second's end.
    let oldest = TestLog.removal(&log, before: segments[2] - 1, end)
    let first = try #require(oldest)
    #expect(first.segments == [segments[0]])
    try first.run()
    try first.run()
    let from = log.firstPosition
    #expect(from == segments[1])
    let error = #expect(throws: RecordLogError.self) { try TestLog.entries(disk, upTo: tail) }
    #expect(error == .removed(position: 1, first: segments[1]))
    let gone = try log.record(at: 1)
    #expect(gone == nil)
    let others = TestLog.removal(&log, before: .max, end)
    let rest = try #require(others)
    #expect(rest.segments == Array(segments[1...].dropLast()))
    try rest.run()
    // The next seal goes on from the one that stays, after a restart too.
    var again = try TestLog.open(disk)
    script.append(to: &again, payloadBytes: 140)
    try again.commit()
    try again.reserve(300)
    try TestLog.seal(&again)
    let from2 = again.firstPosition
    let kept = script.appended.filter { $0.position >= from2 }
    #expect(try TestLog.entries(disk, upTo: again.tail, from: from2) == kept)
    _ = try TestLog.open(disk)
  }
}
