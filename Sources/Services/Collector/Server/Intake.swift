internal import StackmeterCore
internal import StackmeterJournal

/// Decides what becomes of each event, and writes what was decided. One thread owns it; it knows no sockets.
///
/// `take` decides and gathers; nothing may be answered before `commit` has returned.
struct Intake: ~Copyable {
  private var journal: RecordLog
  var quarantine: Quarantine
  private var index: DedupIndex
  private var verdicts = SeriesVerdicts()
  private let rules: EventRules
  private let retention: Duration?
  /// The index was rid of what is older than this hour allows.
  private var forgottenAt: Hour
  /// A larger batch becomes several records, each of which fits a message of `ReadJournal` many times.
  private let recordBytesMax: Int
  static let recordBytesMax = 1 << 20
  /// Little is refused, so that a small segment is enough.
  static let quarantineSegmentBytesMax = 4 << 20

  /// What is drawn at random for one process, and for the logs that it makes.
  struct Secrets {
    let dedupKey: (UInt64, UInt64)
    let newJournal: LogID
    let newQuarantine: LogID

    init(using random: inout some RandomNumberGenerator) {
      dedupKey = (random.next(), random.next())
      newJournal = .random(using: &random)
      newQuarantine = .random(using: &random)
    }
  }

  /// Opens both logs and brings the index up to the journal's end.
  init(
    disk: any Disk, configuration: CollectorConfiguration, catalog: MeterCatalog,
    secrets: Secrets, segmentBytesMax: Int = RecordLog.segmentBytesMax,
    recordBytesMax: Int = Intake.recordBytesMax
  ) throws(RecordLogError) {
    let rules = EventRules(catalog: catalog, latenessLimit: configuration.latenessLimit)
    let journal = try RecordLog(
      disk: disk, directory: configuration.journalDirectory, newID: secrets.newJournal,
      segmentBytesMax: segmentBytesMax)
    let quarantine = try Quarantine(
      disk: disk, directory: configuration.quarantineDirectory,
      bytesMax: configuration.quarantineBytesMax, key: secrets.dedupKey,
      newID: secrets.newQuarantine,
      segmentBytesMax: min(segmentBytesMax, Quarantine.segmentBytesMax))
    var index = try Intake.openIndex(journal, disk, configuration, rules, secrets)
    try Intake.replay(journal, disk, configuration, into: &index)
    index.forget(before: rules.oldestStart(now: journal.lastTime))
    forgottenAt = journal.lastTime.hour
    self.rules = rules
    self.journal = journal
    self.quarantine = quarantine
    self.index = index
    self.recordBytesMax = recordBytesMax
    retention = configuration.journalRetention
  }

  private static func openIndex(
    _ journal: borrowing RecordLog, _ disk: any Disk, _ configuration: CollectorConfiguration,
    _ rules: EventRules, _ secrets: Secrets
  ) throws(RecordLogError) -> DedupIndex {
    let oldest = rules.oldestStart(now: journal.lastTime)
    // An event may be reported up to `futureMax` before its usage ends. What is accepted from now on is
    // reported after the last record, so the limit counts from there, not from a clock that may be wrong.
    let reported = oldest.advanced(by: .zero - EventLimits.futureMax)
    let directory = configuration.journalDirectory
    let tail = journal.tail
    return try DedupIndex(
      disk: disk, directory: configuration.dedupDirectory, id: journal.id,
      newKey: secrets.dedupKey,
      limits: DedupIndex.Limits(memoryBytes: configuration.dedupMemoryBytes),
      firstHour: oldest.hour, firstNeeded: journal.firstPosition(since: reported),
      logEnd: journal.nextPosition
    ) { (position, time) throws(RecordLogError) in
      var reader = LogReader(disk: disk, directory: directory, fromPosition: position)
      guard position > 0, let chunk = try reader.next(upTo: tail) else { return false }
      let record = Record.all(in: chunk.bytes, of: chunk.id).first { $0.nextPosition > position }
      guard let record, record.firstPosition <= position else { return false }
      let offset = Int(position - record.firstPosition)
      return record.firstTime.advanced(by: .nanoseconds(offset)) == time
    }
  }

  /// Gives the index what the journal has and its files have not.
  private static func replay(
    _ journal: borrowing RecordLog, _ disk: any Disk, _ configuration: CollectorConfiguration,
    into index: inout DedupIndex
  ) throws(RecordLogError) {
    var reader = LogReader(
      disk: disk, directory: configuration.journalDirectory, fromPosition: index.nextPosition)
    var time = Instant(nanoseconds: 0)
    while index.nextPosition < journal.tail.nextPosition,
      let chunk = try reader.next(upTo: journal.tail)
    {
      for record in Record.all(in: chunk.bytes, of: chunk.id) {
        time = record.lastTime
        guard record.kind == .batch else { continue }
        guard let batch = EventBatch(journalPayload: record.payload), batch.count == record.count
        else {
          throw .damaged(
            path: configuration.journalDirectory, offset: 0,
            problem: "the record at position \(record.firstPosition) has a good checksum but no "
              + "known form")
        }
        index.replay(batch, firstPosition: record.firstPosition)
      }
      index.committed(nextPosition: chunk.nextPosition, lastTime: time)
      do throws(DedupError) {
        while let job = index.nextJob() { index.finish(try job.run()) }
      } catch {
        throw .disk(DiskError(operation: "write", path: configuration.dedupDirectory, errno: 5))
      }
    }
  }

