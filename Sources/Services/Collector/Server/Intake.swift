internal import StackmeterCore
internal import StackmeterJournal

/// Decides what becomes of each event, and writes what was decided. One thread owns it; it knows no sockets.
///
/// `take` decides and gathers; nothing may be answered before `commit` has returned.
struct Intake: ~Copyable {
  var history: AcceptedHistory
  var quarantine: Quarantine
  var corrections: CorrectionLedger
  var sources: SourceTable
  var verdicts = SeriesVerdicts()
  let rules: EventRules
  private let retention: Duration?
  /// What was taken out of the journal and may still be on the disk: a job that failed is given again.
  var removal: SegmentRemoval?
  /// The index was rid of what is older than this hour allows.
  private var forgottenAt: Hour
  /// A larger batch becomes several records, each of which fits a message of `ReadJournal` many times.
  let recordBytesMax: Int
  static let recordBytesMax = 1 << 20

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

  /// Opens both logs, and brings the index and the ledger of corrections up to the journal's end.
  ///
  /// All that is needed is read first. So where one of the logs is damaged, neither of them is changed.
  static func open(
    disk: any Disk, configuration: CollectorConfiguration, catalog: MeterCatalog,
    secrets: Secrets, segmentBytesMax: Int = RecordLog.segmentBytesMax,
    recordBytesMax: Int = Intake.recordBytesMax
  ) throws(RecordLogError) -> Intake {
    let rules = EventRules(catalog: catalog, latenessLimit: configuration.latenessLimit)
    let journal = try RecordLog(
      disk: disk, directory: configuration.journalDirectory, newID: secrets.newJournal,
      segmentBytesMax: segmentBytesMax, begins: false)
    let quarantine = try Quarantine(
      disk: disk, directory: configuration.quarantineDirectory,
      bytesMax: configuration.quarantineBytesMax, key: secrets.dedupKey,
      newID: secrets.newQuarantine,
      segmentBytesMax: min(segmentBytesMax, Quarantine.segmentBytesMax))
    let opening = IntakeOpening(disk: disk, configuration: configuration, rules: rules)
    var index = try opening.openIndex(journal, newKey: secrets.dedupKey)
    var corrections = CorrectionLedger()
    var sources = SourceTable()
    try opening.replay(journal, &index, &corrections, &sources)
    index.forget(before: rules.oldestStart(now: journal.lastTime))
    var intake = Intake(
      history: AcceptedHistory(journal: journal, index: index), quarantine: quarantine,
      corrections: corrections, sources: sources, rules: rules, recordBytesMax: recordBytesMax,
      retention: configuration.journalRetention)
    // What a crash has left of the corrections is finished by the next commit.
    let steps = try opening.unlessDamaged { () throws(CollectorError) in
      try intake.corrections.resume(
        nextPosition: intake.history.journal.nextPosition, &intake.history)
    }
    try intake.history.journal.begin()
    try intake.quarantine.begin()
    try opening.unlessDamaged { () throws(CollectorError) in
      try intake.carryOut(steps, time: intake.history.nextTime)
    }
    return intake
  }

  private init(
    history: consuming AcceptedHistory, quarantine: consuming Quarantine,
    corrections: CorrectionLedger, sources: SourceTable, rules: EventRules, recordBytesMax: Int,
    retention: Duration?
  ) {
    forgottenAt = history.journal.lastTime.hour
    self.history = history
    self.quarantine = quarantine
    self.corrections = corrections
    self.sources = sources
    self.rules = rules
    self.recordBytesMax = recordBytesMax
    self.retention = retention
  }

  var tail: LogTail { history.journal.tail }
  var tornBytes: Int { history.journal.tornBytes }
  var journalID: LogID { history.journal.id }
  var lastTime: Instant { history.journal.lastTime }
  var journalBytes: UInt64 { history.journal.byteCount }
  var dedupEntries: Int { history.index.count }
  var syncs: UInt64 { history.journal.syncs + quarantine.syncs }

