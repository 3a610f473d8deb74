import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

/// What a record is, comparable.
struct Entry: Equatable, CustomStringConvertible {
  let kind: Record.Kind
  let count: UInt32
  let position: UInt64
  let time: Instant
  let payload: [UInt8]

  init(_ record: Record) {
    kind = record.kind
    count = record.count
    position = record.firstPosition
    time = record.firstTime
    payload = Array(record.payload)
  }

  var description: String { "\(kind) ×\(count) at \(position), \(payload.count) bytes" }
}

/// The log of the tests: small segments, in the directory `/log`.
enum TestLog {
  static let directory = "/log"
  static let id = LogID(rawValue: 0x0807_0605_0403_0201)!
  static let otherID = LogID(rawValue: 0x0807_0605_0403_0202)!
  static func open(
    _ disk: any Disk, segmentBytesMax: Int = 300, newID: LogID = TestLog.id
  ) throws(RecordLogError) -> RecordLog {
    try RecordLog(
      disk: disk, directory: directory, newID: newID, segmentBytesMax: segmentBytesMax)
  }

  /// Opens the log as its owner does, and reads every record that is no mark.
  static func entries(_ disk: any Disk) throws(RecordLogError) -> [Entry] {
    let log = try open(disk)
    return try entries(disk, upTo: log.tail)
  }

  /// Every record from the first that is kept on; marks are left out.
  static func entries(_ disk: any Disk, upTo tail: LogTail, from position: UInt64 = 1)
    throws(RecordLogError) -> [Entry]
  {
    var reader = LogReader(disk: disk, directory: directory, fromPosition: position)
    var entries: [Entry] = []
    while let chunk = try reader.next(upTo: tail) {
      entries += Record.all(in: chunk.bytes, of: chunk.id).filter { $0.kind != .mark }
        .map { Entry($0) }
    }
    return entries
  }

  /// Seals all that is full; how many segments that are.
  @discardableResult static func seal(_ log: inout RecordLog) throws -> Int {
    var count = 0
    while let seal = log.nextToSeal {
      log.didSeal(try seal.run())
      count += 1
    }
    return count
  }

  static func removal(
    _ log: inout RecordLog, before position: UInt64, _ time: Instant
  ) -> SegmentRemoval? {
    log.removeSegments(before: position, lastReportedBefore: time)
  }

  static func sealedSegments(_ disk: SimulatedDisk) throws -> [UInt64] {
    try names(disk).compactMap { Segment.firstPosition(name: $0, .sealed) }
  }

  static func contents(_ disk: SimulatedDisk) throws -> [String: [UInt8]] {
    var contents: [String: [UInt8]] = [:]
    for name in try names(disk) {
      contents[name] = try disk.read("/log/\(name)", from: 0, count: .max)
    }
    return contents
  }

  /// Opening and reading throws damage, and nothing on the disk is another than before.
  static func expectRefused(_ disk: SimulatedDisk, _ problem: String) throws {
    let before = try contents(disk)
    let error = #expect(throws: RecordLogError.self) { _ = try entries(disk) }
    guard case .damaged = error else {
      Issue.record("\(String(describing: error)) is not damage")
      return
    }
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    #expect(try contents(disk) == before)
  }

  /// Opening throws that a newer program wrote it, and nothing on the disk is another than before.
  static func expectNewer(_ disk: SimulatedDisk, _ found: String) throws {
    let before = try contents(disk)
    let error = #expect(throws: RecordLogError.self) { _ = try entries(disk) }
    guard case .newer = error else {
      Issue.record("\(String(describing: error)) does not say newer")
      return
    }
    #expect(error?.description.contains(found) == true, "\(String(describing: error))")
    #expect(error?.description.contains("is newer than this program") == true)
    #expect(try contents(disk) == before)
  }

  /// The names of its files, sorted.
  static func names(_ disk: SimulatedDisk) throws -> [String] {
    try disk.list(directory).sorted()
  }

  static func path(_ segment: UInt64, _ form: Segment.Form = .raw) -> String {
    "\(directory)/\(Segment.name(firstPosition: segment, form))"
  }
}

/// Records as a test run of the log appends them.
struct RecordScript {
  private(set) var appended: [Entry] = []
  /// How many of `appended` were acknowledged.
  private(set) var committed = 0

  /// The position after the last record.
  var nextPosition: UInt64 { appended.last.map { $0.position + UInt64($0.count) } ?? 1 }

  /// Ten commits of one to three records; throws what the disk refuses.
  mutating func run(
    _ disk: SimulatedDisk, segmentBytesMax: Int = 300, newID: LogID = TestLog.id
  ) throws {
    var log = try TestLog.open(disk, segmentBytesMax: segmentBytesMax, newID: newID)
    for group in 0..<10 {
      for index in 0...(group % 3) {
        append(to: &log, payloadBytes: (group * 37 + index * 11) % 150)
      }
      try log.commit()
      committed = appended.count
    }
  }

  /// All that was appended was acknowledged.
  mutating func noteCommit() { committed = appended.count }

  mutating func append(to log: inout RecordLog, payloadBytes: Int) {
    let isTick = payloadBytes == 0
    let record = Record(
      kind: isTick ? .tick : .batch, count: isTick ? 0 : UInt32(1 + payloadBytes % 3),
      firstPosition: log.nextPosition,
      firstTime: log.lastTime.advanced(by: .nanoseconds(1 + payloadBytes)),
      payload: (0..<payloadBytes).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ appended.count) })
    appended.append(Entry(record))
    log.append(record)
  }
}

extension EventBatch {
  /// A batch of up to `countMax` events with texts of any form.
  static func random(countMax: Int = 20, _ random: inout SeededRandom) -> EventBatch {
    func text(_ bytesMax: Int, _ random: inout SeededRandom) -> String {
      String(
        (0..<Int.random(in: 0...bytesMax, using: &random)).map { _ in "aé/{\"0😀".randomElement()! })
    }
    var batch = EventBatch(source: text(20, &random))
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      batch.series.append(
        Series(
          subscription: text(10, &random), meter: text(10, &random),
          resource: Resource(
            uri: text(30, &random), location: text(5, &random), tags: text(40, &random),
            additionalInfo: text(40, &random))))
    }
    for _ in 0..<Int.random(in: 0...countMax, using: &random) {
      batch.append(
        id: text(12, &random).utf8,
        seriesIndex: UInt32.random(in: 0..<UInt32(batch.series.count), using: &random),
        usageStart: Int64.random(in: .min ... .max, using: &random),
        usageEnd: Int64.random(in: .min ... .max, using: &random),
        attos: Int128.random(in: .min ... .max, using: &random))
    }
    return batch
  }
}
