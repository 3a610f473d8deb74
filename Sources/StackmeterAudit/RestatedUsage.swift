internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// A meter whose rule is replaced at a place of the journal.
struct RuleSwitch: Hashable {
  let meter: String
  /// Of the new rule.
  let number: Int64
  let position: UInt64
  let window: Hour
  let fromHour: Hour
  let from: Aggregation
  let to: Aggregation

  /// What the rules of a usage database say, in order. Rules are by meter and number.
  static func all(_ rules: [MeterRule]) -> [RuleSwitch] {
    zip(rules, rules.dropFirst()).compactMap { before, rule in
      guard let restatement = rule.restatement, before.meter.hasSameBytes(as: rule.meter) else {
        return nil
      }
      return RuleSwitch(
        meter: rule.meter, number: rule.number, position: rule.fromPosition,
        window: restatement.window,
        fromHour: restatement.fromHour, from: before.aggregation, to: rule.aggregation)
    }.enumerated().sorted {
      ($0.element.position, $0.element.window.index, $0.offset)
        < ($1.element.position, $1.element.window.index, $1.offset)
    }.map(\.element)
  }
}

/// Counts what the journal has of one meter up to a position in two ways, in a walk of its own.
struct RestatedUsage {
  /// A series and a usage hour that the two ways make different.
  struct Difference {
    let series: Series
    let hour: Int64
    let attos: Int128
  }

  private let rule: RuleSwitch
  private let meter: ExactText
  private let sampleHours: Int64
  private var series = AuditedSeries(seriesMax: SeriesNumbers.seriesMax)
  private var textsOfSeries: [Int64: Series] = [:]
  private var parts = Samples()
  private var wholes = Samples()
  private var window = Hour(index: 0)
  private(set) var differences: [Difference] = []

  init(_ rule: RuleSwitch, sampleHours: Int64) {
    self.rule = rule
    self.sampleHours = sampleHours
    meter = ExactText(rule.meter)
  }

  /// Reads the journal from its first position up to where the rule is replaced.
  mutating func run(disk: any Disk, directory: String, from first: UInt64) throws(AuditError) {
    var walk = JournalWalk(disk: disk, directory: directory, from: first)
    let tail = try walk.tail()
    while let record = try walk.peek(tail), record.firstPosition < rule.position {
      enter(record.firstTime.hour)
      switch record.kind {
      case .batch: try take(batch: record)
      case .correction: try take(correction: record)
      case .tick, .refusal, .mark, .parked, .unparked, .heartbeat, .resolution: break
      }
      walk.pass()
    }
    compare(before: .max)
  }

  /// The events that may still be corrected, by series and usage hour.
  func forEachSample(_ body: (Series, Int64, [EventIdentity: Samples.Sample]) -> Void) {
    for (key, events) in wholes.all {
      if let series = textsOfSeries[key.series] { body(series, key.hour, events) }
    }
  }

  private mutating func enter(_ hour: Hour) {
    guard hour > window else { return }
    window = hour
    let first = hour.index - sampleHours
    compare(before: first)
    parts.forget(before: first)
    wholes.forget(before: first)
  }

  private mutating func take(batch record: Record) throws(AuditError) {
    guard let batch = record.countedEvents else {
      throw .undecodable(position: record.firstPosition)
    }
    let isWanted = batch.series.map { ExactText($0.meter) == meter }
    for place in 0..<batch.count where isWanted[Int(batch.seriesIndex[place])] {
      let position = record.firstPosition + UInt64(place)
      if position < rule.position { add(batch.event(place), position) }
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
    for part in UsageParts.parts(event.quantity.attos, start, end)
    where part.hour >= rule.fromHour.index {
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
    guard ExactText(series.meter) == meter,
      let (number, isNew) = self.series.number(series, firstPosition: 0)
    else { return nil }
    if isNew { textsOfSeries[number] = series }
    return number
  }

  private mutating func compare(before hour: Int64) {
    for key in wholes.keys(before: hour) {
      let difference = level(key, rule.to) - level(key, rule.from)
      guard difference != 0, let series = textsOfSeries[key.series] else { continue }
      differences.append(Difference(series: series, hour: key.hour, attos: difference))
    }
  }

  private func level(_ key: SeriesAndHour, _ kind: Aggregation) -> Int128 {
    kind == .sum ? parts.level(key, kind) : wholes.level(key, kind)
  }
}
