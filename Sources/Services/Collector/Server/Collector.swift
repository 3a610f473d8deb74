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

  /// The records of one page of the quarantine; a single one is far smaller.
  private static let pageBytesMax = 1 << 20

  private struct Submission: Sendable {
    let batches: [EventBatch]
    let answer: @Sendable (Result<[EventResults], CollectorError>) -> Void
  }

  private let configuration: CollectorConfiguration
  private let disk: any Disk
  private let clock: any WallClock
  private let logger: Logger
  private let queue = CommitQueue<Submission>(weightMax: Collector.queuedBytesMax)
  private let broadcast: TailBroadcast
  private let journalID: LogID
  private let quarantineTail: Mutex<LogTail>
  private let counts: Mutex<CollectorStatus>
  private let housekeeping: Housekeeping
  /// What the aggregator has confirmed since this process started.
  private let appliedPosition = Mutex<UInt64?>(nil)
  /// Given to the thread by `run`.
  private let intake: Mutex<Intake?>

  /// Opens the journal and the quarantine, and recovers both. `random` gives new logs their ids.
  package init(
    configuration: CollectorConfiguration, catalog: MeterCatalog, disk: any Disk,
    clock: any WallClock, logger: Logger, segmentBytesMax: Int = RecordLog.segmentBytesMax,
    idleMax: Duration = .seconds(1),
    random: some RandomNumberGenerator = SystemRandomNumberGenerator()
  ) throws(RecordLogError) {
    var random = random
    let intake = try Intake(
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
    quarantineTail = Mutex(intake.quarantineTail)
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
    housekeeping = Housekeeping(logger: logger)
  }

  /// Runs the commit thread until `stop`, and returns when all that waited is answered. Throws what made the
  /// journal unusable; the process must then end.
  package func run() async throws(CollectorError) {
    async let kept: Void = blocking { self.housekeeping.run() }
    let failure = await blocking { self.commitLoop() }
    housekeeping.stop()
    await kept
    if let failure { throw failure }
  }

  package func stop() {
    queue.close()
  }

  /// The results of every event of every batch, each durable. Throws where nothing may be said about them.
  package func report(
    _ batches: [EventBatch]
  ) async throws(CollectorError) -> [EventResults] {
    let weight = batches.reduce(0) { $0 + $1.byteCount }
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<[EventResults], CollectorError>, Never>) in
      do throws(CommitQueue<Submission>.Refused) {
        try queue.put(
          Submission(batches: batches) { continuation.resume(returning: $0) },
          weight: max(1, weight))
      } catch {
        continuation.resume(returning: .failure(error == .full ? .queueFull : .stopping))
      }
    }
    return try result.get()
  }

  private func commitLoop() -> CollectorError? {
    var intake = self.intake.withLock { $0.take() }!
    while let submissions = queue.take(timeout: idleMax) {
      if let damage = keepHouse(&intake) {
        return fail(.journalDamaged(damage.description), submissions)
      }
      let room = diskRoom() ?? (intake.isDedupBehind ? .dedupBehind : nil)
      guard room == nil || submissions.isEmpty else {
        for submission in submissions { submission.answer(.failure(room!)) }
        continue
      }
      do throws(ReserveError) {
        try intake.reserve(for: submissions.lazy.flatMap(\.batches))
      } catch .noSpace(let error) {
        let refused = CollectorError.noSpace(error.description)
        note(refusing: refused, metadata: ["error": "\(error)"])
        for submission in submissions { submission.answer(.failure(refused)) }
        continue
      } catch {
        return fail(.journalFailed(error.error.description), submissions)
      }
      if room == nil { note(refusing: nil, metadata: [:]) }
      let now = clock.now()
      var answers: [[EventResults]] = []
      do throws(CollectorError) {
        for submission in submissions {
          answers.append(try take(submission.batches, &intake, clock: now))
        }
        if room == nil { intake.tick(clock: now) }
        if submissions.isEmpty { intake.mark() }
        try commit(&intake)
      } catch {
        return fail(error, submissions)
      }
      publish(intake, answers)
      for (submission, results) in zip(submissions, answers) {
        submission.answer(.success(results))
      }
    }
    // So that damage to the last commit is known as such when the journal is opened again.
    intake.mark()
    do throws(CollectorError) { try commit(&intake) } catch { return fail(error, []) }
    return nil
  }

  private func take(
    _ batches: [EventBatch], _ intake: inout Intake, clock: Instant
  ) throws(CollectorError) -> [EventResults] {
    var results: [EventResults] = []
    for batch in batches { results.append(try intake.take(batch, clock: clock)) }
    return results
  }

  private func commit(_ intake: inout Intake) throws(CollectorError) {
    do throws(DiskError) { try intake.commit() } catch {
      throw .journalFailed(error.description)
    }
  }

  /// Takes over what the housekeeping thread has done, and gives it what is to be done next. Damage that it has
  /// found ends the collector.
  private func keepHouse(_ intake: inout Intake) -> RecordLogError? {
    for completion in housekeeping.takeCompletions() { completion(&intake) }
    if let damage = housekeeping.damage { return damage }
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
    for submission in submissions { submission.answer(.failure(failure)) }
    for submission in queue.take(timeout: .zero) ?? [] { submission.answer(.failure(.stopping)) }
    return failure
  }

  private func publish(_ intake: borrowing Intake, _ answers: [[EventResults]]) {
    quarantineTail.withLock { $0 = intake.quarantineTail }
    counts.withLock { counts in
      for run in answers.joined().lazy.flatMap(\.runs) {
        switch run.first {
        case .accepted: counts.accepted += UInt64(run.count)
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

  /// Gives every durable record from `position` on to `write`, and with `follow` those to come. A reader that
  /// has read a journal before says which; 0 for none.
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
      disk: disk, directory: configuration.journalDirectory, fromPosition: position)
    while !Task.isCancelled {
      while let chunk = try nextChunk(&reader, tail) {
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

  private func nextChunk(
    _ reader: inout LogReader, _ tail: LogTail
  ) throws(CollectorError) -> LogReader.Chunk? {
    do throws(RecordLogError) {
      return try reader.next(upTo: tail)
    } catch .removed(let position, let first) {
      throw .removedFromJournal(position: position, first: first)
    } catch {
      throw .journalDamaged(error.description)
    }
  }

  /// What was refused after `number`, oldest first. A page ends early where it would not fit a message.
  package func quarantine(
    after number: UInt64, pageSize: Int
  ) throws(CollectorError) -> ListQuarantineResponse {
    let tail = quarantineTail.withLock { $0 }
    guard number < tail.nextPosition - 1 else {
      return ListQuarantineResponse(entries: [], more: false)
    }
    var reader = LogReader(
      disk: disk, directory: configuration.quarantineDirectory, fromPosition: number + 1)
    var entries: [QuarantineEntry] = []
    var bytes = 0
    while let chunk = try nextChunk(&reader, tail) {
      for record in Record.all(in: chunk.bytes, of: chunk.id) {
        guard let entry = record.quarantineEntry, entry.number > number else { continue }
        bytes += record.byteCount
        guard entries.count < pageSize, bytes <= Collector.pageBytesMax else {
          return ListQuarantineResponse(entries: entries, more: true)
        }
        entries.append(entry)
      }
    }
    return ListQuarantineResponse(entries: entries, more: false)
  }
}

extension CollectorStatus {
  /// Takes over what the logs know.
  fileprivate mutating func describe(_ intake: borrowing Intake) {
    nextPosition = intake.tail.nextPosition
    lastReportedTime = intake.lastTime
    journalBytes = intake.journalBytes
    dedupEntries = UInt64(intake.dedupEntries)
    quarantineEntries = intake.quarantineTail.nextPosition - 1
    quarantineBytes = intake.quarantineBytes
  }
}
