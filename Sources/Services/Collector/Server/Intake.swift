internal import StackmeterCore
internal import StackmeterJournal

/// Decides what becomes of each event, and writes what was decided. One thread owns it; it knows no sockets.
///
/// `take` decides and gathers; nothing may be answered before `commit` has returned.
struct Intake: ~Copyable {
  private var journal: RecordLog
  private var quarantine: RecordLog
  private var index: DedupIndex
  private let rules: EventRules
  private let quarantineBytesMax: UInt64

  /// Opens both logs and fills the index from the journal.
  init(
    disk: any Disk, configuration: CollectorConfiguration, catalog: MeterCatalog, now: Instant,
    dedupKey: (UInt64, UInt64)
  ) throws(RecordLogError) {
    let rules = EventRules(catalog: catalog, latenessLimit: configuration.latenessLimit)
    let oldest = rules.oldestStart(now: now)
    var index = DedupIndex(key: dedupKey)
    var undecodable: UInt64?
    let journal = try RecordLog(
      disk: disk, directory: configuration.journalDirectory,
      // An event may be reported up to this long before its usage ends.
      replayFrom: oldest.advanced(by: .zero - EventLimits.futureMax)
    ) { record in
      guard record.kind == .batch else { return }
      guard let batch = EventBatch(journalPayload: record.payload) else {
        undecodable = undecodable ?? record.firstPosition
        return
      }
      let digests = batch.series.map { index.digest($0) }
      for event in 0..<batch.count where batch.usageStart[event] >= oldest.hour.start.nanoseconds {
        _ = index.insert(
          batch, event, seriesDigest: digests[Int(batch.seriesIndex[event])],
          position: record.firstPosition + UInt64(event))
      }
    }
    if let undecodable {
      throw .damaged(
        path: configuration.journalDirectory, offset: 0,
        problem: "the record at position \(undecodable) has a good checksum but no known form")
    }
    let quarantine = try RecordLog(
      disk: disk, directory: configuration.quarantineDirectory, replayFrom: now
    ) { _ in }
    self.rules = rules
    self.journal = journal
    self.quarantine = quarantine
    self.index = index
    quarantineBytesMax = configuration.quarantineBytesMax
  }

  var tail: LogTail { journal.tail }
  var lastTime: Instant { journal.lastTime }
  var journalBytes: UInt64 { journal.byteCount }
  var dedupEntries: Int { index.count }
  var quarantineTail: LogTail { quarantine.tail }
  var quarantineBytes: UInt64 { quarantine.byteCount }

  /// The result of every event of the batch, in order, true once `commit` has returned.
  mutating func take(_ batch: EventBatch, clock: Instant) -> [EventResult] {
    // Never before what was reported already, whatever the clock does.
    let time = max(journal.lastTime.advanced(by: .nanoseconds(1)), clock)
    let sourceProblem = rules.problem(source: batch.source)
    let verdicts = batch.series.map { rules.verdict($0) }
    var digests: [UInt64?] = Array(repeating: nil, count: verdicts.count)
    var accepted = EventBatch(source: batch.source)
    var acceptedSeries: [UInt32?] = Array(repeating: nil, count: verdicts.count)
    var results: [EventResult] = []
    results.reserveCapacity(batch.count)
    for event in 0..<batch.count {
      let seriesIndex = Int(batch.seriesIndex[event])
      let refused: EventResult
      switch verdicts[seriesIndex] {
      case _ where sourceProblem != nil:
        refused = .invalid(sourceProblem!)
      case .malformed(let refusal):
        refused = .invalid(refusal)
      case .unknownMeter(let refusal):
        refused = rules.problem(batch, event).map { .invalid($0) } ?? .quarantined(refusal)
      case .canonical(let series):
        if let problem = rules.problem(batch, event) {
          refused = .invalid(problem)
        } else if let refusal = rules.timing(batch, event, now: time) {
          refused = .quarantined(refusal)
        } else {
          let digest = digests[seriesIndex] ?? index.digest(series)
          digests[seriesIndex] = digest
          let position = journal.nextPosition + UInt64(accepted.count)
          switch index.insert(batch, event, seriesDigest: digest, position: position) {
          case .new:
            let slot = acceptedSeries[seriesIndex] ?? UInt32(accepted.series.count)
            if acceptedSeries[seriesIndex] == nil {
              acceptedSeries[seriesIndex] = slot
              accepted.series.append(series)
            }
            results.append(
              .accepted(
                position: position,
                reportedTime: time.advanced(by: .nanoseconds(accepted.count))))
            accepted.append(event, of: batch, seriesIndex: slot)
            continue
          case .duplicate(let first):
            results.append(.duplicate(position: first))
            continue
          case .conflict(let first):
            refused = .conflict(
              position: first,
              Refusal(
                .conflict, field: "id",
                "was accepted at position \(first) with other content; that event stands"))
          }
        }
      }
      results.append(keep(refused, batch, event, time: time))
    }
    if !accepted.isEmpty {
      journal.append(
        Record(
          kind: .batch, count: UInt32(accepted.count), firstPosition: journal.nextPosition,
          firstTime: time, payload: accepted.journalPayload()))
    }
    return results
  }

  /// Quarantines a refused event, or says in its result that there was no room.
  private mutating func keep(
    _ result: EventResult, _ batch: EventBatch, _ event: Int, time: Instant
  ) -> EventResult {
    guard let refusal = result.refusal else { return result }
    guard quarantine.byteCount < quarantineBytesMax else {
      let told = Refusal(
        refusal.reason, field: refusal.field,
        refusal.message + "; it was not kept, because the quarantine is full")
      return switch result {
      case .conflict(let position, _): .conflict(position: position, told)
      case .quarantined: .quarantined(told)
      default: .invalid(told)
      }
    }
    var single = EventBatch(
      source: String(batch.source.prefix(EventLimits.sourceBytesMax)),
      series: [batch.series[Int(batch.seriesIndex[event])]])
    single.append(event, of: batch, seriesIndex: 0)
    quarantine.append(
      Record(
        number: quarantine.nextPosition,
        time: max(quarantine.lastTime.advanced(by: .nanoseconds(1)), time), refusal: refusal,
        event: single))
    return result
  }

  /// Records that an hour has ended without an event after it, so that its window can close.
  mutating func tick(clock: Instant) {
    guard clock.hour > journal.lastTime.hour else { return }
    journal.append(
      Record(
        kind: .tick, count: 0, firstPosition: journal.nextPosition, firstTime: clock, payload: []))
    index.forget(before: rules.oldestStart(now: clock))
  }

  /// Returns once everything taken is durable. After an error the process must stop.
  mutating func commit() throws(DiskError) {
    try quarantine.commit()
    try journal.commit()
  }
}
