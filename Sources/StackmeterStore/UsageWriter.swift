package import StackmeterCore

/// Counts changes into a usage database: the rules that every store shares.
///
/// An aggregate holds how much the level of its series and usage hour has grown in its window, where the level is
/// what the meter's aggregation makes of all events that count. There is a row exactly where an event or a correction
/// touched that key in that window. So rows do not depend on where transactions ended.
package final class UsageWriter {
  /// How changes are counted.
  package enum Mode: Sendable {
    /// Throws `overflow` where some quantity cannot be held: count its events one by one instead.
    case bulk
    /// What cannot be held is kept aside.
    case single
  }

  /// How much longer samples are kept than corrections may come.
  private static let sampleMarginHours: Int64 = 48

  let store: any UsageStore
  private let sampleHours: Int64
  /// The meters that have a rule; nil where they must be read.
  private var knownRules: Set<ExactText>?

  /// `latenessLimitDays` is how old the usage may be that is still reported or corrected.
  package init(store: any UsageStore, latenessLimitDays: Int) throws(StoreError) {
    self.store = store
    sampleHours = UsageWriter.sampleHours(latenessLimitDays: latenessLimitDays)
    knownRules = nil
  }

  /// For how long the samples of a usage hour are kept.
  package static func sampleHours(latenessLimitDays: Int) -> Int64 {
    Int64(latenessLimitDays) * 24 + sampleMarginHours
  }

  /// The meters that have a rule.
  private func meters() throws(StoreError) -> Set<ExactText> {
    if let knownRules { return knownRules }
    return Set(try store.rules().map { ExactText($0.meter) })
  }

  package func begin() throws(StoreError) {
    try store.begin()
  }

  package func rollback() {
    store.rollback()
    // Rules of this transaction are gone with it.
    knownRules = nil
  }

  /// Moves the position with all that was counted, and ends the transaction.
  package func commit(_ position: PipelinePosition) throws(StoreError) {
    var position = position
    position.samplesFrom = samplesFrom(in: position.openWindow, position)
    try store.commit(position)
  }

  /// Numbers series, and notes how each new meter is counted. Nil where the subscription has no number left.
  package func intern(
    _ series: [NewSeries], aggregation: (Series) -> Aggregation
  ) throws(StoreError) -> [Int64?] {
    var known = try meters()
    var rules: [MeterRule] = []
    for new in series where known.insert(ExactText(new.series.meter)).inserted {
      rules.append(
        MeterRule(
          meter: new.series.meter, fromPosition: new.firstPosition,
          aggregation: aggregation(new.series)))
    }
    knownRules = known
    try store.put(rules: rules)
    return try store.intern(series)
  }

  /// Writes what has become of declared sources.
  package func put(sources: [ReportingSource], removing names: [String]) throws(StoreError) {
    guard !sources.isEmpty || !names.isEmpty else { return }
    try store.put(sources: sources, removing: names)
  }

  /// The first usage hour whose samples are complete for the events of a window.
  func samplesFrom(in window: Hour, _ position: PipelinePosition) -> Hour {
    max(position.samplesFrom, Hour(index: window.index - sampleHours))
  }

  /// Counts changes of windows in their order, and closes those that are over. `position` is the last committed one,
  /// `unnumbered` is kept aside. Returns how much had to be kept aside.
  package func count(
    _ changes: [WindowChange], unnumbered: [UnappliedQuantity] = [],
    from position: PipelinePosition, in journalID: UInt64, _ mode: Mode
  ) throws(StoreError) -> Int {
    var aside = unnumbered
    for change in changes {
      var rows = RowDeltas()
      for delta in change.sums { rows.add(delta) }
      let complete = samplesFrom(in: change.window, position)
      try count(change, completeFrom: complete, mode, &rows, &aside)
      try write(rows, change.window, mode, &aside)
      if let end = change.endPosition {
        try store.close(
          change.window, endPosition: end, journalID: journalID, missing: change.missing)
      }
    }
    try store.keepAside(aside)
    return aside.count
  }

  /// Adds what aggregates of one window grow by.
  func write(
    _ rows: RowDeltas, _ window: Hour, _ mode: Mode, _ aside: inout [UnappliedQuantity]
  ) throws(StoreError) {
    let deltas = rows.sorted
    guard !deltas.isEmpty else { return }
    let stored = try store.aggregates(of: window, deltas.map(\.key))
    var totals: [(key: SeriesHour, quantity: Quantity)] = []
    totals.reserveCapacity(deltas.count)
    for (delta, held) in zip(deltas, stored) {
      let held = held ?? .zero
      if held.canTake(delta.least), held.canTake(delta.greatest),
        let total = Quantity(attos: held.attos + delta.sum)
      {
        totals.append((delta.key, total))
        continue
      }
      totals.append((delta.key, held))
      for part in try UsageWriter.parts(delta.sum, mode) {
        aside.append(
          UnappliedQuantity(
            window: window, series: delta.key.series, usageHour: delta.key.usageHour,
            quantity: part, position: delta.position, reason: "the aggregate would be too large"))
      }
    }
    try store.put(aggregates: totals, of: window)
  }
}