  var tail: LogTail { journal.tail }
  var tornBytes: Int { journal.tornBytes }
  var journalID: LogID { journal.id }
  var lastTime: Instant { journal.lastTime }
  var journalBytes: UInt64 { journal.byteCount }
  var dedupEntries: Int { index.count }
  var syncs: UInt64 { journal.syncs + quarantine.syncs }

  /// Makes room for all that taking `batches` may need and for a tick or a mark. Where there is no space,
  /// nothing has changed. What is refused gets its room when it is kept.
  mutating func reserve(for batches: some Sequence<EventBatch>) throws(ReserveError) {
    var bytes = 2 * Record.frameBytes
    for batch in batches { bytes += journalBytesMax(batch) }
    try journal.reserve(bytes)
    try quarantine.reserve()
  }

  /// What the records of one batch take at most.
  private func journalBytesMax(_ batch: EventBatch) -> Int {
    guard !batch.isEmpty else { return 0 }
    let head = Record.frameBytes + Intake.batchBytes + batch.source.utf8.count
    // A series in its canonical form is as long.
    let series = batch.series.map { $0.journalBytes }
    let events = batch.ids.count + batch.count * EventBatch.journalColumnBytes
    let all = series.reduce(0, +)
    if all + events < recordBytesMax { return head + all + events }
    // Each record has the series of its own events, so that at worst each event brings its series again.
    return batch.seriesIndex.reduce(events) { $0 + head + series[Int($1)] }
  }

  /// The result of every event of the batch, in order, true once `commit` has returned. An error means that nothing
  /// more can be decided: the process must stop.
  mutating func take(
    _ batch: EventBatch, clock: Instant
  ) throws(CollectorError) -> EventResults {
    // Never before what was reported already, whatever the clock does.
    let time = max(nextTime, Intake.plausible(clock))
    let sourceProblem = rules.problem(source: batch.source)
    let verdicts = batch.series.map { self.verdicts.verdict($0, rules, index.hasher) }
    let digests = index.hasher.digests(of: batch, series: verdicts.map(\.digest))
    let hours = batch.usageStart.map { Instant(nanoseconds: $0).hour }
    let bounds = rules.bounds(now: time)
    let idsAreASCII = batch.ids.allSatisfy { (1..<0x80).contains($0) }
    var accepted = AcceptedEvents()
    var results = EventResults()
    for event in 0..<batch.count {
      if event + Intake.prefetchAhead < batch.count {
        index.prefetch(hours[event + Intake.prefetchAhead], digests[event + Intake.prefetchAhead])
      }
      let verdict = verdicts[Int(batch.seriesIndex[event])].verdict
      if sourceProblem == nil, case .canonical(let series) = verdict,
        bounds.contain(batch, event, idsAreASCII: idsAreASCII)
          || rules.refusal(batch, event, now: time) == nil
      {
        let position = journal.nextPosition + UInt64(accepted.count)
        let candidate = Candidate(
          event: event, series: series, hour: hours[event], digest: digests[event])
        let known = try remember(candidate, position, batch, accepted)
        if let known, known.refusal == nil {
          results.append(known)
        } else if let known {
          results.append(quarantine.keep(known, batch, event, time: time))
        } else {
          results.append(
            .accepted(
              position: position, reportedTime: time.advanced(by: .nanoseconds(accepted.count))))
          accepted.append(event)
        }
        continue
      }
      let refused = refusal(batch, event, sourceProblem, verdict, now: time)
      results.append(quarantine.keep(refused, batch, event, time: time))
    }
    let series = verdicts.map { known -> Series? in
      if case .canonical(let series) = known.verdict { series } else { nil }
    }
    for part in accepted.batches(of: batch, series: series, bytesMax: recordBytesMax) {
      write(part, time: max(time, nextTime))
    }
    return results
  }

  /// What a batch takes in a record beside its source, series and events.
  private static let batchBytes = 14

  /// So many events ahead the index begins to load what a search will need.
  private static let prefetchAhead = 12

  /// A well-formed event that is looked for in the index.
  private struct Candidate {
    let event: Int
    let series: Series
    let hour: Hour
    let digest: EventDigest
  }

