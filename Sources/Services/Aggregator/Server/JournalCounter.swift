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
  static let attemptsMax = 5
  /// Series that are remembered between commits.
  private static let knownSeriesMax = 2_000_000

  let store: any UsageStore
  let writer: UsageWriter
  let catalog: MeterCatalog
  let latenessLimitDays: Int
  let restateSource: RestateSource?
  /// What is to be restated on the way, in a database that is made anew.
  private(set) var due: [DueRestatement]
  /// How each meter is counted, by its id.
  private var aggregations: [ExactText: Aggregation]
  private(set) var position: PipelinePosition
  /// As of the position.
  private(set) var sources: SourceTable
  /// The last transaction may be committed or not: the database knows.
  private var isPositionUnknown = false
  private var series = SeriesIndex(seed: .random(in: .min ... .max))
  /// A sentence for each meter that the catalog would have counted in another way.
  private(set) var conflicts: [String]

  /// Takes over the usage database, and puts the catalog into it. A meter that has usage is counted as before,
  /// whatever the catalog says now; `earlierRules` say so in place of rules that the database does not have yet, and
  /// what they restated is restated from `restateSource` where the journal comes to it.
  init(
    store: any UsageStore, catalog: MeterCatalog, earlierRules: [MeterRule] = [],
    restateSource: RestateSource? = nil, latenessLimitDays: Int
  ) throws(StoreError) {
    try store.replaceCatalog(catalog)
    let rules = try store.rules()
    self.catalog = catalog
    self.latenessLimitDays = latenessLimitDays
    self.restateSource = restateSource
    due = DueRestatement.all(earlierRules, known: rules)
    let firstRules = earlierRules.filter { $0.restatement == nil }
    aggregations = JournalCounter.aggregations(catalog, firstRules + rules)
    position = try store.position()
    sources = SourceTable(try store.sources())
    writer = try UsageWriter(store: store, latenessLimitDays: latenessLimitDays)
    self.store = store
    conflicts = JournalCounter.conflicts(catalog, rules)
  }

  /// How each meter is counted: by its last rule, by the catalog where it has none.
  private static func aggregations(
    _ catalog: MeterCatalog, _ rules: [MeterRule]
  ) -> [ExactText: Aggregation] {
    var aggregations: [ExactText: Aggregation] = [:]
    for meter in catalog.meters { aggregations[ExactText(meter.id)] = meter.aggregation }
    for rule in rules { aggregations[ExactText(rule.meter)] = rule.aggregation }
    return aggregations
  }

  /// A sentence for each meter that the catalog would have counted in another way.
  private static func conflicts(_ catalog: MeterCatalog, _ rules: [MeterRule]) -> [String] {
    var positions: [ExactText: UInt64] = [:]
    for rule in rules { positions[ExactText(rule.meter)] = rule.fromPosition }
    return RuleChange.all(catalog, rules).map { change in
      "meter \(change.meter) is counted as \(change.from.rawValue) since journal position "
        + "\(positions[ExactText(change.meter)] ?? 0), but the catalog says \(change.to.rawValue): "
        + "stackmeter restate --dry-run shows what that would change, stackmeter restate makes it so"
    }
  }

  /// Counts by other rules from now on.
  func adopt(_ rules: [MeterRule]) throws(StoreError) {
    for rule in rules { aggregations[ExactText(rule.meter)] = rule.aggregation }
    conflicts = JournalCounter.conflicts(catalog, rules)
    // It knows how each of its series was counted.
    forgetSeries()
  }

  func removeFirstDue() {
    due.removeFirst()
  }

  /// Asks the database for the position where it may have moved unseen.
  func refreshPosition() throws(StoreError) {
    guard isPositionUnknown else { return }
    let (position, sources) = (try store.position(), SourceTable(try store.sources()))
    (self.position, self.sources) = (position, sources)
    isPositionUnknown = false
  }

  func forgetPosition() {
    isPositionUnknown = true
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
    try refreshPosition()
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
          try apply(record, &change, mode) { (change) throws(StoreError) in
            committed(try commit(&change, durablePosition: chunk.durablePosition))
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

  /// Applies one record, in several transactions where it touches very many aggregates, or where meters are restated in
  /// front of a part of it.
  private func apply(
    _ record: Record, _ change: inout PendingChange, _ mode: UsageWriter.Mode,
    commit: (inout PendingChange) throws(StoreError) -> Void
  ) throws {
    while true {
      if try due.first?.isDue(at: change.rollup.position, before: record) == true {
        try count(&change, mode)
        try commit(&change)
        try restateDue()
        change = PendingChange(rollup: newRollup(from: position, sources))
        try writer.begin()
        continue
      }
      let isApplied = try change.rollup.apply(
        record, &series, sizeMax: JournalCounter.changesMax,
        eventsMax: mode == .single ? 1 : eventsMax(change.rollup))
      guard !isApplied else { return }
      try count(&change, mode)
      guard change.size >= JournalCounter.changesMax else { continue }
      try commit(&change)
      try writer.begin()
    }
  }

  /// How many events a rollup may have before something is to be restated.
  private func eventsMax(_ rollup: Rollup) -> UInt64 {
    guard let due = due.first, due.position > rollup.position.nextPosition else { return .max }
    return rollup.events + (due.position - rollup.position.nextPosition)
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