extension UsageWriter {
  /// Counts samples that come and go: what they change of the level of each key that they touch.
  private func count(
    _ change: WindowChange, completeFrom: Hour, _ mode: Mode, _ rows: inout RowDeltas,
    _ aside: inout [UnappliedQuantity]
  ) throws(StoreError) {
    guard !change.samples.isEmpty else { return }
    var net = NetSamples()
    for change in change.samples where change.sample.key.usageHour >= completeFrom {
      net.add(change)
    }
    func setAside(_ sample: UsageSample, _ isRemoval: Bool, _ reason: String) {
      aside.append(
        UnappliedQuantity(
          window: change.window, series: sample.key.series, usageHour: sample.key.usageHour,
          quantity: isRemoval ? sample.quantity.negated : sample.quantity,
          position: sample.position, reason: reason))
    }
    for change in change.samples {
      rows.touch(change.sample.key, change.sample.position)
      if change.sample.key.usageHour < completeFrom {
        setAside(
          change.sample, change.isRemoval, "the samples of this usage hour are no longer kept")
      }
    }
    let before = try levels(net)
    let removed = try store.remove(samples: net.removed)
    for (sample, wasThere) in zip(net.removed, removed) where !wasThere {
      setAside(sample, true, "the event that is corrected has no sample")
    }
    try store.insert(samples: net.inserted)
    let after = try levels(net)
    for (key, level) in after {
      let delta = level - before[key, default: 0]
      guard Quantity(attos: delta) == nil else {
        rows.grow(key, by: delta)
        continue
      }
      for part in try UsageWriter.parts(delta, mode) {
        aside.append(
          UnappliedQuantity(
            window: change.window, series: key.series, usageHour: key.usageHour, quantity: part,
            position: net.position(of: key), reason: "the aggregate would be too large"))
      }
    }
  }

  /// What is kept aside for one event or correction, which changes an aggregate by twice what a quantity holds at most:
  /// in two parts where one cannot hold it.
  fileprivate static func parts(_ attos: Int128, _ mode: Mode) throws(StoreError) -> [Quantity] {
    guard case .single = mode else {
      throw StoreError(.overflow, "a quantity is too large to aggregate")
    }
    if let whole = Quantity(attos: attos) { return [whole] }
    guard let half = Quantity(attos: attos / 2), let rest = Quantity(attos: attos - attos / 2)
    else { throw StoreError(.overflow, "a quantity is too large to aggregate") }
    return [half, rest]
  }

  /// The level of each key as the samples in the database have it; of a unique count, as far as the values that come
  /// and go are in it.
  private func levels(_ net: NetSamples) throws(StoreError) -> [SeriesHour: Int128] {
    var levels: [SeriesHour: Int128] = [:]
    for kind in [Aggregation.max, .latest] {
      let keys = net.keys(of: kind)
      guard !keys.isEmpty else { continue }
      for (key, greatest) in zip(keys, try store.greatestSamples(keys, of: kind)) {
        levels[key] = greatest?.attos ?? 0
      }
    }
    let values = net.uniqueValues
    guard !values.isEmpty else { return levels }
    for (value, isThere) in zip(values, try store.hasSamples(values)) {
      levels[value.key, default: 0] += isThere ? Quantity.attosPerUnit : 0
    }
    return levels
  }
}

extension Quantity {
  /// Whether this and so many attos more is a quantity.
  fileprivate func canTake(_ attos: Int128) -> Bool {
    let (sum, overflow) = self.attos.addingReportingOverflow(attos)
    return !overflow && Quantity(attos: sum) != nil
  }
}

/// What the aggregates of one window grow by, each key once.
struct RowDeltas {
  private var sums: [SumDelta] = []
  private var touched: [SeriesHour: (delta: Int128, position: UInt64)] = [:]

  /// A key of a sum comes once, and never as a sample.
  mutating func add(_ delta: SumDelta) {
    sums.append(delta)
  }

  mutating func touch(_ key: SeriesHour, _ position: UInt64) {
    touched[key, default: (0, position)].position = position
  }

  mutating func grow(_ key: SeriesHour, by delta: Int128) {
    touched[key]?.delta = delta
  }

  var sorted: [SumDelta] {
    guard !touched.isEmpty else { return sums }
    let samples = touched.map { key, value in
      SumDelta(
        key: key, sum: value.delta, least: min(0, value.delta), greatest: max(0, value.delta),
        position: value.position)
    }
    return (sums + samples).sorted { $0.key < $1.key }
  }
}

/// What comes and goes in the end: a sample that does both is neither.
private struct NetSamples {
  private struct Identity: Hashable {
    let key: SeriesHour
    let event: SampleID
  }

  private var insertedByIdentity: [Identity: UsageSample] = [:]
  private(set) var removed: [UsageSample] = []
  private var kinds: [SeriesHour: Aggregation] = [:]
  private var positions: [SeriesHour: UInt64] = [:]

  mutating func add(_ change: SampleChange) {
    let sample = change.sample
    let identity = Identity(key: sample.key, event: sample.event)
    kinds[sample.key] = sample.kind
    positions[sample.key] = sample.position
    if !change.isRemoval {
      insertedByIdentity[identity] = sample
    } else if insertedByIdentity.removeValue(forKey: identity) == nil {
      removed.append(sample)
    }
  }

  var inserted: [UsageSample] { insertedByIdentity.values.sorted { $0.precedes($1) } }

  func keys(of kind: Aggregation) -> [SeriesHour] {
    kinds.filter { $0.value == kind }.keys.sorted()
  }

  func position(of key: SeriesHour) -> UInt64 { positions[key] ?? 0 }

  /// The values of unique counts that come or go.
  var uniqueValues: [SampleValue] {
    var values: Set<SampleValue> = []
    for sample in removed where sample.kind == .uniqueCount {
      values.insert(SampleValue(key: sample.key, quantity: sample.quantity))
    }
    for sample in insertedByIdentity.values where sample.kind == .uniqueCount {
      values.insert(SampleValue(key: sample.key, quantity: sample.quantity))
    }
    return values.sorted()
  }
}

extension UsageSample {
  /// The order of the tables of samples.
  fileprivate func precedes(_ other: UsageSample) -> Bool {
    key != other.key
      ? (key.usageHour.index, key.series) < (other.key.usageHour.index, other.key.series)
      : position < other.position
  }
}
