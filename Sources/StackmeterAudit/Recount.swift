internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// One reporting window as the journal has it.
struct RecountedWindow {
  let window: Hour
  /// All positions before it count in this window or in an earlier one; nil while it is open.
  var endPosition: UInt64?
  var rows: [SeriesAndHour: Int128] = [:]
  /// The texts of the series that no earlier window has.
  var newSeries: [Int64: Series] = [:]
  /// Rows that this journal does not suffice for, or that are too large for 128 bits.
  var unknown: Set<SeriesAndHour> = []
  /// Rows of meters that are no sum.
  var sampled: Set<SeriesAndHour> = []
  /// Quantities whose subscription has no number left for their series.
  var unnumbered = 0
  /// Meters were restated in it, and in usage hours before this one the journal does not suffice to say what changed.
  var restatedUnknownBefore: Int64?
  /// The declared sources that were behind when it ended, by name; nil where the journal does not suffice for that.
  var missing: [String]?

  var isEmpty: Bool { rows.isEmpty }
}

/// Counts a journal anew, one record after the other and one window at a time: a second implementation of what the
/// aggregator does, as plain as it can be. What it keeps is the rows of one window, the numbers of the series, and of
/// meters that are no sum the events that may still be corrected.
struct Recount {
  private(set) var series: AuditedSeries
  private(set) var sources: AuditedSources
  /// The first rule of each meter, and what it is counted by.
  private var firstRules: [ExactText: MeterRule] = [:]
  private var inForce: [ExactText: Aggregation] = [:]
  /// Rules that are replaced further on, in order.
  private var switches: [RuleSwitch] = []
  private var knownSwitches: Set<RuleSwitch> = []
  private let restated: (RuleSwitch) throws(AuditError) -> RestatedUsage
  private let sampleHours: Int64
  /// Usage hours before it may have had samples that are no longer in the journal.
  private let samplesUnknownBefore: Int64

  private(set) var nextPosition: UInt64
  private(set) var events: UInt64 = 0
  private(set) var window: RecountedWindow
  private var samples = Samples()
  /// Of the keys of meters that are no sum that this window has touched: their meter, its kind, and their level before.
  private var touched: [SeriesAndHour: (meter: ExactText, kind: Aggregation, before: Int128)] = [:]
  /// Windows that are over, until they are taken away.
  private var finished: [RecountedWindow] = []
  /// Meters that the usage database has no rule of.
  private(set) var unruled: Set<ExactText> = []

  /// `restated` counts what a rule that replaces another one changes.
  init(
    from position: UInt64, in hour: Hour, rules: [MeterRule], series: AuditedSeries,
    sampleHours: Int64, samplesUnknownBefore: Int64,
    restated: @escaping (RuleSwitch) throws(AuditError) -> RestatedUsage
  ) {
    nextPosition = position
    self.series = series
    sources = AuditedSources(isWhole: position <= 1)
    self.sampleHours = sampleHours
    self.samplesUnknownBefore = samplesUnknownBefore
    self.restated = restated
    window = RecountedWindow(window: hour)
    adopt(rules)
    // What was replaced in front of the journal's beginning.
    for rule in switches where rule.position < position {
      inForce[ExactText(rule.meter)] = rule.to
    }
    switches.removeAll { $0.position < position }
  }

  /// Takes the rules as the usage database has them now, those among them that have come since.
  mutating func adopt(_ rules: [MeterRule]) {
    for rule in rules where rule.restatement == nil && firstRules[ExactText(rule.meter)] == nil {
      firstRules[ExactText(rule.meter)] = rule
      inForce[ExactText(rule.meter)] = rule.aggregation
    }
    for rule in RuleSwitch.all(rules) where knownSwitches.insert(rule).inserted {
      switches.append(rule)
    }
  }

  /// Counts a record as far as `end`. False where `end` lies inside of it.
  mutating func take(_ record: Record, upTo end: UInt64) throws(AuditError) -> Bool {
    guard record.firstPosition <= nextPosition else {
      throw .journalEnds(position: nextPosition, expected: record.firstPosition)
    }
    try enter(record.firstTime.hour)
    switch record.kind {
    case .batch:
      guard let batch = record.countedEvents else {
        throw .undecodable(position: record.firstPosition)
      }
      var isNamed = batch.series.map { kind($0.meter, at: record.nextPosition) != .sum }
      for place in 0..<batch.count {
        let position = record.firstPosition + UInt64(place)
        guard position >= nextPosition else { continue }
        guard position < end else { return false }
        try enter(record.firstTime.advanced(by: .nanoseconds(place)).hour)
        if try replaceRules() {
          isNamed = batch.series.map { kind($0.meter, at: record.nextPosition) != .sum }
        }
        let index = Int(batch.seriesIndex[place])
        let event = isNamed[index] ? batch.event(place).identity : nil
        count(
          batch.series[index], batch.usageStart[place], batch.usageEnd[place], batch.attos[place],
          event, position)
        nextPosition = position + 1
      }
    case .correction:
      try replaceRules()
      try count(correction: record)
    case .heartbeat: try sources.hear(record)
    case .tick, .refusal, .mark, .parked, .unparked, .resolution: break
    }
    nextPosition = max(nextPosition, record.nextPosition)
    return true
  }

  /// Begins the window `hour` where it is a later one.
  mutating func enter(_ hour: Hour) throws(AuditError) {
    guard hour > window.window else { return }
    try replaceRules(in: hour)
    begin(hour)
  }