  /// Makes room for all that taking `batches` and so many heartbeats may need, and for a tick or a mark. Where there
  /// is no space, nothing has changed. What is refused gets its room when it is kept.
  mutating func reserve(
    for batches: some Sequence<EventBatch>, heartbeats: Int = 0
  ) throws(ReserveError) {
    var bytes = 2 * Record.frameBytes + heartbeats * Record.heartbeatBytesMax
    for batch in batches { bytes += journalBytesMax(batch) }
    try history.journal.reserve(bytes)
    try quarantine.reserve()
  }

  /// What the records of one batch take at most.
  private func journalBytesMax(_ batch: EventBatch) -> Int {
    guard !batch.isEmpty else { return 0 }
    let head = Record.frameBytes + EventBatch.journalHeadBytes + batch.source.utf8.count
    // A series in its canonical form is as long.
    let series = batch.series.map { $0.journalByteCount }
    let events = batch.ids.count + batch.count * EventBatch.journalColumnBytes
    let all = series.reduce(0, +)
    // Each event brings its series again at worst.
    let most = batch.seriesIndex.reduce(events) { $0 + head + series[Int($1)] }
    guard all < recordBytesMax else { return most }
    // A record is full with fewer events the more of it are series, of which it has each once at most.
    let records = 1 + events / (recordBytesMax - all)
    return min(most, events + records * (head + all))
  }

  /// A clock outside the years that usage may lie in is held at their edge, so that no sum overflows.
  static func plausible(_ clock: Instant) -> Instant {
    let years = Instant.accepted
    return min(max(clock, years.lowerBound), years.upperBound.advanced(by: .nanoseconds(-1)))
  }

  /// Records that an hour has ended without an event after it, so that its window can close.
  mutating func tick(clock: Instant) throws(CollectorError) {
    let clock = Intake.plausible(clock)
    guard clock.hour > lastTime.hour else { return }
    try enter(clock)
    history.append(time: clock) { position, time in
      Record(kind: .tick, count: 0, firstPosition: position, firstTime: time, payload: [])
    }
  }

  /// Once in an hour, before its first record: forgets what is past the lateness limit, and refuses what still waits
  /// for it.
  mutating func enter(_ time: Instant) throws(CollectorError) {
    guard time.hour > forgottenAt else { return }
    forgottenAt = time.hour
    let limit = rules.oldestStart(now: time)
    try carryOut(corrections.expire(before: limit), time: time)
    history.index.forget(before: limit)
  }

  var journalSeal: SegmentSeal? { history.journal.nextToSeal }
  mutating func didSealJournal(_ outcome: SegmentSeal.Outcome) {
    history.journal.didSeal(outcome)
  }

  /// The journal's segments past the retention, all of which is applied. Its age counts back from the journal's
  /// own last time, not from a clock that may be wrong.
  mutating func removeOldSegments(applied: UInt64) -> SegmentRemoval? {
    guard let retention else { return nil }
    return history.journal.removeSegments(
      before: applied, lastReportedBefore: lastTime.advanced(by: .zero - retention))
  }

  /// Says in both logs, where the last commit has nothing behind it, that it was durable. For when nothing waits.
  mutating func mark() {
    quarantine.mark()
    history.journal.appendMark()
  }

  /// Returns once everything taken is durable. After an error the process must stop.
  ///
  /// What was refused is in the quarantine before the journal says that it is; an entry of the quarantine is closed
  /// only once its event is in the journal.
  mutating func commit() throws(DiskError) {
    try quarantine.commit()
    try history.journal.commit()
    try quarantine.commitResolutions()
    history.index.committed(nextPosition: history.journal.nextPosition, lastTime: lastTime)
  }

  /// Work on the index that may be done on another thread, one at a time; asked for after `commit`.
  mutating func nextDedupJob() -> DedupJob? {
    let (corrections, sources, id) = (corrections, sources, journalID)
    return history.index.nextJob { IntakeOpening.context(corrections, sources, id) }
  }

  /// So much waits for these jobs that nothing more should be taken.
  var isDedupBehind: Bool { history.index.isBehind }

  mutating func finish(_ done: DedupJob.Done) { history.index.finish(done) }
}
