internal import Glibc
internal import Logging
internal import StackmeterJournal
internal import Synchronization

/// Work that must not hold up commits, on a thread of its own: values that run there, and hand what they did
/// to the commit thread, which picks it up at its next turn.
///
/// A job that the disk refuses is logged and made again later. Damage that a job finds is for the commit thread to
/// end the process with.
final class Housekeeping: Sendable {
  /// Done on the commit thread.
  typealias Completion = @Sendable (inout Intake) -> Void

  struct Job: Sendable {
    /// For the log: `seal the journal`.
    let name: String
    let run: @Sendable () throws -> Completion
  }

  private struct State {
    var unfinished = 0
    var completions: [Completion] = []
    var damage: RecordLogError?
    var restsUntil: ContinuousClock.Instant?
    var lastProblem = ""
  }

  /// Jobs that wait at once; the commit thread asks for more only when none is left.
  private static let jobsMax = 64

  private let queue = CommitQueue<Job>(weightMax: Housekeeping.jobsMax)
  private let state = Mutex(State())
  private let logger: Logger
  private let pause: Duration
  private let niceness: Int32

  /// After a failure nothing new is begun for `pause`.
  init(logger: Logger, niceness: Int32, pause: Duration = .seconds(30)) {
    self.niceness = niceness
    self.logger = logger
    self.pause = pause
  }

  /// There is nothing left to do, and no failure was a moment ago.
  var isReady: Bool {
    state.withLock { state in
      guard state.unfinished == 0, state.damage == nil else { return false }
      return state.restsUntil.map { $0 <= ContinuousClock.now } ?? true
    }
  }

  /// False where too many wait, or the collector is stopping.
  @discardableResult func put(_ job: Job) -> Bool {
    state.withLock { $0.unfinished += 1 }
    do throws(CommitQueue<Job>.Refused) {
      try queue.put(job, weight: 1)
      return true
    } catch {
      state.withLock { $0.unfinished -= 1 }
      return false
    }
  }

  /// What jobs have done since the last call, in their order.
  func takeCompletions() -> [Completion] {
    state.withLock { state in
      guard !state.completions.isEmpty else { return [] }
      defer { state.completions = [] }
      return state.completions
    }
  }

  var damage: RecordLogError? { state.withLock { $0.damage } }

  /// Runs jobs as they come until `stop`; blocks its thread, whose priority it sets.
  func run() {
    // Linux takes this for the calling thread alone.
    setpriority(Int32(PRIO_PROCESS.rawValue), 0, niceness)
    while let jobs = queue.take(timeout: .seconds(3600)) {
      for job in jobs { perform(job) }
    }
  }

  func stop() { queue.close() }

  /// Runs what waits on the calling thread: for tests.
  func runWaiting() {
    for job in queue.take(timeout: .zero) ?? [] { perform(job) }
  }

  private func perform(_ job: Job) {
    let outcome: Result<Completion, any Error>
    do { outcome = .success(try job.run()) } catch { outcome = .failure(error) }
    let news = state.withLock { state -> String? in
      state.unfinished -= 1
      switch outcome {
      case .success(let completion):
        state.completions.append(completion)
        state.restsUntil = nil
        state.lastProblem = ""
        return nil
      case .failure(let error):
        if let error = error as? RecordLogError, error.isLasting { state.damage = error }
        state.restsUntil = ContinuousClock.now + pause
        let problem = "\(error)"
        defer { state.lastProblem = problem }
        return problem == state.lastProblem ? nil : problem
      }
    }
    if let news {
      logger.warning(
        "housekeeping failed; it is tried again later",
        metadata: ["job": "\(job.name)", "error": "\(news)"])
    }
  }
}

extension Intake {
  /// What is to be done for the dedup index now.
  mutating func dedupJob() -> Housekeeping.Job? {
    nextDedupJob().map { job in
      Housekeeping.Job(name: "keep the dedup index") {
        do throws(DedupError) {
          let done = try job.run()
          return { $0.finish(done) }
        } catch {
          guard case .damaged(let path) = error else { throw error }
          throw RecordLogError.damaged(path: path, offset: 0, problem: error.description)
        }
      }
    }
  }

  /// What is to be done beside the commits now. `applied` is the position up to which the aggregator has
  /// confirmed the journal since this process started.
  mutating func housekeepingJobs(applied: UInt64?) -> [Housekeeping.Job] {
    var jobs: [Housekeeping.Job] = []
    if let seal = journalSeal {
      jobs.append(
        Housekeeping.Job(name: "seal the journal") {
          let outcome = try seal.run()
          return { $0.didSealJournal(outcome) }
        })
    }
    if let applied, removal == nil { removal = removeOldSegments(applied: applied) }
    if let removal {
      jobs.append(
        Housekeeping.Job(name: "remove old segments") {
          try removal.run()
          return { $0.removal = nil }
        })
    }
    return jobs
  }
}
