import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct LogSnapshotTests {
  private static let copy = "/copy"

  /// Copies what the snapshot names, as a backup does.
  private func copy(_ snapshot: LogSnapshot, _ disk: SimulatedDisk) throws {
    try disk.makeDirectory(Self.copy)
    for file in snapshot.files {
      let bytes = try disk.read(
        "\(TestLog.directory)/\(file.name)", from: 0, count: file.byteCount)
      #expect(bytes.count == file.byteCount)
      let target = try disk.create("\(Self.copy)/\(file.name)")
      let zeros = [UInt8](repeating: 0, count: file.paddedCount - file.byteCount)
      try target.write(bytes + zeros, at: 0)
      try target.sync()
    }
  }

  private func append(_ log: inout RecordLog, _ count: Int) throws {
    for _ in 0..<count {
      let payload = [UInt8](repeating: 7, count: 60)
      try log.reserve(payload.count + Record.frameBytes)
      log.append(
        Record(
          kind: .batch, count: 1, firstPosition: log.nextPosition,
          firstTime: log.lastTime.advanced(by: .seconds(1)), payload: payload))
      try log.commit()
    }
  }

  private func positions(_ disk: SimulatedDisk, _ directory: String) throws -> [UInt64] {
    let tail = try #require(try RecordLog.tail(disk, directory))
    var reader = LogReader(disk: disk, directory: directory, fromPosition: 1)
    var positions: [UInt64] = []
    while let chunk = try reader.next(upTo: tail) {
      positions += Record.all(in: chunk.bytes, of: chunk.id).filter { $0.kind == .batch }
        .map(\.firstPosition)
    }
    return positions
  }

  @Test func `a copy of sealed and raw segments is the same log, and goes on`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    try append(&log, 9)
    try TestLog.seal(&log)
    try append(&log, 4)
    let snapshot = try #require(try LogSnapshot(disk, TestLog.directory))
    #expect(snapshot.files.count { $0.isSealed } > 1 && !snapshot.files.last!.isSealed)
    #expect(snapshot.firstPosition == 1 && snapshot.nextPosition == 14)
    // What comes later is not in the copy.
    try append(&log, 1)
    try copy(snapshot, disk)
    #expect(try positions(disk, Self.copy) == Array(1...13))
    var second = try RecordLog(
      disk: disk, directory: Self.copy, newID: TestLog.otherID, segmentBytesMax: 300)
    #expect(second.id == TestLog.id)
    try append(&second, 2)
    #expect(try positions(disk, Self.copy) == Array(1...15))
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func `a log that ends in front of a record has all before it and no more`(end: UInt64) throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    try append(&log, 9)
    let snapshot = try #require(
      try LogSnapshot(disk, TestLog.directory) { $0.firstPosition >= end && $0.kind == .batch })
    #expect(snapshot.nextPosition == end)
    try copy(snapshot, disk)
    #expect(try positions(disk, Self.copy) == Array(1..<end))
  }

  @Test func `where there is no log there is no snapshot`() throws {
    let disk = SimulatedDisk()
    try disk.makeDirectory(TestLog.directory)
    #expect(try LogSnapshot(disk, TestLog.directory) == nil)
  }
}
