internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore
internal import StackmeterWire

/// Counts the journal into a usage database: deltas and position in one transaction.
///
/// Not safe for threads: its owner calls it from one task at a time.
final class JournalCounter {
  /// What one transaction has done.
  struct Commit {
    let position: PipelinePosition
    /// The collector's.
    let durablePosition: UInt64
    let events: UInt64
    /// How many quantities were kept aside.
    let aside: Int
  }

  /// Aggregates and samples that one transaction touches, so that no report makes it grow without bound.
  private static let changesMax = 200_000
  /// Rows that one step of the maintenance removes at most of each kind.
  static let removedPerStep = 5_000
  /// How often what was interrupted is begun anew before its caller hears of it.
  private static let attemptsMax = 5
  /// Series that are remembered between commits.
  private static let knownSeriesMax = 2_000_000

  private let store: any UsageStore
  private let writer: UsageWriter
  /// How each meter is counted, by its id.
  private let aggregations: [ExactText: Aggregation]
  private(set) var position: PipelinePosition
  /// As of the position.
  private(set) var sources: SourceTable
  /// The last transaction may be committed or not: the database knows.
  private var isPositionUnknown = false
  private var series = SeriesIndex(seed: .random(in: .min ... .max))
  /// A sentence for each meter that the catalog would have counted in another way.
  let conflicts: [String]

  /// Takes over the usage database, and puts the catalog into it. A meter that has usage is counted as before,
  /// whatever the catalog says now; `earlierRules` say so in place of rules that the database does not have yet.
  init(
    store: any UsageStore, catalog: MeterCatalog, earlierRules: [MeterRule] = [],
    latenessLimitDays: Int
  ) throws(StoreError) {
    try store.replaceCatalog(catalog)
    let rules = earlierRules + (try store.rules())
    var aggregations: [ExactText: Aggregation] = [:]
    for meter in catalog.meters { aggregations[ExactText(meter.id)] = meter.aggregation }
    for rule in rules { aggregations[ExactText(rule.meter)] = rule.aggregation }
    self.aggregations = aggregations
    position = try store.position()
    sources = SourceTable(try store.sources())
    writer = try UsageWriter(store: store, latenessLimitDays: latenessLimitDays)
    self.store = store
    conflicts = JournalCounter.conflicts(catalog, rules)
  }

  /// A sentence for each meter that the catalog would have counted in another way.
  private static func conflicts(_ catalog: MeterCatalog, _ rules: [MeterRule]) -> [String] {
    var inForce: [ExactText: MeterRule] = [:]
    for rule in rules { inForce[ExactText(rule.meter)] = rule }
    return catalog.meters.compactMap { meter in
      guard let rule = inForce[ExactText(meter.id)], rule.aggregation != meter.aggregation else {
        return nil
      }
      return "meter \(meter.id) is counted as \(rule.aggregation.rawValue) since journal position "
        + "\(rule.fromPosition), but the catalog says \(meter.aggregation.rawValue): "
        + "stackmeter restate --dry-run shows what that would change; set the catalog back"
    }
  }

  /// Makes the directory of subscriptions in the database equal to this one.
  func replace(_ directory: SubscriptionDirectory) throws(StoreError) {
    try store.replaceDirectory(directory)
  }

  /// Ends the use of the usage database. Nothing may be called afterwards.
  func close() {
    store.close()
  }

  /// Removes one step of what need not be kept; whether nothing is left to remove.
  func maintain(retentionMonths: Int) throws(StoreError) -> Bool {
    if let first = Retention.firstWindow(openWindow: position.openWindow, months: retentionMonths),
      first > position.retainedFrom
    {
      try store.retain(from: first)
      position = try store.position()
    }
    let samples = try store.removeSamples(limit: JournalCounter.removedPerStep)
    let aggregates = try store.removeAggregates(limit: JournalCounter.removedPerStep)
    return samples < JournalCounter.removedPerStep && aggregates < JournalCounter.removedPerStep
  }

  /// Applies whole chunks, in one transaction unless they touch very many aggregates, and tells of each. After an
  /// error, nothing after the last commit is applied.
  func apply(_ chunks: [JournalChunk], committed: (Commit) -> Void = { _ in }) throws {
    var attempts = 1
    while true {
      do {
        try applyOnce(chunks, committed)
        return
      } catch let error as StoreError
        where error.kind == .interrupted && attempts < JournalCounter.attemptsMax
      {
        attempts += 1
      }
    }
  }

