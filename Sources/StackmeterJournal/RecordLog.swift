package import StackmeterCore

/// A durable, append-only log of records in segments: the journal, and the quarantine.
///
/// Used by one thread. `append` gathers, `commit` makes all that was gathered durable with one sync. The first
/// error is final: whoever owns the log must stop the process, because after a failed sync nothing that is
/// read back proves that it is on the disk. `open` then rewrites the unsealed tail before anything is served.
package struct RecordLog: ~Copyable {
  /// A segment is closed and the next one begun once it has this many bytes.
  package static let segmentBytesMax = 64 << 20

  private let disk: any Disk
  private let directory: String
  private let segmentBytesMax: Int
  package let id: LogID
  private var file: any DiskFile
  private var pending: [UInt8] = []
  private var pendingPosition: UInt64
  /// What is durable.
  package private(set) var tail: LogTail
  /// The bytes of all segments.
  package private(set) var byteCount: UInt64
  /// The time of the last record; records never go back behind it.
  package private(set) var lastTime: Instant

  /// What was cut off the end when the log was opened, because a crash had left it incomplete.
  package let tornBytes: Int

  /// The position that the next record will have.
  package var nextPosition: UInt64 { pendingPosition }
  package var hasPending: Bool { !pending.isEmpty }
  /// The bytes of all segments once everything gathered is committed.
  package var byteCountWithPending: UInt64 { byteCount + UInt64(pending.count) }

  /// Opens the log in `directory`, making it with the id `newID` where there is none.
  ///
  /// Records that were reported at most `replayWithin` before the last one, and some before, are given to
  /// `replay` in order. The host's clock has no part in it: it may be wrong when a log is opened.
  /// An incomplete end of the last segment, which a crash leaves, is kept beside it as `….torn` and cut off. Any
  /// other damage is an error that changes nothing.
  package init(
    disk: any Disk, directory: String, newID: LogID, replayWithin: Duration,
    segmentBytesMax: Int = RecordLog.segmentBytesMax, replay: (Record) -> Void
  ) throws(RecordLogError) {
    let recovery: Recovery
    do throws(DiskError) {
      recovery = try Recovery(disk: disk, directory: directory)
    } catch {
      throw .disk(error)
    }
    let opened = try recovery.open(newID: newID, replayWithin: replayWithin, replay)
    id = opened.id
    file = opened.file
    tail = opened.tail
    lastTime = opened.lastTime
    tornBytes = opened.tornBytes
    byteCount = opened.byteCount
    self.disk = disk
    self.directory = directory
    self.segmentBytesMax = segmentBytesMax
    pendingPosition = tail.nextPosition
  }

  /// Gathers one record at the next position; `time` must lie after `lastTime`.
  package mutating func append(_ record: consuming Record) {
    precondition(
      record.firstPosition == pendingPosition && record.firstTime > lastTime,
      "records follow each other in position and time")
    record.write(to: &pending, of: id, startsCommit: pending.isEmpty)
    pendingPosition = record.nextPosition
    lastTime = record.lastTime
  }

  /// Returns once every gathered record is durable.
  package mutating func commit() throws(DiskError) {
    guard hasPending else { return }
    // A segment of ticks only has the name that the next one would have.
    if tail.segmentBytes > segmentBytesMax && tail.nextPosition > tail.segment {
      try beginSegment()
    }
    try file.append(pending)
    try file.sync()
    tail.segmentBytes += pending.count
    tail.nextPosition = pendingPosition
    byteCount += UInt64(pending.count)
    pending.removeAll(keepingCapacity: pending.capacity <= 1 << 20)
  }

  private mutating func beginSegment() throws(DiskError) {
    file.close()
    file = try RecordLog.createSegment(disk, directory, id, firstPosition: tail.nextPosition)
    tail.segment = tail.nextPosition
    tail.segmentBytes = Segment.headerBytes
    byteCount += UInt64(Segment.headerBytes)
  }

  /// A new segment whose name and header are durable.
  static func createSegment(
    _ disk: any Disk, _ directory: String, _ id: LogID, firstPosition: UInt64
  ) throws(DiskError) -> any DiskFile {
    let file = try disk.create("\(directory)/\(Segment.name(firstPosition: firstPosition))")
    try file.append(Segment.header(id))
    try file.sync()
    try disk.syncDirectory(directory)
    return file
  }
}
