import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct ReserveTests {
  @Test func `what was reserved is committed without asking for space`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    var script = RecordScript()
    for _ in 0..<10 {
      try log.reserve(5 * 132)
      let asked = disk.count(.allocate) + disk.count(.create)
      for _ in 0..<5 { script.append(to: &log, payloadBytes: 100) }
      try log.commit()
      #expect(disk.count(.allocate) + disk.count(.create) == asked)
      #expect(try disk.size(TestLog.path(log.tail.segment)) >= log.tail.segmentBytes)
    }
    #expect(try TestLog.entries(disk) == script.appended)
  }

  @Test(arguments: [ENOSPC, EDQUOT, EFBIG], [SimulatedDisk.Operation.create, .allocate])
  func `without space nothing is written, and the log goes on once there is some`(
    errno: Int32, operation: SimulatedDisk.Operation
  ) throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    var script = RecordScript()
    script.append(to: &log, payloadBytes: 40)
    try log.commit()
    let names = try TestLog.names(disk)
    let tail = log.tail
    disk.fail([operation], after: 0, errno: errno, isLasting: true)
    for _ in 0..<3 {
      let error = #expect(throws: ReserveError.self) { try log.reserve(1000) }
      #expect(error?.error.errno == errno)
      guard case .noSpace = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(try TestLog.names(disk) == names)
      #expect(log.tail == tail)
    }
    // What still fits is taken.
    try log.reserve(60)
    script.append(to: &log, payloadBytes: 20)
    try log.commit()
    disk.heal()
    try log.reserve(1000)
    script.append(to: &log, payloadBytes: 900)
    try log.commit()
    #expect(try TestLog.entries(disk) == script.appended)
  }

  @Test func `a segment without events grows, and shrinks again where there is no space`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    disk.fail([.allocate], after: 0, errno: ENOSPC)
    #expect(throws: ReserveError.self) { try log.reserve(1000) }
    #expect(try disk.size(TestLog.path(1)) == 300)
    try log.reserve(1000)
    #expect(try disk.size(TestLog.path(1)) >= 1000)
    #expect(try TestLog.names(disk).count == 1)
  }

  @Test func `a sync that fails while the segment grows is final, for lack of space too`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    disk.fail([.sync], after: 0, errno: ENOSPC)
    let error = #expect(throws: ReserveError.self) { try log.reserve(1000) }
    guard case .disk? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(throws: try #require(error)) { try log.reserve(1) }
  }

  @Test func `where nothing can be allocated it goes on without`() throws {
    let disk = SimulatedDisk()
    disk.setCanAllocate(false)
    var script = RecordScript()
    try script.run(disk)
    #expect(try TestLog.entries(disk) == script.appended)
    let last = try #require(try TestLog.names(disk).last)
    let tail = try #require(try RecordLog.tail(disk, TestLog.directory))
    #expect(try disk.size("/log/\(last)") == tail.segmentBytes)
  }

  @Test(arguments: [SimulatedDisk.Operation.write, .sync, .rename, .truncate, .syncDirectory])
  func `after the first error every call fails, and nothing is written or synced again`(
    operation: SimulatedDisk.Operation
  ) throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    var script = RecordScript()
    script.append(to: &log, payloadBytes: 140)
    try log.commit()
    disk.fail([operation], after: 0, errno: EIO)
    script.append(to: &log, payloadBytes: 140)
    let first = #expect(throws: DiskError.self) { try log.commit() }
    let changes = [SimulatedDisk.Operation.write, .sync, .create, .rename, .truncate]
    let before = changes.map { disk.count($0) }
    #expect(throws: try #require(first)) { try log.commit() }
    #expect(throws: ReserveError.disk(try #require(first))) { try log.reserve(1) }
    #expect(throws: RecordLogError.disk(try #require(first))) { _ = try log.record(at: 1) }
    #expect(changes.map { disk.count($0) } == before)
  }

  @Test func `a mark tells damage from a torn end, and is written once`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk, segmentBytesMax: 1 << 12)
    log.appendMark()
    let isEmpty = !log.hasPending
    #expect(isEmpty)
    var script = RecordScript()
    script.append(to: &log, payloadBytes: 40)
    try log.commit()
    let (time, position) = (log.lastTime, log.nextPosition)
    for _ in 0..<3 {
      log.appendMark()
      try log.commit()
    }
    let (tail, markedTime) = (log.tail, log.lastTime)
    #expect(tail.segmentBytes == SegmentHeader.byteCount + 72 + 32)
    #expect(markedTime == time && tail.nextPosition == position)
    script.append(to: &log, payloadBytes: 40)
    try log.commit()
    log.appendMark()
    try log.commit()
    #expect(try TestLog.entries(disk) == script.appended)
    var again = try TestLog.open(disk, segmentBytesMax: 1 << 12)
    again.appendMark()
    let isMarked = !again.hasPending
    #expect(isMarked)
    try disk.damage(TestLog.path(1), at: tail.segmentBytes + 40, mask: 1)
    try TestLog.expectRefused(disk, "but a later commit follows")
  }

  @Test func `a record is found while it is gathered, when it is durable and after a restart`()
    throws
  {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk, segmentBytesMax: 200_000)
    var script = RecordScript()
    func expectAll(_ log: inout RecordLog) throws {
      for entry in script.appended where entry.count > 0 {
        for position in entry.position..<entry.position + UInt64(entry.count) {
          let found = try log.record(at: position)
          try #require(found.map { Entry($0) } == entry)
        }
      }
      let beyond = try log.record(at: script.nextPosition)
      let before = try log.record(at: 0)
      try #require(beyond == nil && before == nil)
    }
    for group in 0..<12 {
      for index in 0..<6 { script.append(to: &log, payloadBytes: index * 4_001) }
      if group % 4 == 3 { try expectAll(&log) }
      try log.commit()
    }
    try #require(try TestLog.names(disk).count > 3)
    try expectAll(&log)
    var again = try TestLog.open(disk, segmentBytesMax: 200_000)
    try expectAll(&again)
  }
}
