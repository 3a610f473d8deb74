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
    #expect(tail == LogTail(nextPosition: 1, segment: 1, segmentBytes: 24))
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
    let stored = try TestLog.names(disk).reduce(0) { $0 + (try disk.size("/log/\($1)")) }
    #expect(bytes == UInt64(stored))
  }

  @Test func `what was only gathered is not there`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    var log = try TestLog.open(disk)
    script.append(to: &log, payloadBytes: 10)
    let (hasPending, size) = (log.hasPending, log.byteCountWithPending)
    #expect(hasPending && size == 24 + 42)
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
    var log = try TestLog.open(disk, segmentBytesMax: 24)
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
      try disk.change(path) { $0 += [1, 2, 3] }
    }
    #expect(try TestLog.entries(disk) == script.appended)
    let segments = try TestLog.names(disk).filter { $0.hasSuffix(".log") }
    #expect(segments.count > 5)
    for segment in segments {
      let header = try disk.read("/log/\(segment)", from: 0, count: Segment.headerBytes)
      #expect(header == Segment.header(TestLog.id))
    }
  }

  @Test func `the bytes of a header are those of the documentation`() {
    #expect(
      Segment.header(TestLog.id)
        == Array("stackmtr".utf8) + [1, 0, 0, 0, 0x81, 0x1F, 0x89, 0x46, 1, 2, 3, 4, 5, 6, 7, 8])
    #expect(Segment.id(Segment.header(TestLog.id)) == TestLog.id)
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

  @Test func `old segments are left unread`() throws {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    let last = try #require(script.appended.last)
    var replayed: [Entry] = []
    let log = try RecordLog(
      disk: disk, directory: TestLog.directory, newID: TestLog.id,
      replayWithin: .nanoseconds(200), segmentBytesMax: 200
    ) { replayed.append(Entry($0)) }
    let (time, bytes) = (log.lastTime, log.byteCount)
    let limit = time.advanced(by: .nanoseconds(-200))
    let whole = try TestLog.open(disk)
    #expect(time == whole.lastTime && bytes == whole.byteCount)
    #expect(replayed.count < script.appended.count && replayed.last == last)
    #expect(Array(script.appended.suffix(replayed.count)) == replayed)
    #expect(script.appended.filter { $0.time >= limit }.count <= replayed.count)
  }

  @Test func `the log of a host's file system works the same`() async throws {
    try await withTemporaryDirectory { directory in
      var script = RecordScript()
      var replayed: [Entry] = []
      var log = try RecordLog(
        disk: FileDisk(), directory: "\(directory)/log", newID: TestLog.id,
        replayWithin: TestLog.forEver, segmentBytesMax: 200
      ) { _ in }
      for size in [10, 0, 149, 149, 149] {
        script.append(to: &log, payloadBytes: size)
        try log.commit()
      }
      _ = try RecordLog(
        disk: FileDisk(), directory: "\(directory)/log", newID: TestLog.id,
        replayWithin: TestLog.forEver, segmentBytesMax: 200
      ) { replayed.append(Entry($0)) }
      #expect(replayed == script.appended)
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
