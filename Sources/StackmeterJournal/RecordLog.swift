package import StackmeterCore

/// A durable, append-only log of records in segments: the journal, and the quarantine.
///
/// Used by one thread. `reserve` makes room, `append` gathers, `commit` makes all that was gathered durable with
/// one sync. The first error of a write or sync is final: whoever owns the log must stop the process, because
/// after a failed sync nothing that is read back proves that it is on the disk. Opening the log again rewrites
/// its tail before anything is served.
package struct RecordLog: ~Copyable {
  /// A segment has this size, unless what was reserved at once is larger.
  package static let segmentBytesMax = 64 << 20

  let disk: any Disk
  let directory: String
  private let segmentBytesMax: Int
  package let id: LogID
  private var file: SegmentFile.Opened
  var pending: [UInt8] = []
  var pendingIndex = SparseIndex()
  private var pendingPosition: UInt64
  private var isMarkPending = false
  /// What is durable.
  package private(set) var tail: LogTail
  /// The time of the last record; records never go back behind it.
  package private(set) var lastTime: Instant
  /// The time of the last durable record.
  private var durableTime: Instant
  /// The segments in front of the last, ascending.
  var segments: [LogSegment]
  var lookup = RecordLookup()
  /// There is a record in the last segment, and none behind it says that it was durable.
  private var needsMark: Bool
  /// What made the log unusable.
  private(set) var failure: DiskError?

  /// Commits that were made durable since the log was opened, by a sync each.
  package private(set) var syncs: UInt64 = 0

  /// What was cut off the end when the log was opened, because a crash had left it incomplete.
  package let tornBytes: Int

  /// The position that the next record will have.
  package var nextPosition: UInt64 { pendingPosition }
  package var hasPending: Bool { !pending.isEmpty }
  /// The first position that is still kept.
  package var firstPosition: UInt64 { segments.first?.firstPosition ?? tail.segment }
  /// The bytes of all segments, without what the last one has allocated for later.
  package var byteCount: UInt64 {
    UInt64(segments.reduce(tail.segmentBytes) { $0 + $1.byteCount })
  }
  /// Forgets the oldest segment, whose file its owner has removed.
  package mutating func forgetOldestSegment() { segments.removeFirst() }

  /// The bytes of all segments once everything gathered is committed.
  package var byteCountWithPending: UInt64 { byteCount + UInt64(pending.count) }

  /// Opens the log in `directory`, making it with the id `newID` where there is none.
  ///
  /// Nothing but the last segment is read whole. Who needs the records reads them with a `LogReader` up to `tail`,
  /// which checks each. An incomplete end of the last segment, which a crash leaves, is kept beside it as `….torn`
  /// and cut off. Any other damage is an error that changes nothing.
  package init(
    disk: any Disk, directory: String, newID: LogID,
    segmentBytesMax: Int = RecordLog.segmentBytesMax
  ) throws(RecordLogError) {
    try system { () throws(DiskError) in try disk.makeDirectory(directory) }
    let opened = try Recovery(disk: disk, directory: directory).open(
      newID: newID, segmentBytesMax: max(segmentBytesMax, SegmentHeader.byteCount))
    id = opened.id
    file = opened.file
    tail = opened.tail
    lastTime = opened.lastTime
    durableTime = opened.lastTime
    segments = opened.segments
    needsMark = opened.needsMark
    tornBytes = opened.tornBytes
    lookup.setIndex(opened.index, of: opened.tail.segment)
    self.disk = disk
    self.directory = directory
    self.segmentBytesMax = max(segmentBytesMax, SegmentHeader.byteCount)
    pendingPosition = tail.nextPosition
  }

  /// Where the log in `directory` ends, without opening it: for who only reads. Nil where there is no log.
  package static func tail(
    _ disk: any Disk, _ directory: String
  ) throws(RecordLogError) -> LogTail? {
    try Recovery(disk: disk, directory: directory).check()?.tail
  }

  /// The first position of the oldest segment that may have a record of `time` or later.
  package func firstPosition(since time: Instant) -> UInt64 {
    segments.first { $0.lastTime >= time }?.firstPosition ?? tail.segment
  }

  /// Makes sure that what was gathered and `bytes` more can be committed without asking the disk for space.
  package mutating func reserve(_ bytes: Int) throws(ReserveError) {
    if let failure { throw .disk(failure) }
    do throws(ReserveError) {
      try makeRoom(bytes)
    } catch {
      if case .disk(let problem) = error { failure = problem }
      throw error
    }
  }

  /// Gathers one record at the next position; `time` must lie after `lastTime`.
  package mutating func append(_ record: consuming Record) {
    precondition(
      record.firstPosition == pendingPosition && record.firstTime > lastTime,
      "records follow each other in position and time")
    pendingIndex.add(position: pendingPosition, offset: pending.count)
    record.write(to: &pending, of: id, startsCommit: pending.isEmpty)
    pendingPosition = record.nextPosition
    lastTime = record.lastTime
  }

  /// Gathers a mark where the last commit has nothing behind it yet: from then on damage to that commit can be
  /// told from a torn end. Call it when the log is idle, and before it is left.
  package mutating func appendMark() {
    guard needsMark, !hasPending, tail.segmentBytes + Record.frameBytes <= file.capacity else {
      return
    }
    Record(kind: .mark, count: 0, firstPosition: pendingPosition, firstTime: lastTime, payload: [])
      .write(to: &pending, of: id, startsCommit: true)
    isMarkPending = true
  }

  /// Returns once every gathered record is durable.
  package mutating func commit() throws(DiskError) {
    if let failure { throw failure }
    guard hasPending else { return }
    do throws(ReserveError) {
      try makeRoom(0)
      try write()
    } catch {
      failure = error.error
      throw error.error
    }
    syncs += 1
    lookup.extendIndex(of: tail.segment, by: pendingIndex, at: tail.segmentBytes)
    tail.segmentBytes += pending.count
    tail.nextPosition = pendingPosition
    durableTime = lastTime
    needsMark = !isMarkPending
    isMarkPending = false
    pending.removeAll(keepingCapacity: pending.capacity <= 1 << 20)
    pendingIndex.removeAll()
  }

  private func write() throws(ReserveError) {
    do throws(DiskError) {
      try file.file.write(pending, at: tail.segmentBytes)
      try file.file.sync()
    } catch {
      throw .disk(error)
    }
  }

  private mutating func makeRoom(_ bytes: Int) throws(ReserveError) {
    let needed = pending.count + bytes
    guard tail.segmentBytes + needed > file.capacity else { return }
    // A segment without events has only the name that the next one would have.
    if tail.nextPosition == tail.segment {
      try grow(to: max(tail.segmentBytes + needed, file.capacity + segmentBytesMax))
    } else {
      try beginSegment(capacity: max(SegmentHeader.byteCount + needed, segmentBytesMax))
    }
  }

  private mutating func grow(to capacity: Int) throws(ReserveError) {
    do throws(DiskError) {
      if try file.file.allocate(capacity) { try file.file.sync() }
    } catch {
      guard error.isNoSpace else { throw .disk(error) }
      do throws(DiskError) { try file.file.truncate(file.capacity) } catch { throw .disk(error) }
      throw .noSpace(error)
    }
    file.capacity = capacity
  }

  private mutating func beginSegment(capacity: Int) throws(ReserveError) {
    let header = SegmentHeader(
      id: id, firstPosition: tail.nextPosition, previousTime: durableTime,
      previousBytes: tail.segmentBytes, allocatedBytes: 0)
    let next = try SegmentFile.create(disk, directory, header, capacity: capacity)
    do throws(DiskError) {
      // The next segment says where this one ends, so that the cut need not be durable.
      try file.file.truncate(tail.segmentBytes)
    } catch {
      throw .disk(error)
    }
    file.file.close()
    file = next
    segments.append(
      LogSegment(
        firstPosition: tail.segment, nextPosition: tail.nextPosition, lastTime: durableTime,
        rawBytes: tail.segmentBytes))
    tail.segment = tail.nextPosition
    tail.segmentBytes = SegmentHeader.byteCount
    needsMark = false
  }
}
