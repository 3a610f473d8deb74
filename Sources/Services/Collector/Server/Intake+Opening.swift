internal import StackmeterCore
internal import StackmeterJournal

/// What a collector does before it serves: the index and the ledger of corrections are brought up to the journal's end.
/// It reads the journal, and changes nothing but the index.
struct IntakeOpening: ~Copyable {
  private let disk: any Disk
  private let configuration: CollectorConfiguration
  private let rules: EventRules

  init(disk: any Disk, configuration: CollectorConfiguration, rules: EventRules) {
    self.disk = disk
    self.configuration = configuration
    self.rules = rules
  }

  /// Opens the index of a journal, with what its files know.
  func openIndex(
    _ journal: borrowing RecordLog, newKey: (UInt64, UInt64)
  ) throws(RecordLogError) -> DedupIndex {
    let oldest = rules.oldestStart(now: journal.lastTime)
    // An event may be reported up to `futureMax` before its usage ends. What is accepted from now on is
    // reported after the last record, so the limit counts from there, not from a clock that may be wrong. What
    // waited was refused at the start of that record's hour.
    let reported = rules.oldestStart(now: journal.lastTime.hour.start)
      .advanced(by: .zero - EventLimits.futureMax)
    let (disk, directory, tail) = (disk, configuration.journalDirectory, journal.tail)
    return try DedupIndex(
      disk: disk, directory: configuration.dedupDirectory, id: journal.id, newKey: newKey,
      limits: DedupIndex.Limits(
        memoryBytes: configuration.dedupMemoryBytes,
        recentCountMax: configuration.dedupRecentCountMax),
      firstHour: oldest.hour, firstNeeded: journal.firstPosition(since: reported),
      logEnd: journal.nextPosition
    ) { (position, time) throws(RecordLogError) in
      var reader = LogReader(disk: disk, directory: directory, fromPosition: position)
      guard position > 0, let chunk = try reader.next(upTo: tail) else { return false }
      // Files end where a commit ended; a record that takes no position may have been its last.
      return Record.all(in: chunk.bytes, of: chunk.id).contains {
        $0.nextPosition == position + 1 && $0.lastTime == time
      }
    }
  }

  /// Gives the index and the ledger what the journal has and the index's files have not.
  func replay(
    _ journal: borrowing RecordLog, _ index: inout DedupIndex, _ ledger: inout CorrectionLedger,
    _ sources: inout SourceTable
  ) throws(RecordLogError) {
    for record in Record.all(in: index.context, of: journal.id) {
      try require(ledger.replay(record) && sources.replay(record), record)
    }
    // Where corrections wait or sources are declared by the files, from the record in front of what the files lack:
    // so that all is read that one of them no longer waits, also what takes no position, or is past the lateness
    // limit for the index. Without such files, a source that was silent for that long is not known here any more.
    let first = index.context.isEmpty ? index.nextPosition : index.filesEnd - 1
    var reader = LogReader(
      disk: disk, directory: configuration.journalDirectory,
      fromPosition: min(max(first, journal.firstPosition), index.nextPosition))
    let id = journal.id
    var lastTime = Instant(nanoseconds: 0)
    while let chunk = try reader.next(upTo: journal.tail) {
      for record in Record.all(in: chunk.bytes, of: chunk.id) {
        // A record without positions may have been read for the files' context already.
        lastTime = record.lastTime
        try replay(record, &index)
        try require(ledger.replay(record) && sources.replay(record), record)
      }
      guard chunk.nextPosition >= index.nextPosition else { continue }
      index.committed(nextPosition: chunk.nextPosition, lastTime: lastTime)
      try Self.derived { () throws(DedupError) in
        while let job = index.nextJob(context: { Self.context(ledger, sources, id) }) {
          index.finish(try job.run())
        }
      }
    }
  }

  /// What the ledger and the declared sources need beside the records behind a position.
  static func context(
    _ ledger: CorrectionLedger, _ sources: SourceTable, _ id: LogID
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    for record in ledger.parkedRecords + sources.records {
      record.write(to: &bytes, of: id, startsCommit: false)
    }
    return bytes
  }

  private func replay(
    _ record: Record, _ index: inout DedupIndex
  ) throws(RecordLogError) {
    switch record.kind {
    case .batch:
      guard let batch = record.countedEvents else { return try require(false, record) }
      index.replay(batch, firstPosition: record.firstPosition)
    case .correction, .parked:
      guard let event = record.declaredEvent(at: record.firstPosition) else {
        return try require(false, record)
      }
      try Self.derived { () throws(DedupError) in
        do throws(DedupError) {
          try index.replay(declared: event, at: record.firstPosition)
        } catch {
          if case .damaged = error { index.discard() }
          throw error
        }
      }
      if record.kind == .correction, let target = event.targetIdentity {
        index.replay(correctionOf: target, at: record.firstPosition)
      }
    case .tick, .mark, .unparked, .heartbeat, .refusal, .resolution: break
    }
  }

  /// What stops a collector that opens, as an error of its journal.
  func unlessDamaged<Result>(
    _ body: () throws(CollectorError) -> Result
  ) throws(RecordLogError) -> Result {
    do throws(CollectorError) {
      return try body()
    } catch {
      throw .damaged(
        path: configuration.journalDirectory, offset: 0, problem: error.rpcErrorMessage)
    }
  }

  private func require(_ isKnown: Bool, _ record: Record) throws(RecordLogError) {
    guard !isKnown else { return }
    throw .damaged(
      path: configuration.journalDirectory, offset: 0,
      problem:
        "the record at position \(record.firstPosition) has a good checksum but no known form")
  }

  private static func derived(_ body: () throws(DedupError) -> Void) throws(RecordLogError) {
    do throws(DedupError) {
      try body()
    } catch {
      switch error {
      case .disk(let error): throw .disk(error)
      case .damaged(let path):
        throw .damaged(
          path: path, offset: 0,
          problem: "a file of the dedup index, which is made anew at the next start")
      }
    }
  }
}
