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
  /// The index was rid of what is older than this hour allows.
  private var forgottenAt: Hour
  /// A larger batch becomes several records, each of which fits a message of `ReadJournal` many times.
  private let recordBytesMax: Int
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

  /// Opens both logs and fills the index from the journal.
  init(
    disk: any Disk, configuration: CollectorConfiguration, catalog: MeterCatalog,
    secrets: Secrets, segmentBytesMax: Int = RecordLog.segmentBytesMax,
    recordBytesMax: Int = Intake.recordBytesMax
  ) throws(RecordLogError) {
    let rules = EventRules(catalog: catalog, latenessLimit: configuration.latenessLimit)
    var index = DedupIndex(key: secrets.dedupKey)
    var undecodable: UInt64?
    let journal = try RecordLog(
      disk: disk, directory: configuration.journalDirectory, newID: secrets.newJournal,
      // An event may be reported up to `futureMax` before its usage ends. What is accepted from now on is
      // reported after the last record, so the limit counts from there, not from a clock that may be wrong.
      replayWithin: configuration.latenessLimit + EventLimits.futureMax,
      segmentBytesMax: segmentBytesMax
    ) { record in
      guard record.kind == .batch else { return }
      guard let batch = EventBatch(journalPayload: record.payload), batch.count == record.count
      else {
        undecodable = undecodable ?? record.firstPosition
        return
      }
      let digests = batch.series.map { index.digest($0) }
      for event in 0..<batch.count {
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
      disk: disk, directory: configuration.quarantineDirectory, newID: secrets.newQuarantine,
      replayWithin: .zero, segmentBytesMax: segmentBytesMax
    ) { _ in }
    index.forget(before: rules.oldestStart(now: journal.lastTime))
    forgottenAt = journal.lastTime.hour
    self.rules = rules
    self.journal = journal
    self.quarantine = quarantine
    self.index = index
    quarantineBytesMax = configuration.quarantineBytesMax
    self.recordBytesMax = recordBytesMax
  }

  var tail: LogTail { journal.tail }
  var tornBytes: Int { journal.tornBytes }
  var journalID: LogID { journal.id }
  var lastTime: Instant { journal.lastTime }
  var journalBytes: UInt64 { journal.byteCount }
  var dedupEntries: Int { index.count }
  var quarantineTail: LogTail { quarantine.tail }
  var quarantineBytes: UInt64 { quarantine.byteCount }

  /// The result of every event of the batch, in order, true once `commit` has returned.
  mutating func take(_ batch: EventBatch, clock: Instant) -> [EventResult] {
    // Never before what was reported already, whatever the clock does.
    var time = max(nextTime, Intake.plausible(clock))
    let sourceProblem = rules.problem(source: batch.source)
    let verdicts = batch.series.map { rules.verdict($0) }
    var digests: [UInt64?] = Array(repeating: nil, count: verdicts.count)
    var accepted = EventBatch(source: batch.source)
    var acceptedSeries: [UInt32?] = Array(repeating: nil, count: verdicts.count)
    var acceptedBytes = 0
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
        } else if let correction = batch.correction(event) {
          refused = .quarantined(
            Refusal(
              .unknownTarget, field: correction.kind.field,
              "names an event, but this collector takes no corrections"))
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
              acceptedBytes += Intake.payloadBytes(series)
            }
            results.append(
              .accepted(
                position: position,
                reportedTime: time.advanced(by: .nanoseconds(accepted.count))))
            accepted.append(event, of: batch, seriesIndex: slot)
            acceptedBytes += batch.idRange(event).count + Intake.columnBytes
            if acceptedBytes >= recordBytesMax {
              write(accepted, time: time)
              time = nextTime
              accepted = EventBatch(source: batch.source)
              acceptedSeries = Array(repeating: nil, count: verdicts.count)
              acceptedBytes = 0
            }
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
    if !accepted.isEmpty { write(accepted, time: time) }
    return results
  }

  /// What an event takes in a record beside its id.
  private static let columnBytes = 40

  private static func payloadBytes(_ series: Series) -> Int {
    let resource = series.resource
    return [
      series.subscription, series.meter, resource.uri, resource.location, resource.tags,
      resource.additionalInfo,
    ].reduce(0) { $0 + 2 + $1.utf8.count }
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

  /// Quarantines a refused event, or says in its result that there was no room.
  private mutating func keep(
    _ result: EventResult, _ batch: EventBatch, _ event: Int, time: Instant
  ) -> EventResult {
    guard let refusal = result.refusal else { return result }
    guard quarantine.byteCountWithPending < quarantineBytesMax else {
      let told = Refusal(
        refusal.reason, field: refusal.field,
        refusal.message + "; it was not kept, because the quarantine is full")
      return switch result {
      case .conflict(let position, _): .conflict(position: position, told)
      case .quarantined: .quarantined(told)
      default: .invalid(told)
      }
    }
    quarantine.append(
      Record(
        number: quarantine.nextPosition,
        time: max(quarantine.lastTime.advanced(by: .nanoseconds(1)), time), refusal: refusal,
        event: batch.quarantined(event)))
    return result
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

  /// Returns once everything taken is durable. After an error the process must stop.
  mutating func commit() throws(DiskError) {
    try quarantine.commit()
    try journal.commit()
  }
}
