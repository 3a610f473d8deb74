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
  /// What is left to do before the log may be written; nil once `begin` has done it.
  private var opening: Opening?
  private var opened: SegmentFile.Opened?
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

  /// What `begin` has cut off the end, because a crash had left it incomplete.
  package private(set) var tornBytes = 0

  /// A log that was examined and is not changed yet.
  private struct Opening {
    let recovery: Recovery
    let found: Recovery.Checked?
  }

  private var file: SegmentFile.Opened {
    get {
      guard let opened else { preconditionFailure("a log is written once it was begun") }
      return opened
    }
    set { opened = newValue }
  }

  /// The position that the next record will have.
  package var nextPosition: UInt64 { pendingPosition }
  package var hasPending: Bool { !pending.isEmpty }
  /// Where each segment begins, ascending.
  package var segmentPositions: [UInt64] { segments.map(\.firstPosition) + [tail.segment] }
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

  /// Opens the log in `directory`, making it with the id `newID` where there is none. With `begins: false` it is only
  /// examined: it can be read up to `tail`, nothing is changed, and nothing may be written until `begin`.
  ///
  /// Nothing but the last segment is read whole. Who needs the records reads them with a `LogReader` up to `tail`,
  /// which checks each: before `begin`, so that damage is found before anything is changed. An incomplete end of the
  /// last segment, which a crash leaves, lies behind `tail`. Any other damage is an error that changes nothing.
  package init(
    disk: any Disk, directory: String, newID: LogID,
    segmentBytesMax: Int = RecordLog.segmentBytesMax, begins: Bool = true
  ) throws(RecordLogError) {
    let segmentBytesMax = max(segmentBytesMax, SegmentHeader.byteCount)
    try system { () throws(DiskError) in try disk.makeDirectory(directory) }
    let recovery = try Recovery(disk: disk, directory: directory)
    let found = try recovery.check()
    let begun =
      begins
      ? try recovery.begin(found, newID: newID, segmentBytesMax: segmentBytesMax) : nil
    let tail = found?.tail ?? .empty
    opening = begins ? nil : Opening(recovery: recovery, found: found)
    opened = begun?.file
    tornBytes = begun?.tornBytes ?? 0
    id = found?.header.id ?? newID
    self.tail = tail
    lastTime = found?.lastTime ?? Instant(nanoseconds: 0)
    durableTime = found?.lastTime ?? Instant(nanoseconds: 0)
    segments = found?.segments ?? []
    needsMark = found?.needsMark ?? false
    lookup.setIndex(found?.index ?? SparseIndex(), of: tail.segment)
    self.disk = disk
    self.directory = directory
    self.segmentBytesMax = segmentBytesMax
    pendingPosition = tail.nextPosition
  }

  /// Makes the log ready for writing: keeps an incomplete end beside it as `….torn` and cuts it off, and rewrites the
  /// last segment. Without effect on a log that is ready.
  package mutating func begin() throws(RecordLogError) {
    guard let opening else { return }
    let begun = try opening.recovery.begin(
      opening.found, newID: id, segmentBytesMax: segmentBytesMax)
    self.opening = nil
    opened = begun.file
    tornBytes = begun.tornBytes
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
    let isAllocated: Bool
    do throws(DiskError) {
      isAllocated = try file.file.allocate(capacity)
    } catch {
      guard error.isNoSpace else { throw .disk(error) }
      do throws(DiskError) { try file.file.truncate(file.capacity) } catch { throw .disk(error) }
      throw .noSpace(error)
    }
    // A sync that fails is final, also where it fails for lack of space.
    if isAllocated {
      do throws(DiskError) { try file.file.sync() } catch { throw .disk(error) }
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
