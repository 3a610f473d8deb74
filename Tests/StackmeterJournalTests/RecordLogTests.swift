import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct RecordLogTests {
  @Test func `a new log is empty and begins at position 1`() throws {
    let disk = SimulatedDisk()
    let log = try TestLog.open(disk)
    let tail = log.tail
    #expect(tail == LogTail(nextPosition: 1, segment: 1, segmentBytes: SegmentHeader.byteCount))
    #expect(try TestLog.names(disk) == ["segment-00000000000000000001.log"])
  }

  @Test func `what was committed is there when the log is opened again`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    #expect(try TestLog.entries(disk) == script.appended)
    let log = try TestLog.open(disk)
    let (next, time, bytes) = (log.nextPosition, log.lastTime, log.byteCount)
    let last = try #require(script.appended.last)
    #expect(next == last.position + UInt64(last.count))
    #expect(time == last.time.advanced(by: .nanoseconds(Int(max(last.count, 1)) - 1)))
    let records = script.appended.reduce(0) { $0 + Record.frameBytes + $1.payload.count }
    let segments = try TestLog.names(disk).count
    #expect(bytes == UInt64(records + segments * SegmentHeader.byteCount))
  }

  @Test func `what was only gathered is not there`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk)
    script.append(to: &log, payloadBytes: 10)
    let (hasPending, size) = (log.hasPending, log.byteCountWithPending)
    #expect(hasPending && size == UInt64(SegmentHeader.byteCount + 42))
    #expect(try TestLog.entries(disk) == [])
  }

  @Test func `a segment that is full is followed by one named for its first position`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    let segments = try TestLog.names(disk).compactMap { Segment.firstPosition(name: $0) }
    #expect(segments.count > 3)
    #expect(
      segments.dropFirst().allSatisfy { first in script.appended.contains { $0.position == first } }
    )
  }

  @Test func `ticks alone never begin a segment`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk, segmentBytesMax: 100)
    for _ in 0..<20 {
      script.append(to: &log, payloadBytes: 0)
      try log.commit()
    }
    #expect(try TestLog.names(disk).count == 1)
    #expect(try TestLog.entries(disk) == script.appended)
  }

  @Test func `the id is drawn once and is that of every segment, across restarts and tears`() throws
  {
    let disk = SimulatedDisk()
    var script = RecordScript()
    for number in 0..<20 {
      // A log that is there keeps its id, whatever is drawn.
      let newID = number == 0 ? TestLog.id : TestLog.otherID
      var log = try TestLog.open(disk, newID: newID)
      let id = log.id
      #expect(id == TestLog.id)
      script.append(to: &log, payloadBytes: 100)
      try log.commit()
      let path = TestLog.path(log.tail.segment)
      let end = log.tail.segmentBytes
      try disk.change(path) { $0.replaceSubrange(end..<end + 1, with: [1]) }
    }
    #expect(try TestLog.entries(disk) == script.appended)
    let segments = try TestLog.names(disk).filter { $0.hasSuffix(".log") }
    #expect(segments.count > 5)
    for segment in segments {
      let bytes = try disk.read("/log/\(segment)", from: 0, count: SegmentHeader.byteCount)
      #expect(SegmentHeader(bytes, .raw)?.id == TestLog.id)
    }
  }

  @Test func `an id is never 0, and a status text has half of it`() {
    #expect(LogID(rawValue: 0) == nil)
    #expect("\(TestLog.id)" == "08070605")
  }

  @Test func `a commit of nothing writes nothing`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    let before = disk.count(.write) + disk.count(.sync)
    try log.commit()
    #expect(disk.count(.write) + disk.count(.sync) == before)
  }

  @Test func `one sync makes a whole commit durable`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk, segmentBytesMax: 1 << 20)
    let before = disk.count(.sync)
    for _ in 0..<50 { script.append(to: &log, payloadBytes: 20) }
    try log.commit()
    #expect(disk.count(.sync) == before + 1)
  }

  @Test
  func `only the last segment is read when a log is opened, and the oldest that a time needs`()
    throws
  {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    let log = try TestLog.open(disk)
    let tail = log.tail
    let last = log.lastTime
    for entry in script.appended {
      let from = log.firstPosition(since: entry.time)
      let found = try TestLog.entries(disk, upTo: tail, from: from)
      #expect(found.first?.position == from)
      #expect(Array(script.appended.suffix(found.count)) == found)
      #expect(script.appended.filter { $0.time >= entry.time }.count <= found.count)
    }
    let first = log.firstPosition(since: Instant(nanoseconds: 0))
    #expect(first == 1)
    let none = log.firstPosition(since: last.advanced(by: .nanoseconds(1)))
    #expect(none == tail.segment)
  }

  @Test func `the log of a host's file system works the same`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/log"
      var script = RecordScript()
      var log = try RecordLog(
        disk: FileDisk(), directory: path, newID: TestLog.id, segmentBytesMax: 300)
      for size in [10, 0, 149, 149, 149] {
        script.append(to: &log, payloadBytes: size)
        try log.commit()
      }
      let opened = try RecordLog(
        disk: FileDisk(), directory: path, newID: TestLog.id, segmentBytesMax: 300)
      let (tail, first) = (opened.tail, opened.firstPosition)
      #expect(first == 1)
      var reader = LogReader(disk: FileDisk(), directory: path, fromPosition: 1)
      var found: [Entry] = []
      while let chunk = try reader.next(upTo: tail) {
        found += Record.all(in: chunk.bytes, of: chunk.id).map { Entry($0) }
      }
      #expect(found == script.appended)
      // Its space is taken before it is used.
      let last = "\(path)/\(Segment.name(firstPosition: tail.segment))"
      #expect(try FileDisk().size(last) == 300)
    }
  }

  @Test(arguments: [EIO, ENOSPC], [false, true])
  func `no fault of the disk loses what was committed`(errno: Int32, isLasting: Bool) throws {
    var random = SeededRandom(seed: 1)
    var index = 0
    while true {
      let disk = SimulatedDisk()
      disk.fail(.changes, after: index, errno: errno, isLasting: isLasting)
      var script = RecordScript()
      do {
        try script.run(disk)
        guard disk.isFaultPending else {
          Issue.record("the fault at change \(index) went unnoticed")
          return
        }
        break
      } catch {}
      disk.crash(
        keepingUnsynced: SimulatedDisk.Unsynced.allCases[index % 3], &random)
      let found = try TestLog.entries(disk)
      try #require(found.count >= script.committed, "change \(index)")
      try #require(found == Array(script.appended.prefix(found.count)), "change \(index)")
      index += 1
    }
    #expect(index > 30)
  }
}
