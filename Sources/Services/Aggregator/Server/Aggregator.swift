package import CollectorClient
internal import GRPCCore
package import Logging
package import StackmeterCore
internal import StackmeterJournal
package import StackmeterStore
package import StackmeterWire
internal import Synchronization

/// Turns the journal into usage aggregates: follows it from the database's position, and commits deltas and
/// position in one transaction, so that every event is counted exactly once whatever stops it where.
package actor Aggregator {
  /// Commits are at least this far apart; an event that comes alone is committed at once.
  package static let commitInterval: Duration = .milliseconds(200)
  /// How long one stream is used before it is opened anew from where it is.
  private static let streamTimeout: Duration = .seconds(600)
  private static let retryPause: Duration = .milliseconds(200)
  /// How often the collector is told at most what is applied.
  private static let confirmInterval: Duration = .seconds(5)
  /// Aggregates and samples that one transaction touches, so that no report makes it grow without bound.
  private static let changesMax = 200_000
  /// Series that are remembered between commits.
  private static let knownSeriesMax = 1_000_000

  private let writer: UsageWriter
  private let store: any UsageStore
  private let configuration: AggregatorConfiguration
  private let logger: Logger
  /// How each meter is counted, by its id.
  private let aggregations: [ExactText: Aggregation]
  private var position: PipelinePosition
  private var series = SeriesIndex(seed: .random(in: .min ... .max))
  private var confirmedAt: ContinuousClock.Instant?
  private nonisolated let currentStatus: Mutex<AggregatorStatus>

  /// Takes over the usage database, and puts the catalog into it. A meter that has usage is counted as before,
  /// whatever the catalog says now.
  package init(
    store: any UsageStore, catalog: MeterCatalog,
    configuration: AggregatorConfiguration = AggregatorConfiguration(), logger: Logger
  ) throws(StoreError) {
    try store.replaceCatalog(catalog)
    let rules = try store.rules()
    var aggregations: [ExactText: Aggregation] = [:]
    for meter in catalog.meters { aggregations[ExactText(meter.id)] = meter.aggregation }
    for rule in rules { aggregations[ExactText(rule.meter)] = rule.aggregation }
    self.aggregations = aggregations
    position = try store.position()
    writer = try UsageWriter(
      store: store, latenessLimitDays: configuration.latenessLimitDays)
    self.store = store
    self.configuration = configuration
    self.logger = logger
    var status = AggregatorStatus()
    status.nextPosition = position.nextPosition
    status.appliedReportedTime = position.reportedTime
    status.openWindow = position.openWindow
    status.warnings = Aggregator.conflicts(catalog, rules)
    currentStatus = Mutex(status)
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
        + "run stackmeter restate, or set the catalog back"
    }
  }

  package nonisolated func status() -> AggregatorStatus {
    currentStatus.withLock { $0 }
  }

  /// Follows the collector's journal until cancelled, through its restarts.
  package func run(collector: CollectorClient) async throws(CancellationError) {
    while !Task.isCancelled {
      do {
        try await follow(collector)
        continue
      } catch {
        note(problem: error)
      }
      currentStatus.withLock { $0.isFollowing = false }
      do { try await Task.sleep(for: Aggregator.retryPause) } catch { break }
    }
    throw CancellationError()
  }

  /// Says once what is wrong, until something else is.
  private func note(problem error: any Error) {
    guard !(error is CancellationError), !Task.isCancelled else { return }
    let text = (error as? RPCError).map { "collector: \($0.message)" } ?? "\(error)"
    let isNews = currentStatus.withLock { status in
      defer { status.problem = text }
      return status.problem != text
    }
    if isNews { logger.warning("not following the journal", metadata: ["problem": "\(text)"]) }
  }

  private nonisolated func noteFollowing() {
    currentStatus.withLock { status in
      status.isFollowing = true
      status.problem = ""
    }
  }

  private func follow(_ collector: CollectorClient) async throws {
    let start = position
    try await withThrowingTaskGroup(of: Void.self) { group in
      let buffer = ChunkBuffer()
      group.addTask {
        defer { buffer.finish() }
        do {
          try await collector.readJournal(
            from: start.nextPosition, of: start.journalID, follow: true,
            timeout: Aggregator.streamTimeout
          ) { chunks in
            self.noteFollowing()
            for try await chunk in chunks { await buffer.put(chunk) }
          }
        } catch let error as RPCError where error.code == .deadlineExceeded {
          // The planned end of a stream.
        }
      }
      group.addTask { try await self.commitLoop(buffer, collector) }
      defer {
        group.cancelAll()
        buffer.finish()
      }
      // The first that fails ends the other.
      while try await group.next() != nil {}
    }
  }

  private func commitLoop(_ buffer: ChunkBuffer, _ collector: CollectorClient) async throws {
    let clock = ContinuousClock()
    while true {
      let chunks = await buffer.take()
      guard !chunks.isEmpty else { return }
      let started = clock.now
      try apply(chunks)
      await confirm(collector)
      try await Task.sleep(until: started + Aggregator.commitInterval, clock: clock)
    }
  }

  /// Tells the collector now and then what is applied, so that it may remove old segments. Where that fails, the
  /// next commit does it.
  private func confirm(_ collector: CollectorClient) async {
    let now = ContinuousClock.now
    guard confirmedAt.map({ now - $0 >= Aggregator.confirmInterval }) ?? true else { return }
    let applied = position
    do throws(RPCError) {
      try await collector.confirmApplied(position: applied.nextPosition, of: applied.journalID)
      confirmedAt = now
    } catch {
      logger.debug("the collector was not told what is applied", metadata: ["error": "\(error)"])
    }
  }

  /// Applies whole chunks, in one transaction unless they touch very many aggregates. After an error, nothing
  /// after the last commit is applied.
  package func apply(_ chunks: [JournalChunk]) throws {
    do {
      try apply(chunks, .bulk)
    } catch let error as StoreError where error.kind == .overflow {
      // Some quantity cannot be held: which one it is shows when one event is counted after the other.
      try apply(chunks, .single)
    }
  }

  private func apply(_ chunks: [JournalChunk], _ mode: UsageWriter.Mode) throws {
    if series.count >= Aggregator.knownSeriesMax { forgetSeries() }
    var change = PendingChange(rollup: newRollup(from: position))
    try writer.begin()
    do {
      for chunk in chunks {
        let journal = try change.rollup.enter(journal: chunk.journalID)
        for record in Record.all(in: chunk.records, of: journal) {
          while try !change.rollup.apply(
            record, &series, sizeMax: Aggregator.changesMax, eventsMax: mode == .single ? 1 : .max)
          {
            try count(&change, mode)
            guard change.size >= Aggregator.changesMax else { continue }
            try commit(&change, durablePosition: chunk.durablePosition)
            try writer.begin()
          }
        }
        guard change.rollup.position.nextPosition >= chunk.nextPosition else {
          throw RollupError.undecodable(position: change.rollup.position.nextPosition)
        }
      }
      try count(&change, mode)
      try commit(&change, durablePosition: chunks.last?.durablePosition ?? 0)
    } catch {
      writer.rollback()
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

  private func newRollup(from position: PipelinePosition) -> Rollup {
    let aggregations = aggregations
    return Rollup(from: position) { aggregations[ExactText($0.meter)] ?? .sum }
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
    change.size += rollup.size
    change.events += rollup.events
    change.aside += aside
    change.rollup = newRollup(from: rollup.position)
  }

  private func commit(
    _ change: inout PendingChange, durablePosition: UInt64
  ) throws(StoreError) {
    try writer.commit(change.rollup.position)
    position = try store.position()
    change.rollup = newRollup(from: position)
    if change.aside > 0 {
      logger.error(
        "quantities cannot be aggregated; they are kept in the table unapplied",
        metadata: ["count": "\(change.aside)"])
    }
    currentStatus.withLock { status in
      status.nextPosition = position.nextPosition
      status.appliedReportedTime = position.reportedTime
      status.openWindow = position.openWindow
      status.appliedEvents += change.events
      status.commits += 1
      status.unappliedEvents += UInt64(change.aside)
      status.durablePosition = max(durablePosition, position.nextPosition)
    }
    change = PendingChange(rollup: change.rollup)
  }
}
