package import Logging
package import StackmeterCore
package import StackmeterJournal
internal import StackmeterRuntime
package import StackmeterWire
internal import Synchronization

/// Accepts usage events, keeps each exactly once, and serves the journal.
///
/// Callers hand their batches to one commit thread, which decides about all that waits, writes it, syncs once
/// and answers: the group commit. So every answer is durable, and events need no locks.
package final class Collector: Sendable {
  /// What the batches that wait for the disk may occupy. More is refused at once.
  package static let queuedBytesMax = 64 << 20
  /// How long the thread sleeps at most before it looks at the clock and the disk.
  private let idleMax: Duration

  /// How often at most it is logged that the quarantine is full.
  private static let dropWarningMin: Duration = .seconds(60)

  private let configuration: CollectorConfiguration
  private let rules: EventRules
  let disk: any Disk
  private let clock: any HostClock
  private let logger: Logger
  private let queue = CommitQueue<Submission>(weightMax: Collector.queuedBytesMax)
  private let broadcast: TailBroadcast
  private let journalID: LogID
  let quarantineReader: QuarantineReader
  let reader = ReaderThread()
  /// For questions that may read much, so that the journal's readers do not wait for them.
  private let usageReader = ReaderThread()
  private let counts: Mutex<CollectorStatus>
  /// Seals and removes segments, when there is time for it.
  private let housekeeping: Housekeeping
  /// Writes the dedup index's files: what waits for it is held in memory, so it has the priority of commits.
  private let indexing: Housekeeping
  /// What the aggregator has confirmed since this process started.
  private let appliedPosition = Mutex<UInt64?>(nil)
  /// What was last logged about a full quarantine.
  private let dropWarning = Mutex<(dropped: UInt64, time: Duration?)>((0, nil))
  /// Given to the thread by `run`.
  private let intake: Mutex<Intake?>

  /// Opens the journal and the quarantine, and recovers both. `random` gives new logs their ids.
  package init(
    configuration: CollectorConfiguration, catalog: MeterCatalog, disk: any Disk,
    clock: any HostClock, logger: Logger, segmentBytesMax: Int = RecordLog.segmentBytesMax,
    idleMax: Duration = .seconds(1),
    random: some RandomNumberGenerator = SystemRandomNumberGenerator()
  ) throws(RecordLogError) {
    var random = random
    let intake = try Intake.open(
      disk: disk, configuration: configuration, catalog: catalog,
      secrets: Intake.Secrets(using: &random), segmentBytesMax: segmentBytesMax)
    if intake.tornBytes > 0 {
      logger.warning(
        "the journal ended in a record that was never finished; it is kept beside the segment as .torn",
        metadata: [
          "bytes": "\(intake.tornBytes)", "directory": "\(configuration.journalDirectory)",
        ])
    }
    broadcast = TailBroadcast(intake.tail)
    journalID = intake.journalID
    quarantineReader = QuarantineReader(
      disk: disk, directory: configuration.quarantineDirectory, view: intake.quarantine.view)
    rules = intake.rules
    var status = CollectorStatus()
    status.diskReserveBytes = configuration.diskReserveBytes
    status.describe(intake)
    counts = Mutex(status)
    self.intake = Mutex(consume intake)
    self.configuration = configuration
    self.disk = disk
    self.clock = clock
    self.logger = logger
    self.idleMax = idleMax
    housekeeping = Housekeeping(logger: logger, niceness: 10)
    indexing = Housekeeping(logger: logger, niceness: 0)
  }

  /// Runs the commit thread until `stop`, and returns when all that waited is answered. Throws what made the
  /// journal unusable; the process must then end.
  package func run() async throws(CollectorError) {
    async let kept: Void = blocking { self.housekeeping.run() }
    async let indexed: Void = blocking { self.indexing.run() }
    let failure = await blocking { self.commitLoop() }
    housekeeping.stop()
    indexing.stop()
    _ = await (kept, indexed)
    if let failure { throw failure }
  }

  package func stop() {
    queue.close()
  }

  /// The results of every event of every batch, each durable. Throws where nothing may be said about them.
  package func report(
    _ batches: [EventBatch]
  ) async throws(CollectorError) -> [EventResults] {
    try await submit(weight: batches.reduce(0) { $0 + $1.byteCount }) { .report(batches, $0) }
  }

  /// The same, told by the commit thread, which waits for `answer`.
  func report(
    _ batches: [EventBatch], answer: @escaping Submission.Answer<[EventResults]>
  ) {
    submit(.report(batches, answer), weight: batches.reduce(0) { $0 + $1.byteCount })
  }

  /// Keeps what a source says about how far it is, durably; what stands of the source then, nil where no more is
  /// expected of it. May be repeated blindly.
  package func heartbeat(
    _ heartbeat: Heartbeat
  ) async throws(CollectorError) -> ReportingSource? {
    if let problem = rules.problem(source: heartbeat.source) {
      throw .invalidHeartbeat(field: problem.field, problem: problem.message)
    }
    if let (field, problem) = heartbeat.problem {
      throw .invalidHeartbeat(field: field, problem: problem)
    }
    return try await submit(weight: Record.heartbeatBytesMax) { .heartbeat(heartbeat, $0) }
  }

  /// Hands work of about `weight` bytes to the commit thread, and waits for what became of it.
  func submit<Value: Sendable>(
    weight: Int, _ make: @escaping @Sendable (@escaping Submission.Answer<Value>) -> Submission
  ) async throws(CollectorError) -> Value {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Value, CollectorError>, Never>) in
      submit(make { continuation.resume(returning: $0) }, weight: weight)
    }
    return try result.get()
  }

  private func submit(_ submission: Submission, weight: Int) {
    do throws(CommitQueue<Submission>.Refused) {
      try queue.put(submission, weight: max(1, weight))
    } catch {
      submission.fail(error == .full ? .queueFull : .stopping)
    }
  }

  private func commitLoop() -> CollectorError? {
    var intake = self.intake.withLock { $0.take() }!
    var reportedClock = ReportedClock(wall: clock.now(), elapsed: clock.elapsed())
    while let submissions = queue.take(timeout: idleMax) {
      if let damage = keepHouse(&intake) {
        return fail(.journalDamaged(damage.description), submissions)
      }
      let room = diskRoom() ?? (intake.isDedupBehind ? .dedupBehind : nil)
      if let room {
        for submission in submissions where submission.needsRoom { submission.fail(room) }
      }
      let possible = room == nil ? submissions : submissions.filter { !$0.needsRoom }
      do throws(ReserveError) {
        try intake.reserve(
          for: possible.lazy.flatMap(\.batches), heartbeats: possible.count(where: \.isHeartbeat))
      } catch .noSpace(let error) {
        let refused = CollectorError.noSpace(error.description)
        note(refusing: refused, metadata: ["error": "\(error)"])
        for submission in possible { submission.fail(refused) }
        continue
      } catch {
        return fail(.journalFailed(error.error.description), possible)
      }
      if room == nil { note(refusing: nil, metadata: [:]) }
      let now = present(&reportedClock, lastTime: intake.lastTime)
      var decisions: [Submission.Decision] = []
      do throws(CollectorError) {
        for submission in possible { decisions.append(try submission.decide(&intake, clock: now)) }
        if room == nil { try intake.tick(clock: now) }
        if submissions.isEmpty { intake.mark() }
        try commit(&intake)
      } catch {
        return fail(error, possible)
      }
      publish(intake, decisions)
      for decision in decisions { decision.tell() }
      warnOfDrops(intake.quarantine.dropped)
    }
    // So that damage to the last commit is known as such when the journal is opened again.
    intake.mark()
    do throws(CollectorError) { try commit(&intake) } catch { return fail(error, []) }
    return nil
  }

  private func commit(_ intake: inout Intake) throws(CollectorError) {
    do throws(DiskError) { try intake.commit() } catch {
      throw .journalFailed(error.description)
    }
  }

  /// Takes over what the housekeeping thread has done, and gives it what is to be done next. Damage that it has
  /// found ends the collector.
  private func keepHouse(_ intake: inout Intake) -> RecordLogError? {
    for thread in [housekeeping, indexing] {
      for completion in thread.takeCompletions() { completion(&intake) }
      if let damage = thread.damage { return damage }
    }
    if indexing.isReady, let job = intake.dedupJob() { indexing.put(job) }
    if housekeeping.isReady {
      for job in intake.housekeepingJobs(applied: appliedPosition.withLock { $0 }) {
        housekeeping.put(job)
      }
    }
    return nil
  }

  /// Notes that every event of this journal before `position` is applied, durably.
  package func confirmApplied(
    _ position: UInt64, of rawID: UInt64
  ) throws(CollectorError) {
    guard rawID == journalID.rawValue else {
      throw LogID(rawValue: rawID).map { .otherJournal(journalID, read: $0) } ?? .unnamedJournal
    }
    let tail = broadcast.tail
    guard position <= tail.nextPosition else {
      throw .beyondJournal(position: position, nextPosition: tail.nextPosition)
    }
    appliedPosition.withLock { $0 = max($0 ?? 0, position) }
  }

  /// Ends the loop. Nothing was answered, so nothing is promised. Only a new process may trust the disk again.
  private func fail(_ failure: CollectorError, _ submissions: [Submission]) -> CollectorError {
    queue.close()
    for submission in submissions { submission.fail(failure) }
    for submission in queue.take(timeout: .zero) ?? [] { submission.fail(.stopping) }
    return failure
  }

  /// The time to report at. What is wrong with the host's clock goes to the status, and to the log when it changes.
  private func present(_ reportedClock: inout ReportedClock, lastTime: Instant) -> Instant {
    let wall = clock.now()
    let now = reportedClock.now(wall: wall, elapsed: clock.elapsed())
    let problem = reportedClock.problem(wall: wall, now: now, lastTime: lastTime)
    let changed = counts.withLock { counts in
      defer { counts.clockProblem = problem }
      return counts.clockProblem.isEmpty != problem.isEmpty
    }
    if changed {
      logger.warning(
        "\(problem.isEmpty ? "the host's clock is believed again" : problem)",
        metadata: ["clock": "\(wall)", "reported_time": "\(now)"])
    }
    return now
  }

  /// Says once in a while that the quarantine is full.
  private func warnOfDrops(_ dropped: UInt64) {
    let elapsed = clock.elapsed()
    let isDue = dropWarning.withLock { warning in
      guard dropped > warning.dropped,
        warning.time.map({ elapsed - $0 >= Self.dropWarningMin }) ?? true
      else { return false }
      warning = (dropped, elapsed)
      return true
    }
    guard isDue else { return }
    logger.warning(
      "the quarantine is full: what is refused is not kept; redrive or discard what is in it",
      metadata: [
        "dropped": "\(dropped)", "quarantine_bytes_max": "\(configuration.quarantineBytesMax)",
      ])
  }

  private func publish(_ intake: borrowing Intake, _ decisions: [Submission.Decision]) {
    counts.withLock { counts in
      counts.syncs = intake.syncs
      for run in decisions.lazy.flatMap(\.results).flatMap(\.runs) {
        switch run.first {
        case .accepted, .parked: counts.accepted += UInt64(run.count)
        case .duplicate: counts.duplicates += UInt64(run.count)
        case .conflict, .quarantined, .invalid: counts.refused += UInt64(run.count)
        }
      }
      counts.describe(intake)
    }
    broadcast.advance(to: intake.tail)
  }

  /// Why there is no room, if there is none. Asked once for each group commit.
  private func diskRoom() -> CollectorError? {
    let free: UInt64
    do throws(DiskError) {
      free = try disk.freeBytes(configuration.journalDirectory)
    } catch {
      logger.warning("free disk is unknown", metadata: ["error": "\(error)"])
      return nil
    }
    let problem: CollectorError? =
      free >= configuration.diskReserveBytes
      ? nil : .diskFull(freeBytes: free, reserveBytes: configuration.diskReserveBytes)
    counts.withLock { $0.diskFreeBytes = free }
    if let problem {
      note(
        refusing: problem,
        metadata: ["free_bytes": "\(free)", "reserve_bytes": "\(configuration.diskReserveBytes)"])
    }
    return problem
  }

  /// Says once that events are refused, and once that they are taken again.
  private func note(refusing problem: CollectorError?, metadata: Logger.Metadata) {
    let refusing = problem?.rpcErrorMessage ?? ""
    let changed = counts.withLock { counts in
      defer { counts.refusing = refusing }
      return counts.refusing.isEmpty != refusing.isEmpty
    }
    guard changed else { return }
    logger.warning(
      problem == nil ? "the disk has room again; events are taken" : "events are refused",
      metadata: metadata)
  }

  package func status() -> CollectorStatus {
    counts.withLock { $0 }
  }

  /// Gives every durable record from `position` on to `write`, 0 for the first that there is, and with `follow` those
  /// to come. A reader that has read a journal before says which; 0 for none.
  package func readJournal(
    from position: UInt64, of knownID: UInt64 = 0, follow: Bool,
    _ write: (JournalChunk) async throws -> Void
  ) async throws {
    if let known = LogID(rawValue: knownID), known != journalID {
      throw CollectorError.otherJournal(journalID, read: known)
    }
    var tail = broadcast.tail
    guard position <= tail.nextPosition else {
      throw CollectorError.beyondJournal(position: position, nextPosition: tail.nextPosition)
    }
    var reader = LogReader(
      disk: disk, directory: configuration.journalDirectory,
      fromPosition: position == 0 ? try await firstPosition() : position)
    while !Task.isCancelled {
      while let chunk = try await nextChunk(&reader, tail) {
        try await write(
          JournalChunk(
            records: chunk.bytes, nextPosition: chunk.nextPosition,
            durablePosition: tail.nextPosition, journalID: chunk.id.rawValue))
      }
      guard follow else { return }
      await broadcast.wait(after: tail)
      tail = broadcast.tail
    }
  }

  /// What the journal counts for one subscription, meter and usage hour.
  package func findUsage(
    _ request: FindUsageRequest
  ) async throws(CollectorError) -> FindUsageResponse {
    guard let known = LogID(rawValue: request.journalID) else { throw .unnamedJournal }
    guard known == journalID else { throw .otherJournal(journalID, read: known) }
    let tail = broadcast.tail
    guard request.positions.upperBound <= tail.nextPosition else {
      throw .beyondJournal(
        position: request.positions.upperBound, nextPosition: tail.nextPosition)
    }
    let (disk, directory) = (disk, configuration.journalDirectory)
    return try await usageReader.read { () throws(CollectorError) in
      var reader = LogReader(
        disk: disk, directory: directory, fromPosition: request.positions.lowerBound)
      var finder = UsageFinder(request)
      do throws(RecordLogError) {
        try finder.run(&reader, tail)
      } catch .removed(let position, let first) {
        throw .removedFromJournal(position: position, first: first)
      } catch {
        throw .logDamaged(error)
      }
      return FindUsageResponse(usage: finder.found, nextPosition: finder.nextPosition)
    }
  }

  /// Where the journal begins.
  private func firstPosition() async throws(CollectorError) -> UInt64 {
    let (disk, directory) = (disk, configuration.journalDirectory)
    return try await reader.read { () throws(CollectorError) in
      do throws(RecordLogError) {
        return try LogTail.firstPosition(disk, directory) ?? 1
      } catch {
        throw .logDamaged(error)
      }
    }
  }

  private func nextChunk(
    _ place: inout LogReader, _ tail: LogTail
  ) async throws(CollectorError) -> LogReader.Chunk? {
    let (chunk, next) = try await reader.read { [place] () throws(CollectorError) in
      var place = place
      do throws(RecordLogError) {
        let chunk = try place.next(upTo: tail)
        return (chunk, place)
      } catch .removed(let position, let first) {
        throw .removedFromJournal(position: position, first: first)
      } catch {
        throw .logDamaged(error)
      }
    }
    place = next
    return chunk
  }
}

extension CollectorStatus {
  /// Takes over what the logs know.
  fileprivate mutating func describe(_ intake: borrowing Intake) {
    nextPosition = intake.tail.nextPosition
    lastReportedTime = intake.lastTime
    journalBytes = intake.journalBytes
    dedupEntries = UInt64(intake.dedupEntries)
    quarantineEntries = UInt64(intake.quarantine.openCount)
    quarantineBytes = intake.quarantine.byteCount
    quarantineDropped = intake.quarantine.dropped
    parkedCorrections = UInt64(intake.corrections.count)
  }
}
