internal import StackmeterCore
internal import StackmeterJournal

/// What was refused, kept until an operator has redriven or discarded it. One thread owns it.
///
/// A refusal that is the same as that of an open entry is not kept again, so that reporters may retry blindly.
/// Once the log has its bytes, what is refused is told that there was no room, and counted. A segment whose
/// entries are all closed is removed, the oldest first: nothing that is open is ever removed.
struct Quarantine: ~Copyable {
  /// At most so much is read for one entry, and so much stays when all is closed.
  static let segmentBytesMax = 4 << 20
  /// More than one entry can have, whatever was sent: every text is cut off, see `EventBatch.quarantined`.
  static let refusedBytesMax = 64 << 10

  /// A segment, and how many of its entries are open.
  private struct Segment {
    let firstNumber: UInt64
    var openCount = 0
  }

  private let disk: any Disk
  private let directory: String
  private let bytesMax: UInt64
  private let key: (UInt64, UInt64)
  private var log: RecordLog
  /// The number of every open entry, by what it says.
  private var numbers: [RefusalDigest: UInt64] = [:]
  private var segments: [Segment]
  private var pendingNumbers: [UInt64] = []
  private var pendingResolutions: [UInt64: QuarantineResolution] = [:]
  /// What the records of these take at most.
  private var resolutionBytes = 0
  /// What is durable, for all that read.
  let view: QuarantineView
  /// What was refused and not kept since the process started.
  private(set) var dropped: UInt64 = 0
  /// While an entry is tried again, what is refused is in the quarantine already.
  var isRedriving = false

  /// Reads all of the log, and changes nothing until `begin`.
  init(
    disk: any Disk, directory: String, bytesMax: UInt64, key: (UInt64, UInt64), newID: LogID,
    segmentBytesMax: Int = Quarantine.segmentBytesMax
  ) throws(RecordLogError) {
    // Even the smallest quarantine has segments that can be removed.
    let segmentBytesMax = min(segmentBytesMax, Int(clamping: bytesMax / 8))
    let log = try RecordLog(
      disk: disk, directory: directory, newID: newID, segmentBytesMax: segmentBytesMax,
      begins: false)
    let content = try QuarantineContent(disk, directory, log, key: key)
    view = QuarantineView(
      tail: log.tail, firstNumber: log.firstPosition, resolutions: content.resolutions)
    segments = log.segmentPositions.map { Segment(firstNumber: $0) }
    self.log = log
    self.disk = disk
    self.directory = directory
    self.bytesMax = bytesMax
    self.key = key
    numbers = content.numbers
    for number in content.numbers.values { segments[segmentIndex(of: number)].openCount += 1 }
  }

  /// Makes the log ready for writing.
  mutating func begin() throws(RecordLogError) { try log.begin() }

  var openCount: Int { numbers.count }
  /// The next commit closes entries.
  var hasResolutions: Bool { !pendingResolutions.isEmpty }
  var syncs: UInt64 { log.syncs }
  /// The bytes of all segments, durable or about to be.
  var byteCount: UInt64 { log.byteCountWithPending }

  /// Keeps a refused event, and gives the result that its reporter is told once `commit` has returned: the same,
  /// or that there was no room.
  mutating func keep(
    _ result: EventResult, _ batch: EventBatch, _ event: Int, time: Instant
  ) -> EventResult {
    guard let refusal = result.refusal, !isRedriving else { return result }
    let kept = batch.quarantined(event)
    let digest = RefusalDigest(refusal.reason, kept, key: key)
    guard numbers[digest] == nil else { return result }
    guard byteCount < bytesMax else {
      dropped += 1
      return result.notKept(refusal, "the quarantine is full")
    }
    let number = log.nextPosition
    let record = Record(number: number, time: timeAfterLast(time), refusal: refusal, event: kept)
    guard hasRoom(record) else {
      dropped += 1
      return result.notKept(refusal, "the disk is full")
    }
    log.append(record)
    numbers[digest] = number
    pendingNumbers.append(number)
    return result
  }

  /// Keeps a parked correction that is refused in the end, also while an entry is tried again, and gives the reason
  /// that it is listed with. Nobody waits for an answer; where there is no room, it counts as dropped.
  ///
  /// An open entry that refuses the same for the like is there since before a crash between this log's commit and the
  /// journal's, after which things may have gone another way. It stays the one entry.
  mutating func keepParked(
    _ refusal: Refusal, _ event: EventBatch, time: Instant
  ) -> Refusal.Reason {
    let kept = event.quarantined(0)
    for reason in Refusal.Reason.ofParked
    where numbers[RefusalDigest(reason, kept, key: key)] != nil {
      return reason
    }
    let wasRedriving = isRedriving
    isRedriving = false
    _ = keep(.quarantined(refusal), event, 0, time: time)
    isRedriving = wasRedriving
    return refusal.reason
  }