  private func applyOnce(_ chunks: [JournalChunk], _ committed: (Commit) -> Void) throws {
    if isPositionUnknown {
      let (position, sources) = (try store.position(), SourceTable(try store.sources()))
      (self.position, self.sources) = (position, sources)
      isPositionUnknown = false
    }
    do {
      try apply(chunks, .bulk, committed)
    } catch let error as StoreError where error.kind == .overflow {
      // Some quantity cannot be held: which one it is shows when one event is counted after the other.
      try apply(chunks, .single, committed)
    }
  }

  private func apply(
    _ chunks: [JournalChunk], _ mode: UsageWriter.Mode, _ committed: (Commit) -> Void
  ) throws {
    if series.count >= JournalCounter.knownSeriesMax { forgetSeries() }
    var change = PendingChange(rollup: newRollup(from: position, sources))
    do {
      try writer.begin()
      for chunk in chunks {
        let journal = try change.rollup.enter(journal: chunk.journalID)
        for record in Record.all(in: chunk.records, of: journal) {
          while try !change.rollup.apply(
            record, &series, sizeMax: JournalCounter.changesMax,
            eventsMax: mode == .single ? 1 : .max)
          {
            try count(&change, mode)
            guard change.size >= JournalCounter.changesMax else { continue }
            committed(try commit(&change, durablePosition: chunk.durablePosition))
            try writer.begin()
          }
        }
        guard change.rollup.position.nextPosition >= chunk.nextPosition else {
          throw RollupError.undecodable(position: change.rollup.position.nextPosition)
        }
      }
      try count(&change, mode)
      committed(try commit(&change, durablePosition: chunks.last?.durablePosition ?? 0))
    } catch {
      writer.rollback()
      // Also what failed behind the commit counts as a failure of this.
      if let error = error as? StoreError, error.kind != .overflow { isPositionUnknown = true }
      // Numbers that were given in this transaction are gone with it.
      forgetSeries()
      throw error
    }
  }

  /// What one transaction has counted so far.
  private struct PendingChange {
    var rollup: Rollup
    var size = 0
    var events: UInt64 = 0
    var aside = 0
  }

  private func newRollup(from position: PipelinePosition, _ sources: SourceTable) -> Rollup {
    let aggregations = aggregations
    return Rollup(from: position, sources: sources) { aggregations[ExactText($0.meter)] ?? .sum }
  }

  private func forgetSeries() {
    series = SeriesIndex(seed: .random(in: .min ... .max))
  }

  /// Counts what the rollup has into the open transaction, and begins the next rollup where it ended.
  private func count(_ change: inout PendingChange, _ mode: UsageWriter.Mode) throws(StoreError) {
    let rollup = change.rollup
    let aggregations = aggregations
    let new = rollup.wanted.map { wanted in
      NewSeries(
        series.series(at: wanted.slot), firstWindow: wanted.firstWindow,
        firstPosition: wanted.firstPosition)
    }
    let numbers = try writer.intern(new) { aggregations[ExactText($0.meter)] ?? .sum }
    for (wanted, number) in zip(rollup.wanted, numbers) {
      // Where there is none, it is asked for again the next time.
      series.setNumber(number ?? SeriesIndex.unnumbered, of: wanted.slot)
    }
    var (changes, unnumbered) = rollup.changes(series)
    if !unnumbered.isEmpty, case .bulk = mode {
      throw StoreError(.overflow, "a subscription has more series than can be numbered")
    }
    // Where the window has ended, the next rollup begins in the one that is open now.
    if changes.last?.endPosition == nil, changes.last?.isEmpty == true { changes.removeLast() }
    let aside = try writer.count(
      changes, unnumbered: unnumbered, from: position, in: rollup.position.journalID, mode)
    try put(rollup.changedSources, of: rollup.sources)
    change.size += rollup.size
    change.events += rollup.events
    change.aside += aside
    change.rollup = newRollup(from: rollup.position, rollup.sources)
  }

  private func put(_ changed: Set<String>, of sources: SourceTable) throws(StoreError) {
    let names = changed.sorted()
    try writer.put(
      sources: names.compactMap { sources[$0] }, removing: names.filter { sources[$0] == nil })
  }

  private func commit(
    _ change: inout PendingChange, durablePosition: UInt64
  ) throws(StoreError) -> Commit {
    try writer.commit(change.rollup.position)
    position = try store.position()
    sources = change.rollup.sources
    let commit = Commit(
      position: position, durablePosition: durablePosition, events: change.events,
      aside: change.aside)
    change = PendingChange(rollup: newRollup(from: position, sources))
    return commit
  }
}
