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
  /// Aggregates that one transaction touches, so that no report makes it grow without bound.
  private static let deltasMax = 200_000
  /// Numbers of series that are remembered between commits.
  private static let knownSeriesMax = 1_000_000

  private let database: UsageDatabase
  private let logger: Logger
  private var position: PipelinePosition
  private var knownSeries: [Series: Int64] = [:]
  /// How often the collector is told at most what is applied.
  private let confirmInterval: Duration
  private nonisolated let currentStatus: Mutex<AggregatorStatus>

  /// Takes over the usage database, and puts the catalog into it.
  package init(
    database: UsageDatabase, catalog: MeterCatalog, logger: Logger,
    confirmInterval: Duration = .seconds(5)
  ) throws(StoreError) {
    try database.replaceCatalog(catalog)
    position = try database.position()
    self.database = database
    self.logger = logger
    self.confirmInterval = confirmInterval
    var status = AggregatorStatus()
    status.nextPosition = position.nextPosition
    status.appliedReportedTime = position.reportedTime
    status.openWindow = position.openWindow
    currentStatus = Mutex(status)
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
    // Each task says whether the stream is over once it has ended.
    try await withThrowingTaskGroup(of: Bool.self) { group in
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
        return false
      }
      group.addTask {
        try await self.commitLoop(buffer)
        return true
      }
      group.addTask {
        await self.confirmLoop(collector)
        return false
      }
      defer {
        group.cancelAll()
        buffer.finish()
      }
      // The first that fails ends the other.
      while let isOver = try await group.next() {
        if isOver { group.cancelAll() }
      }
    }
  }

  private func commitLoop(_ buffer: ChunkBuffer) async throws {
    let clock = ContinuousClock()
    while true {
      let chunks = await buffer.take()
      guard !chunks.isEmpty else { return }
      let started = clock.now
      try apply(chunks)
      try await Task.sleep(until: started + Aggregator.commitInterval, clock: clock)
    }
  }

  /// Tells the collector now and then what is applied, so that it may remove old segments, until cancelled: at once
  /// where it may have been started anew, and in the end the last position too.
  private func confirmLoop(_ collector: CollectorClient) async {
    var confirmed: UInt64 = 0
    while !Task.isCancelled {
      let applied = position
      if applied.journalID != 0, applied.nextPosition != confirmed {
        do throws(RPCError) {
          try await collector.confirmApplied(
            position: applied.nextPosition, of: applied.journalID)
          confirmed = applied.nextPosition
        } catch {
          logger.debug(
            "the collector was not told what is applied", metadata: ["error": "\(error)"])
        }
      }
      try? await Task.sleep(for: confirmInterval)
    }
  }

  /// Applies whole chunks, in one transaction unless they touch very many aggregates. After an error, nothing
  /// after the last commit is applied.
  package func apply(_ chunks: [JournalChunk]) throws {
    var rollup = Rollup(from: position)
    try database.begin()
    do {
      for chunk in chunks {
        let journal = try rollup.enter(journal: chunk.journalID)
        for record in Record.all(in: chunk.records, of: journal) {
          while try !rollup.apply(
            record, deltasMax: Aggregator.deltasMax,
            intern: { (series) throws(StoreError) in try intern(series) })
          {
            try commit(rollup, durablePosition: chunk.durablePosition)
            rollup = Rollup(from: position)
            try database.begin()
          }
        }
        guard rollup.position.nextPosition >= chunk.nextPosition else {
          throw RollupError.undecodable(position: rollup.position.nextPosition)
        }
      }
      try commit(rollup, durablePosition: chunks.last?.durablePosition ?? 0)
    } catch {
      database.rollback()
      // Numbers that were given in this transaction are gone with it.
      knownSeries = [:]
      throw error
    }
  }

  private func commit(_ rollup: Rollup, durablePosition: UInt64) throws(StoreError) {
    let unapplied = try database.commit(
      deltas: rollup.deltas, unapplied: rollup.unapplied, position: rollup.position)
    position = rollup.position
    if unapplied > 0 {
      logger.error(
        "quantities are too large to aggregate; they are kept in the table unapplied",
        metadata: ["count": "\(unapplied)"])
    }
    currentStatus.withLock { status in
      status.nextPosition = position.nextPosition
      status.appliedReportedTime = position.reportedTime
      status.openWindow = position.openWindow
      status.appliedEvents += rollup.events
      status.commits += 1
      status.unappliedEvents += UInt64(unapplied)
      status.durablePosition = max(durablePosition, position.nextPosition)
    }
  }

  private func intern(_ series: Series) throws(StoreError) -> Int64 {
    if let known = knownSeries[series] { return known }
    if knownSeries.count >= Aggregator.knownSeriesMax { knownSeries = [:] }
    let number = try database.intern(series)
    knownSeries[series] = number
    return number
  }
}