  /// How an entry is, with what this commit is about to do.
  func state(of number: UInt64) -> QuarantineResult.State {
    pendingResolutions[number].map { .resolved($0.outcome) } ?? view.state(of: number)
  }

  /// Closes an open entry, unless the disk has no room for that. Must be durable after what the journal says of it,
  /// never before.
  mutating func close(
    _ entry: RefusedEvent, _ outcome: QuarantineResolution.Outcome, time: Instant
  ) {
    precondition(state(of: entry.number) == .open, "an entry is closed once")
    let time = timeAfterLast(time)
    let record = Record(
      resolved: [(entry.number, outcome)], nextNumber: log.nextPosition, time: time)
    guard hasRoom(record) else { return }
    resolutionBytes += record.byteCount
    pendingResolutions[entry.number] = QuarantineResolution(outcome, time: time)
    let digest = RefusalDigest(entry.refusal.reason, entry.event, key: key)
    if numbers[digest] == entry.number { numbers[digest] = nil }
  }

  /// Makes room for a mark. What is kept gets its room then.
  mutating func reserve() throws(ReserveError) { try log.reserve(Record.frameBytes) }

  /// Says that the last commit was durable. For when nothing waits.
  mutating func mark() { log.appendMark() }

  private mutating func hasRoom(_ record: Record) -> Bool {
    do throws(ReserveError) {
      try log.reserve(resolutionBytes + record.byteCount + Record.frameBytes)
      return true
    } catch {
      // Where the log has failed, so will its commit, and nothing of this is answered.
      return false
    }
  }

  /// Returns once all that was kept is durable, and removes segments that nobody needs any more.
  mutating func commit() throws(DiskError) {
    // Also what a crash has left to be removed.
    guard log.hasPending else { return try removeClosedSegments() }
    try commitLog()
    for number in pendingNumbers { segments[segmentIndex(of: number)].openCount += 1 }
    view.advance(to: log.tail, [:])
    pendingNumbers = []
    try removeClosedSegments()
  }

  /// Returns once every entry that was closed is so durably.
  mutating func commitResolutions() throws(DiskError) {
    guard hasResolutions else { return }
    for (number, resolution) in pendingResolutions.sorted(by: { $0.key < $1.key }) {
      log.append(
        Record(
          resolved: [(number, resolution.outcome)], nextNumber: log.nextPosition,
          time: timeAfterLast(resolution.time)))
    }
    try commitLog()
    for number in pendingResolutions.keys { segments[segmentIndex(of: number)].openCount -= 1 }
    view.advance(to: log.tail, pendingResolutions)
    pendingResolutions = [:]
    resolutionBytes = 0
    try removeClosedSegments()
  }

  private mutating func commitLog() throws(DiskError) {
    try log.commit()
    if log.tail.segment != segments[segments.count - 1].firstNumber {
      segments.append(Segment(firstNumber: log.tail.segment))
    }
  }

  private mutating func removeClosedSegments() throws(DiskError) {
    while segments.count > 1 && segments[0].openCount == 0 {
      view.forget(before: segments[1].firstNumber)
      try SegmentFiles.remove(disk, directory, firstPosition: segments[0].firstNumber)
      log.forgetOldestSegment()
      segments.removeFirst()
    }
  }

  /// The segment that holds an entry, which is not removed while the entry is open.
  private func segmentIndex(of number: UInt64) -> Int {
    var (low, high) = (0, segments.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if segments[middle].firstNumber <= number { low = middle } else { high = middle }
    }
    return low
  }

  private func timeAfterLast(_ time: Instant) -> Instant {
    max(log.lastTime.advanced(by: .nanoseconds(1)), time)
  }
}

extension EventResult {
  /// The same, with the words that it was not kept.
  fileprivate func notKept(_ refusal: Refusal, _ cause: String) -> EventResult {
    let told = Refusal(
      refusal.reason, field: refusal.field,
      "\(refusal.message); it was not kept, because \(cause)")
    return switch self {
    case .conflict(let position, _): .conflict(position: position, told)
    case .quarantined: .quarantined(told)
    default: .invalid(told)
    }
  }
}

extension Refusal.Reason {
  /// Why a correction that was parked may be refused in the end.
  static let ofParked: [Refusal.Reason] = [.alreadyCorrected, .voidOfVoid, .unknownTarget]
}
