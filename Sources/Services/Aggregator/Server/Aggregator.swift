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
  private static let heldPause: Duration = .milliseconds(10)
  /// The longest pause while the usage database is away.
  private static let retryPauseMax: Duration = .seconds(5)
  /// Problems of a directory that the status names.
  private static let directoryProblemsMax = 20
  private static let maintenanceInterval: Duration = .seconds(60)
  private static let maintenancePause: Duration = .milliseconds(100)

  let counter: JournalCounter
  let configuration: AggregatorConfiguration
  private let logger: Logger
  /// The one that is followed.
  private(set) var collector: CollectorClient?
  var isRestating = false
  /// Statements are being closed.
  var isClosing = false
  /// Nothing is applied meanwhile.
  var isHeld = false
  /// How often the collector is told at most what is applied.
  private let confirmInterval: Duration
  private nonisolated let currentStatus: Mutex<AggregatorStatus>
  private nonisolated let directoryProblems = Mutex<[String]>([])
  private nonisolated let budgetProblems = Mutex<[String]>([])
  /// Whether the usage database could not be reached when it was last used.
  private nonisolated let databaseAway = Mutex(false)
  private nonisolated let faults = Mutex(Faults())
  /// Sentences about the catalog, which stay until it is set back or meters are restated.
  private nonisolated let conflicts: Mutex<[String]>

  /// Takes over the usage database, and puts the catalog into it. A meter that has usage is counted as before,
  /// whatever the catalog says now.
  package init(
    store: sending any UsageStore, catalog: MeterCatalog,
    configuration: AggregatorConfiguration = AggregatorConfiguration(), logger: Logger,
    confirmInterval: Duration = .seconds(5)
  ) throws(StoreError) {
    // What a restatement that was killed has left.
    if let path = configuration.restatePath { try RestateStage.remove(path) }
    counter = try JournalCounter(
      store: store, catalog: catalog, latenessLimitDays: configuration.latenessLimitDays)
    self.configuration = configuration
    self.logger = logger
    self.confirmInterval = confirmInterval
    conflicts = Mutex(counter.conflicts)
    var status = AggregatorStatus()
    status.nextPosition = counter.position.nextPosition
    status.appliedReportedTime = counter.position.reportedTime
    status.openWindow = counter.position.openWindow
    status.warnings = counter.conflicts
    currentStatus = Mutex(status)
  }

  package nonisolated func status() -> AggregatorStatus {
    currentStatus.withLock { $0 }
  }

  /// Whether the usage database could not be reached when it was last used.
  package nonisolated var isDatabaseAway: Bool { databaseAway.withLock { $0 } }

  /// Notes how a use of the usage database ended; whether that is news.
  @discardableResult
  private nonisolated func note(isAway: Bool) -> Bool {
    databaseAway.withLock { wasAway in
      defer { wasAway = isAway }
      return wasAway != isAway
    }
  }

  /// Takes what a look at the file of the directory of subscriptions has found.
  func take(_ news: DirectoryFile.News) {
    var problems: [String]
    switch news {
    case .unchanged: return
    case .problems(let found):
      problems = found
      if found.count > Aggregator.directoryProblemsMax {
        problems = Array(found.prefix(Aggregator.directoryProblemsMax))
        problems.append(
          "and \(found.count - problems.count) others; see stackmeter subscriptions check")
      }
      problems = [
        "the directory of subscriptions stays as it was: " + problems.joined(separator: "; ")
      ]
    case .directory(let directory):
      do throws(StoreError) {
        try counter.replace(directory)
        problems = []
        logger.info(
          "the directory of subscriptions was read",
          metadata: ["count": "\(directory.subscriptions.count)"])
      } catch {
        problems = ["the directory of subscriptions cannot be kept: \(error)"]
      }
    }
    for problem in problems { logger.error("\(problem)") }
    directoryProblems.withLock { $0 = problems }
    let warnings = warnings
    currentStatus.withLock { $0.warnings = warnings }
  }

  /// Takes what is wrong with budgets, in place of what was before.
  nonisolated func note(budgetProblems found: [String]) {
    var problems = Array(found.prefix(Aggregator.directoryProblemsMax))
    if found.count > problems.count {
      problems.append("and \(found.count - problems.count) others")
    }
    let earlier = budgetProblems.withLock { known in
      defer { known = problems }
      return known
    }
    guard problems != earlier else { return }
    for problem in problems { logger.error("\(problem)") }
    let warnings = warnings
    currentStatus.withLock { $0.warnings = warnings }
  }

  nonisolated func noteRaised(_ count: Int) {
    logger.notice("budgets have reached thresholds", metadata: ["alerts": "\(count)"])
  }

  /// All that somebody should look at.
  private nonisolated var warnings: [String] {
    conflicts.withLock { $0 } + directoryProblems.withLock { $0 } + budgetProblems.withLock { $0 }
  }

  /// Takes what the scrub has found wrong with the usage database, in place of what it had found before.
  package nonisolated func note(damage: [String]) {
    note(damage, as: \.damage, "the scrub found damage")
  }

  /// Takes what the audit has found different from the journal, in place of what it had found before.
  package nonisolated func note(differences: [String]) {
    note(differences, as: \.differences, "the usage database is not what the journal makes")
  }

  private nonisolated func note(
    _ problems: [String], as kind: WritableKeyPath<Faults, [String]>, _ message: Logger.Message
  ) {
    let (earlier, all) = faults.withLock { faults in
      let earlier = faults[keyPath: kind]
      faults[keyPath: kind] = problems
      return (earlier, faults.all)
    }
    currentStatus.withLock { $0.faults = all }
    for problem in problems where !earlier.contains(problem) {
      logger.error(message, metadata: ["problem": "\(problem)"])
    }
  }

  /// Says that statements were closed.
  func noteClosed(_ statements: [StatementEntry], period: String) {
    logger.notice(
      "statements were closed",
      metadata: [
        "count": "\(statements.count)", "period": "\(period)",
        "last": "\(statements.last?.number ?? "")",
      ])
  }

  /// Says that a version of a rate card was added.
  func noteApplied(_ card: StoredRateCard) {
    logger.notice(
      "a rate card was added",
      metadata: [
        "card": "\(card.name)", "version": "\(card.version)", "effective": "\(card.effective)",
      ])
  }

  /// Says what was restated, and that the catalog is in force.
  func noteRestated(_ response: RestateResponse) {
    conflicts.withLock { $0 = counter.conflicts }
    let warnings = warnings
    currentStatus.withLock { status in
      status.warnings = warnings
      status.unappliedEvents += response.unapplied
    }
    logger.info(
      "meters were restated",
      metadata: [
        "meters": "\(response.meters.map(\.meter).joined(separator: ", "))",
        "position": "\(response.position)", "differences": "\(response.differenceCount)",
      ])
  }

  /// Removes what need not be kept, until cancelled: little at a time, so that commits do not wait.
  package func runMaintenance() async throws(CancellationError) {
    while true {
      var isDone = true
      do throws(StoreError) {
        isDone = try counter.maintain(retentionMonths: configuration.retentionMonths)
        note(isAway: false)
      } catch {
        // That the database is away is said once, by whoever finds it first.
        if error.kind != .interrupted || note(isAway: true) {
          logger.warning("old usage cannot be removed", metadata: ["problem": "\(error)"])
        }
      }
      let pause = isDone ? Aggregator.maintenanceInterval : Aggregator.maintenancePause
      do { try await Task.sleep(for: pause) } catch { throw CancellationError() }
    }
  }

  /// Leaves the usage database in order, when all that writes to it has ended.
  package func close() {
    counter.close()
  }

  /// Follows the collector's journal until cancelled, through its restarts.
  package func run(collector: CollectorClient) async throws(CancellationError) {
    self.collector = collector
    var pause = Aggregator.retryPause
    while !Task.isCancelled {
      do {
        try await follow(collector)
        continue
      } catch {
        let isAway = (error as? StoreError)?.kind == .interrupted
        let isNews = isAway && note(isAway: true)
        // A database that stays away fails in several ways.
        note(problem: error, isTold: !isAway || isNews)
        pause =
          isAway && !isNews ? min(pause * 2, Aggregator.retryPauseMax) : Aggregator.retryPause
      }
      currentStatus.withLock { $0.isFollowing = false }
      do { try await Task.sleep(for: pause) } catch { break }
    }
    throw CancellationError()
  }

  /// Says once what is wrong, until something else is.
  private func note(problem error: any Error, isTold: Bool) {
    guard !(error is CancellationError), !Task.isCancelled else { return }
    let isAway = (error as? StoreError)?.kind == .interrupted
    let text: String =
      switch error {
      case let error as RPCError: "collector: \(error.message)"
      case let error as StoreError where isAway: "usage database: \(error.message)"
      case let error as StoreError: "the usage database cannot be written: \(error)"
      default: "\(error)"
      }
    // That the database is away is told by the health of the service.
    if !(error is RPCError) && !isAway {
      note([text], as: \.stuck, "the journal cannot be applied")
    }
    let isNews = currentStatus.withLock { status in
      defer { status.problem = text }
      return status.problem != text
    }
    if isNews && isTold {
      logger.warning("not following the journal", metadata: ["problem": "\(text)"])
    }
  }

  /// The stream is there. Where the usage database is away, or the journal could not be applied, that says nothing yet.
  private nonisolated func noteFollowing() {
    guard !isDatabaseAway, faults.withLock({ $0.stuck.isEmpty }) else { return }
    currentStatus.withLock { status in
      status.isFollowing = true
      status.problem = ""
    }
  }

  private func noteApplied() {
    guard faults.withLock({ !$0.stuck.isEmpty }) else { return }
    note([], as: \.stuck, "")
    noteFollowing()
    logger.notice("the journal is applied again")
  }

  private func follow(_ collector: CollectorClient) async throws {
    let start = counter.position
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
      while isHeld { try await Task.sleep(for: Aggregator.heldPause) }
      try apply(chunks)
      try await Task.sleep(until: started + Aggregator.commitInterval, clock: clock)
    }
  }

  /// Tells the collector now and then what is applied, so that it may remove old segments, until cancelled: at once
  /// where it may have been started anew, and in the end the last position too.
  private func confirmLoop(_ collector: CollectorClient) async {
    var confirmed: UInt64 = 0
    while !Task.isCancelled {
      let applied = counter.position
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
    try counter.apply(chunks) { commit in
      if note(isAway: false) {
        noteFollowing()
        logger.info("the usage database is back")
      }
      if commit.aside > 0 {
        logger.error(
          "quantities cannot be aggregated; they are kept in the table unapplied",
          metadata: ["count": "\(commit.aside)"])
      }
      currentStatus.withLock { status in
        status.nextPosition = commit.position.nextPosition
        status.appliedReportedTime = commit.position.reportedTime
        status.openWindow = commit.position.openWindow
        status.appliedEvents += commit.events
        status.commits += 1
        status.unappliedEvents += UInt64(commit.aside)
        status.durablePosition = max(commit.durablePosition, commit.position.nextPosition)
      }
    }
    noteApplied()
  }
}

/// Why figures are wrong, or stay behind until somebody does something.
private struct Faults {
  /// Why the journal cannot be applied; empty once it was again.
  var stuck: [String] = []
  /// What the audit has found.
  var differences: [String] = []
  /// What the scrub has found.
  var damage: [String] = []

  var all: [String] { stuck + differences + damage }
}