  private mutating func begin(_ hour: Hour) {
    guard hour > window.window else { return }
    var over = current()
    over.endPosition = nextPosition
    over.missing = sources.isWhole ? sources.behind(window.window) : nil
    finished.append(over)
    window = RecountedWindow(window: hour)
    touched = [:]
    samples.forget(before: hour.index - sampleHours)
  }

  /// The windows that are over and were not taken away before, in order.
  mutating func takeFinished() -> [RecountedWindow] {
    defer { finished.removeAll() }
    return finished
  }

  /// The window that is open, as far as it was counted.
  func current() -> RecountedWindow {
    var window = window
    for (key, value) in touched {
      window.rows[key, default: 0] += samples.level(key, value.kind) - value.before
      window.sampled.insert(key)
    }
    if let unknownBefore = window.restatedUnknownBefore {
      window.unknown.formUnion(window.rows.keys.filter { $0.hour < unknownBefore })
    }
    return window
  }

  /// How a meter is counted now; it has its first rule in front of `position`.
  private mutating func kind(_ meter: String, at position: UInt64) -> Aggregation {
    let meter = ExactText(meter)
    guard let first = firstRules[meter], first.fromPosition <= position, let kind = inForce[meter]
    else {
      unruled.insert(meter)
      return .sum
    }
    return kind
  }
}

extension Recount {
  /// Replaces the rules that are replaced here; those of windows before `hour` only, where that begins. Whether there
  /// are any.
  @discardableResult
  mutating func replaceRules(in hour: Hour? = nil) throws(AuditError) -> Bool {
    var isAny = false
    while let rule = switches.first, rule.position <= nextPosition,
      hour.map({ rule.window < $0 }) ?? true
    {
      switches.removeFirst()
      begin(rule.window)
      try replace(rule)
      isAny = true
    }
    return isAny
  }

  private mutating func replace(_ rule: RuleSwitch) throws(AuditError) {
    let meter = ExactText(rule.meter)
    for (key, value) in touched where value.meter == meter {
      add(samples.level(key, value.kind) - value.before, key)
      window.sampled.insert(key)
      touched[key] = nil
    }
    let usage = try restated(rule)
    for difference in usage.differences {
      guard let number = series.find(difference.series)?.number else { continue }
      add(difference.attos, SeriesAndHour(series: number, hour: difference.hour))
    }
    if rule.fromHour.index < samplesUnknownBefore {
      window.restatedUnknownBefore = samplesUnknownBefore
    }
    inForce[meter] = rule.to
    // Of meters that were no sum, all events are known already.
    guard rule.from == .sum else { return }
    usage.forEachSample { texts, hour, events in
      guard let number = series.find(texts)?.number else { return }
      samples.put(SeriesAndHour(series: number, hour: hour), events)
    }
  }
}

extension Recount {
  /// Counts one event. `event` is its identity where its meter is no sum.
  private mutating func count(
    _ series: Series, _ start: Int64, _ end: Int64, _ attos: Int128, _ event: EventIdentity?,
    _ position: UInt64
  ) {
    events += 1
    guard let number = number(series, position) else { return }
    guard let event else {
      for part in UsageParts.parts(attos, start, end) {
        add(part.attos, SeriesAndHour(series: number, hour: part.hour))
      }
      return
    }
    for hour in UsageParts.hours(start, end) {
      let key = SeriesAndHour(series: number, hour: hour)
      touch(key, series.meter, kind(series.meter, at: position))
      samples.add(key, event, start: start, end: end, position: position, attos: attos)
    }
  }

  /// What is corrected counts no more, and what stands in its place counts.
  private mutating func count(correction record: Record) throws(AuditError) {
    let position = record.firstPosition
    guard let correction = record.appliedCorrection,
      let target = correction.event.targetIdentity, let kind = correction.event.correction?.kind
    else { throw .undecodable(position: position) }
    let deltas = correction.deltas
    events += UInt64(deltas.count)
    for place in 0..<deltas.count {
      let series = deltas.series[Int(deltas.seriesIndex[place])]
      let (start, end) = (deltas.usageStart[place], deltas.usageEnd[place])
      guard let number = number(series, position) else { continue }
      let aggregation = self.kind(series.meter, at: position)
      guard aggregation != .sum else {
        for part in UsageParts.parts(deltas.attos[place], start, end) {
          add(part.attos, SeriesAndHour(series: number, hour: part.hour))
        }
        continue
      }
      for hour in UsageParts.hours(start, end) {
        let key = SeriesAndHour(series: number, hour: hour)
        touch(key, series.meter, aggregation)
        if place == 0 { samples.remove(key, target) }
        // The last delta of a replacement is of the same usage as the replacement.
        if kind == .replaces && place == deltas.count - 1 {
          samples.add(
            key, correction.event.identity, start: start, end: end, position: position,
            attos: correction.event.quantity.attos)
        }
      }
    }
  }

  private mutating func number(_ series: Series, _ position: UInt64) -> Int64? {
    guard let (number, isNew) = self.series.number(series, firstPosition: position) else {
      window.unnumbered += 1
      return nil
    }
    if isNew { window.newSeries[number] = series }
    return number
  }

  private mutating func add(_ attos: Int128, _ key: SeriesAndHour) {
    let (sum, overflow) = window.rows[key, default: 0].addingReportingOverflow(attos)
    window.rows[key] = overflow ? 0 : sum
    if overflow { window.unknown.insert(key) }
  }

  private mutating func touch(_ key: SeriesAndHour, _ meter: String, _ kind: Aggregation) {
    if key.hour < samplesUnknownBefore { window.unknown.insert(key) }
    guard touched[key] == nil else { return }
    touched[key] = (ExactText(meter), kind, samples.level(key, kind))
  }
}
