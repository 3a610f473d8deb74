import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct LogReaderTests {
  private func read(_ reader: inout LogReader, upTo tail: LogTail) throws -> [Entry] {
    var entries: [Entry] = []
    while let chunk = try reader.next(upTo: tail) {
      let records = Record.all(in: chunk.bytes, of: TestLog.id)
      try #require(chunk.id == TestLog.id)
      try #require(records.reduce(0) { $0 + $1.byteCount } == chunk.bytes.count)
      try #require(records.last?.nextPosition == chunk.nextPosition)
      entries += records.map { Entry($0) }
    }
    return entries
  }

  private func written() throws -> (SimulatedDisk, [Entry], LogTail) {
    let disk = SimulatedDisk()
    var script = RecordScript()
    try script.run(disk)
    let log = try TestLog.open(disk)
    return (disk, script.appended, log.tail)
  }

  @Test func `from any position it reads the record that holds it and all after`() throws {
    let (disk, entries, tail) = try written()
    for position in 0...tail.nextPosition {
      var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: position)
      let expected = entries.filter {
        $0.position + UInt64($0.count) > position || $0.count == 0 && $0.position == position
      }
      #expect(try read(&reader, upTo: tail) == expected, "from \(position)")
    }
  }

  @Test func `it reads what is durable while the log grows, each record once`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk)
    var script = RecordScript()
    var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
    var seen: [Entry] = []
    for group in 0..<40 {
      for _ in 0...(group % 3) { script.append(to: &log, payloadBytes: group * 31 % 140) }
      let before = log.tail
      // Gathered records are not durable, so nobody sees them.
      #expect(try read(&reader, upTo: before) == [])
      try log.commit()
      // A reader whose tail is old sees only what that tail covers.
      #expect(try read(&reader, upTo: before) == [])
      let tail = log.tail
      seen += try read(&reader, upTo: tail)
      try #require(seen == script.appended)
    }
  }

  @Test func `a position beyond the log gives nothing`() throws {
    let (disk, _, tail) = try written()
    var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: .max)
    #expect(try read(&reader, upTo: tail) == [])
  }

  @Test func `a record larger than a chunk is given alone`() throws {
    let disk = SimulatedDisk()
    var log = try TestLog.open(disk, segmentBytesMax: 8 << 20)
    var script = RecordScript()
    let sizes = [10, LogReader.chunkBytesMax * 2, 20, LogReader.chunkBytesMax, 30]
    for size in sizes { script.append(to: &log, payloadBytes: size) }
    try log.commit()
    let tail = log.tail
    var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
    #expect(try read(&reader, upTo: tail) == script.appended)
    reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
    var chunks: [Int] = []
    while let chunk = try reader.next(upTo: tail) { chunks.append(chunk.bytes.count) }
    #expect(chunks == sizes.map { $0 + Record.frameBytes })
  }

  @Test func `a missing segment is an error and never skipped`() throws {
    for missing in 0...2 {
      let (disk, _, tail) = try written()
      let segments = try TestLog.names(disk).compactMap { Segment.firstPosition(name: $0) }
      try disk.remove(TestLog.path(segments[missing]))
      var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
      #expect(throws: RecordLogError.self) { _ = try read(&reader, upTo: tail) }
    }
  }

  @Test func `a segment of another log is an error`() throws {
    let (disk, _, tail) = try written()
    let other = SimulatedDisk()
    var script = RecordScript()
    try script.run(other, newID: TestLog.otherID)
    let second = try #require(
      try TestLog.names(disk).compactMap { Segment.firstPosition(name: $0) }.dropFirst().first)
    let foreign = try other.read(TestLog.path(second), from: 0, count: .max)
    try disk.change(TestLog.path(second)) { $0 = foreign }
    var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
    let error = #expect(throws: RecordLogError.self) { _ = try read(&reader, upTo: tail) }
    #expect(error?.description.contains("it belongs to another log") == true)
  }

  @Test func `damage is an error that names the place`() throws {
    let (disk, _, tail) = try written()
    try disk.damage(TestLog.path(1), at: 50, mask: 1)
    var reader = LogReader(disk: disk, directory: TestLog.directory, fromPosition: 1)
    let error = #expect(throws: RecordLogError.self) { _ = try read(&reader, upTo: tail) }
    #expect(
      error?.description.contains("segment-00000000000000000001.log is damaged at byte") == true)
  }
}
