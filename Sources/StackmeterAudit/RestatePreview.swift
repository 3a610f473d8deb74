package import StackmeterCore
package import StackmeterJournal
internal import StackmeterStore

/// What would change if a meter were counted in another way.
package struct RestatedMeter: Hashable, Sendable {
  package let meter: String
  package let from: Aggregation
  package let to: Aggregation
  /// How many series, and usage hours of these, would have another quantity.
  package var series = 0
  package var hours = 0
  /// How many usage hours were looked at.
  package var hoursLookedAt = 0
  /// The totals over all of these, in attos; nil where they are too large for 128 bits.
  package var before: Int128? = 0
  package var after: Int128? = 0
}

/// Counts what the journal still has of some meters in two ways: as they are counted, and as they would be. Changes
/// nothing.
package struct RestatePreview {
  private let sampleHours: Int64
  private var meters: [ExactText: RestatedMeter]
  private var series = AuditedSeries(seriesMax: SeriesNumbers.seriesMax)
  private var meterOfSeries: [Int64: ExactText] = [:]
  private var changedSeries: Set<Int64> = []
  private var parts = Samples()
  private var wholes = Samples()
  private var window = Hour(index: 0)

  /// `changes` says which meters, as the catalog spells them, and how they are and would be counted.
  package init(
    _ changes: [(meter: String, from: Aggregation, to: Aggregation)], latenessLimitDays: Int
  ) {
    sampleHours = 2 * (Int64(latenessLimitDays) * 24 + 48)
    meters = [:]
    for change in changes {
      meters[ExactText(change.meter)] = RestatedMeter(
        meter: change.meter, from: change.from, to: change.to)
    }
  }

  /// Reads the journal from its first position up to `end`.
  package mutating func run(
    disk: any Disk, journalDirectory: String, upTo end: UInt64,
    progress: (_ position: UInt64, _ end: UInt64) -> Void = { _, _ in }
  ) throws(AuditError) -> [RestatedMeter] {
    let first = try journal { () throws(RecordLogError) in
      try LogTail.firstPosition(disk, journalDirectory)
    }
    guard let first else { throw .noJournal(journalDirectory) }
    var walk = JournalWalk(disk: disk, directory: journalDirectory, from: first)
    let tail = try walk.tail()
    while let record = try walk.peek(tail), record.firstPosition < end {
      enter(record.firstTime.hour)
      switch record.kind {
      case .batch: try take(batch: record, upTo: end)
      case .correction: try take(correction: record)
      case .tick, .refusal, .mark, .parked, .unparked, .heartbeat, .resolution: break
      }
      walk.pass()
      progress(record.nextPosition, end)
    }
    finish(before: .max)
    return meters.values.sorted { $0.meter < $1.meter }
  }

  private mutating func enter(_ hour: Hour) {
    guard hour > window else { return }
    window = hour
    finish(before: hour.index - sampleHours)
  }

  private mutating func take(batch record: Record, upTo end: UInt64) throws(AuditError) {
    guard let batch = record.countedEvents else {
      throw .undecodable(position: record.firstPosition)
    }
    let isWanted = batch.series.map { meters[ExactText($0.meter)] != nil }
    for place in 0..<batch.count
    where isWanted[Int(batch.seriesIndex[place])] && record.firstPosition + UInt64(place) < end {
      add(batch.event(place), record.firstPosition + UInt64(place))
    }
  }

  private mutating func take(correction record: Record) throws(AuditError) {
    guard let correction = record.appliedCorrection,
      let target = correction.event.targetIdentity, let kind = correction.event.correction?.kind
    else { throw .undecodable(position: record.firstPosition) }
    let old = correction.deltas.event(0)
    if let number = number(old.series) {
      for hour in UsageParts.hours(old.usageStart.nanoseconds, old.usageEnd.nanoseconds) {
        let key = SeriesAndHour(series: number, hour: hour)
        parts.remove(key, target)
        wholes.remove(key, target)
      }
    }
    if kind == .replaces { add(correction.event, record.firstPosition) }
  }

  private mutating func add(_ event: UsageEvent, _ position: UInt64) {
    guard let number = number(event.series) else { return }
    let (start, end) = (event.usageStart.nanoseconds, event.usageEnd.nanoseconds)
    for part in UsageParts.parts(event.quantity.attos, start, end) {
      let key = SeriesAndHour(series: number, hour: part.hour)
      parts.add(
        key, event.identity, start: start, end: end, position: position, attos: part.attos)
      wholes.add(
        key, event.identity, start: start, end: end, position: position,
        attos: event.quantity.attos)
    }
  }

  /// Nil for a series of another meter.
  private mutating func number(_ series: Series) -> Int64? {
    let meter = ExactText(series.meter)
    guard meters[meter] != nil,
      let (number, isNew) = self.series.number(series, firstPosition: 0)
    else { return nil }
    if isNew { meterOfSeries[number] = meter }
    return number
  }

  /// Compares usage hours that nobody can correct any more, and forgets them.
  private mutating func finish(before hour: Int64) {
    for key in wholes.keys(before: hour) {
      guard let name = meterOfSeries[key.series], var meter = meters[name] else { continue }
      let (before, after) = (level(key, meter.from), level(key, meter.to))
      meter.hoursLookedAt += 1
      meter.before = RestatePreview.sum(meter.before, before)
      meter.after = RestatePreview.sum(meter.after, after)
      if before != after {
        meter.hours += 1
        if changedSeries.insert(key.series).inserted { meter.series += 1 }
      }
      meters[name] = meter
    }
    parts.forget(before: hour)
    wholes.forget(before: hour)
  }

  private func level(_ key: SeriesAndHour, _ kind: Aggregation) -> Int128 {
    kind == .sum ? parts.level(key, kind) : wholes.level(key, kind)
  }

  private static func sum(_ total: Int128?, _ part: Int128) -> Int128? {
    guard let total else { return nil }
    let (sum, overflow) = total.addingReportingOverflow(part)
    return overflow ? nil : sum
  }
}