  /// Remembers a new event at `position` and returns nil; otherwise what became of its identity before.
  private mutating func remember(
    _ candidate: Candidate, _ position: UInt64, _ batch: EventBatch, _ accepted: AcceptedEvents
  ) throws(CollectorError) -> EventResult? {
    let matches: DedupMatches
    do throws(DedupError) {
      guard
        let found = try index.remember(candidate.hour, candidate.digest, position: position)
      else { return nil }
      matches = found
    } catch {
      index.discard()
      throw .journalFailed(error.description)
    }
    if let position = matches.duplicate { return .duplicate(position: position) }
    for position in matches.claims {
      guard let first = try event(at: position, batch, accepted),
        first.source.hasSameBytes(as: batch.source),
        first.id.utf8.elementsEqual(batch.ids[batch.idRange(candidate.event)])
      else { continue }
      var second = batch.event(candidate.event)
      second.series = candidate.series
      return .conflict(
        position: position,
        Refusal(
          .conflict, field: "id",
          "was accepted at position \(position) with another \(first.firstDifference(second)); "
            + "that event stands"))
    }
    index.insert(candidate.hour, candidate.digest, position: position)
    return nil
  }

  /// The event at a position that the index knows: in the journal, or in the batch that is being taken.
  private mutating func event(
    at position: UInt64, _ batch: EventBatch, _ accepted: AcceptedEvents
  ) throws(CollectorError) -> UsageEvent? {
    if position >= journal.nextPosition {
      return batch.event(accepted.event(Int(position - journal.nextPosition)))
    }
    let record: Record?
    do throws(RecordLogError) {
      record = try journal.record(at: position)
    } catch {
      throw .journalFailed(error.description)
    }
    guard let record, let known = EventBatch(journalPayload: record.payload) else { return nil }
    return known.event(Int(position - record.firstPosition))
  }

  /// What is wrong with an event that may not be counted.
  private func refusal(
    _ batch: EventBatch, _ event: Int, _ sourceProblem: Refusal?,
    _ verdict: EventRules.SeriesVerdict, now: Instant
  ) -> EventResult {
    if let sourceProblem { return .invalid(sourceProblem) }
    if case .malformed(let refusal) = verdict { return .invalid(refusal) }
    if let problem = rules.problem(batch, event) { return .invalid(problem) }
    if case .unknownMeter(let refusal) = verdict { return .quarantined(refusal) }
    guard let late = rules.timing(batch, event, now: now) else {
      preconditionFailure("nothing is wrong with the event")
    }
    return .quarantined(late)
  }

  /// The earliest time that the next record may have.
  private var nextTime: Instant { journal.lastTime.advanced(by: .nanoseconds(1)) }

  /// A clock outside the years that usage may lie in is held at their edge, so that no sum overflows.
  private static func plausible(_ clock: Instant) -> Instant {
    let years = Instant.accepted
    return min(max(clock, years.lowerBound), years.upperBound.advanced(by: .nanoseconds(-1)))
  }

  private mutating func write(_ accepted: EventBatch, time: Instant) {
    journal.append(
      Record(
        kind: .batch, count: UInt32(accepted.count), firstPosition: journal.nextPosition,
        firstTime: time, payload: accepted.journalPayload()))
  }

  /// Records that an hour has ended without an event after it, so that its window can close, and forgets what
  /// is past the lateness limit once an hour.
  mutating func tick(clock: Instant) {
    let clock = Intake.plausible(clock)
    if clock.hour > journal.lastTime.hour {
      journal.append(
        Record(
          kind: .tick, count: 0, firstPosition: journal.nextPosition, firstTime: clock,
          payload: []))
    }
    guard journal.lastTime.hour > forgottenAt else { return }
    forgottenAt = journal.lastTime.hour
    index.forget(before: rules.oldestStart(now: journal.lastTime))
  }

  var journalSeal: SegmentSeal? { journal.nextToSeal }
  mutating func didSealJournal(_ outcome: SegmentSeal.Outcome) { journal.didSeal(outcome) }

  /// The journal's segments past the retention, all of which is applied. Its age counts back from the journal's
  /// own last time, not from a clock that may be wrong.
  mutating func removeOldSegments(applied: UInt64) -> SegmentRemoval? {
    guard let retention else { return nil }
    return journal.removeSegments(
      before: applied, lastReportedBefore: journal.lastTime.advanced(by: .zero - retention))
  }

  /// Says in both logs, where the last commit has nothing behind it, that it was durable. For when nothing waits.
  mutating func mark() {
    quarantine.mark()
    journal.appendMark()
  }

  /// Returns once everything taken is durable. After an error the process must stop.
  ///
  /// The journal comes first: an entry of the quarantine is closed only once its event is there.
  mutating func commit() throws(DiskError) {
    try journal.commit()
    try quarantine.commit()
    index.committed(nextPosition: journal.nextPosition, lastTime: journal.lastTime)
  }

  /// Work on the index that may be done on another thread, one at a time; asked for after `commit`.
  mutating func nextDedupJob() -> DedupJob? { index.nextJob() }

  /// So much waits for these jobs that nothing more should be taken.
  var isDedupBehind: Bool { index.isBehind }

  mutating func finish(_ done: DedupJob.Done) { index.finish(done) }
}
