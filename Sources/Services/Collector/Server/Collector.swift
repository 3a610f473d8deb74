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
    let answer: @Sendable (Result<[[EventResult]], CollectorError>) -> Void
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
  }

  /// Runs the commit thread until `stop`, and returns when all that waited is answered. Throws what made the
  /// journal unusable; the process must then end.
  package func run() async throws(CollectorError) {
    let failure = await blocking { self.commitLoop() }
    if let failure { throw failure }
  }

  package func stop() {
    queue.close()
  }

  /// The results of every event of every batch, each durable. Throws where nothing may be said about them.
  package func report(
    _ batches: [EventBatch]
  ) async throws(CollectorError) -> [[EventResult]] {
    let weight = batches.reduce(0) { $0 + $1.byteCount }
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<[[EventResult]], CollectorError>, Never>) in
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
      let room = diskRoom()
      guard room == nil || submissions.isEmpty else {
        for submission in submissions { submission.answer(.failure(room!)) }
        continue
      }
      let now = clock.now()
      let answers = submissions.map { submission in
        submission.batches.map { intake.take($0, clock: now) }
      }
      if room == nil { intake.tick(clock: now) }
      do throws(DiskError) {
        try intake.commit()
      } catch {
        // Nothing was answered, so nothing is promised. Only a new process may trust the disk again.
        let failure = CollectorError.journalFailed(error.description)
        queue.close()
        for submission in submissions { submission.answer(.failure(failure)) }
        for submission in queue.take(timeout: .zero) ?? [] {
          submission.answer(.failure(.stopping))
        }
        return failure
      }
      publish(intake, answers)
      for (submission, results) in zip(submissions, answers) {
        submission.answer(.success(results))
      }
    }
    return nil
  }

  private func publish(_ intake: borrowing Intake, _ answers: [[[EventResult]]]) {
    quarantineTail.withLock { $0 = intake.quarantineTail }
    counts.withLock { counts in
      for result in answers.joined().joined() {
        switch result {
        case .accepted, .parked: counts.accepted += 1
        case .duplicate: counts.duplicates += 1
        case .conflict, .quarantined, .invalid: counts.refused += 1
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
    let changed = counts.withLock { counts in
      counts.diskFreeBytes = free
      let refusing = problem?.rpcErrorMessage ?? ""
      defer { counts.refusing = refusing }
      return counts.refusing.isEmpty != refusing.isEmpty
    }
    if changed {
      logger.warning(
        problem == nil ? "the disk has room again; events are taken" : "events are refused",
        metadata: ["free_bytes": "\(free)", "reserve_bytes": "\(configuration.diskReserveBytes)"])
    }
    return problem
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
