internal import Glibc
internal import StackmeterRuntime

/// One supervised process as a machine: events with their time in, what to do out. No clock and no process.
///
/// `due` → `starting` → `serving`; a process that ends → `due` again after a pause, or `refused` for a longer
/// one where its settings are wrong; a stop leads from anywhere to `stopped`, over `stopping` while the process
/// still runs.
struct ServiceMachine: Equatable, Sendable {
  typealias Instant = ContinuousClock.Instant

  enum State: Equatable, Sendable {
    /// To be started at this time → `starting`, `due`, `stopped`.
    case due(at: Instant)
    /// Runs and does not serve yet, or no longer → `serving`, `due`, `refused`, `stopping`.
    case starting(pid: Int32, since: Instant)
    /// → `starting`, `due`, `refused`, `stopping`.
    case serving(pid: Int32, since: Instant)
    /// Its settings are wrong; it is tried again at this time, when they may have been put right → `due`,
    /// `stopped`.
    case refused(until: Instant)
    /// Was asked to stop; is killed at `deadline` → `stopped`.
    case stopping(pid: Int32, deadline: Instant)
    case stopped
  }

  static let pauseMin: Duration = .milliseconds(200)
  static let pauseMax: Duration = .seconds(5)
  /// How long wrong settings are left to whoever mends them.
  static let refusedPause: Duration = .seconds(10)
  /// A process that ran for so long is not failing at its start.
  static let steadyAfter: Duration = .seconds(30)
  static let stopMax: Duration = .seconds(10)

  let name: String
  private(set) var state: State
  private(set) var restarts = 0
  /// Why it is not running; empty while it is.
  private(set) var problem = ""
  private var pause = pauseMin

  init(name: String, now: Instant) {
    self.name = name
    state = .due(at: now)
  }

  /// It was started.
  mutating func started(pid: Int32, at now: Instant) {
    guard case .due = state else { preconditionFailure("only what is due is started") }
    problem = ""
    state = .starting(pid: pid, since: now)
  }

  /// It could not be started at all: as if it had ended at once.
  mutating func failedToStart(_ problem: String, at now: Instant) {
    guard case .due = state else { return }
    self.problem = problem
    restart(ranFor: .zero, now)
  }

  /// What a health check said.
  mutating func answered(isServing: Bool) {
    switch state {
    case .starting(let pid, let since) where isServing: state = .serving(pid: pid, since: since)
    case .serving(let pid, let since) where !isServing: state = .starting(pid: pid, since: since)
    default: break
    }
  }

  /// The process ended; `lastLogLine` is asked for where it says why.
  mutating func ended(_ status: ExitStatus, at now: Instant, lastLogLine: () -> String) {
    switch state {
    case .starting(_, let since), .serving(_, let since):
      if status == .exited(EX_CONFIG) {
        problem = lastLogLine()
        state = .refused(until: now + ServiceMachine.refusedPause)
      } else {
        problem = "ended with \(status)"
        // A killed process has not said why.
        if case .exited(let code) = status, code != 0, case let line = lastLogLine(), !line.isEmpty
        {
          problem += ": \(line)"
        }
        restart(ranFor: now - since, now)
      }
    case .stopping: state = .stopped
    case .due, .refused, .stopped: preconditionFailure("only what runs can end")
    }
  }

  /// The pause after wrong settings is over.
  mutating func retry(at now: Instant) {
    guard case .refused = state else { return }
    state = .due(at: now)
  }

  var isRefused: Bool {
    if case .refused = state { true } else { false }
  }

  private mutating func restart(ranFor duration: Duration, _ now: Instant) {
    if duration >= ServiceMachine.steadyAfter { pause = ServiceMachine.pauseMin }
    state = .due(at: now + pause)
    pause = min(pause * 2, ServiceMachine.pauseMax)
    restarts += 1
  }

  /// Is to stop. The process, if there is one, is to be sent SIGTERM.
  mutating func stop(at now: Instant) {
    switch state {
    case .starting(let pid, _), .serving(let pid, _):
      problem = ""
      state = .stopping(pid: pid, deadline: now + ServiceMachine.stopMax)
    case .due, .refused: state = .stopped
    case .stopping, .stopped: break
    }
  }

  var pid: Int32? {
    switch state {
    case .starting(let pid, _), .serving(let pid, _), .stopping(let pid, _): pid
    case .due, .refused, .stopped: nil
    }
  }

  /// When the process that runs was started.
  var upSince: Instant? {
    switch state {
    case .starting(_, let since), .serving(_, let since): since
    case .due, .refused, .stopping, .stopped: nil
    }
  }

  /// The state in one word, for the line.
  var word: String {
    switch state {
    case .due: restarts == 0 ? "starting" : "restarting"
    case .starting: "starting"
    case .serving: "serving"
    case .refused: "refused"
    case .stopping: "stopping"
    case .stopped: "stopped"
    }
  }
}
