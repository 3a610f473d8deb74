import AggregatorClient
import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import StackmeterWire

/// One scripted run of the aggregator with one fault in it, and the database that a start without any makes of it.
///
/// The script is start, steps, stop, start, steps, stop.
struct AggregatorRun {
  /// How the part with the fault went.
  enum Outcome: Equatable {
    case finished
    /// It ended by itself.
    case ended(ExitStatus)
    /// It went on without applying a step; what its status said.
    case stuck(problem: String)
  }

  private let cluster: Cluster
  private let script: AggregatorScript
  private let collector: ScriptedCollector
  private let environment: [String: String]
  private let library: FaultLibrary
  /// What readers saw last of the windows that were closed.
  private(set) var seen = ClosedAnswers()

  /// Makes the run's own aggregator, whose collector is `collector`.
  init(
    _ cluster: Cluster, _ script: AggregatorScript, _ collector: ScriptedCollector,
    _ library: FaultLibrary, environment: [String: String]
  ) {
    self.cluster = cluster
    self.script = script
    self.collector = collector
    self.library = library
    self.environment = environment
  }

  static func settings(_ directory: String) -> [String: String] {
    [
      "STACKMETER_METER_CATALOG": "\(directory)/script-meters.json",
      "STACKMETER_AGGREGATOR_USAGE_RETENTION_MONTHS": "\(AggregatorScript.retentionMonths)",
    ]
  }

  /// Runs the script under the fault, as far as it comes.
  mutating func run() async throws -> Outcome {
    let stop = AggregatorScript.stepsBeforeStop
    for steps in [0..<stop, stop..<script.steps.count] {
      try cluster.start("aggregator", environment: environment)
      for step in steps {
        collector.release(step + 1)
        if let outcome = try await wait(for: step) { return outcome }
        try look()
      }
      let ended = try await cluster.stop("aggregator")
      // A fault may come as late as in the stop.
      if ended != .exited(0) { return .ended(ended) }
    }
    return .finished
  }

  /// Nil once the step is applied.
  private func wait(for step: Int) async throws -> Outcome? {
    try await eventually { () async throws -> Outcome?? in
      guard cluster.isRunning("aggregator") else {
        return .some(.ended(try await cluster.waitForExit("aggregator")))
      }
      if let reader = try? SQLiteUsageReader(path: cluster.settings.usageDatabase),
        let position = try? reader.position(),
        position.nextPosition >= script.steps[step].nextPosition
      {
        return .some(nil)
      }
      // What fails for good shows in the status, and the step is not applied.
      guard try library.struck >= AggregatorRun.lastingStrikes else { return nil }
      let status = try? await cluster.call("aggregator") {
        try await AggregatorClient($0).status()
      }
      guard let status, !status.problem.isEmpty else { return nil }
      return .some(.stuck(problem: status.problem))
    }
  }

  /// A fault that lasts strikes so often before it is taken to be one.
  private static let lastingStrikes = 10

  /// What closed windows answered earlier, they answer now.
  mutating func look() throws {
    let now = try ClosedAnswers(cluster.settings.usageDatabase)
    if let changed = now.changed(since: seen) {
      throw ClusterError("closed window \(changed) answers otherwise than before")
    }
    seen = now
  }

  /// Runs the script to its end without a fault, and gives everything that the database has then.
  mutating func finish() async throws -> String {
    if access(cluster.settings.usageDatabase, F_OK) == 0, !seen.isEmpty { try look() }
    collector.release(script.steps.count)
    try cluster.start("aggregator")
    try await cluster.serving("aggregator")
    let end = script.steps.count - 1
    if let outcome = try await wait(for: end) {
      throw ClusterError("without a fault: \(outcome): \(cluster.log("aggregator"))")
    }
    try look()
    guard try await cluster.stop("aggregator") == .exited(0) else {
      throw ClusterError("it does not stop: \(cluster.log("aggregator"))")
    }
    try look()
    try tidyUp()
    return try await dump()
  }

  /// Ends what the maintenance has begun, so that all databases have had the same of it.
  private func tidyUp() throws {
    let store = try SQLiteUsageStore(path: cluster.settings.usageDatabase)
    let position = try store.position()
    if let first = Retention.firstWindow(
      openWindow: position.openWindow, months: AggregatorScript.retentionMonths)
    {
      try store.retain(from: first)
    }
    while try store.removeAggregates(limit: 10_000) > 0 {}
    while try store.removeSamples(limit: 10_000) > 0 {}
  }

  /// Every table, row and trigger, as SQL.
  private func dump() async throws -> String {
    let dumped = try await Cluster.run(
      "/usr/bin/sqlite3", [cluster.settings.usageDatabase, ".dump"],
      environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/dump")
    guard dumped.status == .exited(0) else { throw ClusterError(dumped.output) }
    return dumped.output
  }
}

/// All that the closed windows of a database answer.
struct ClosedAnswers {
  private var rows: [Hour: [UsageAggregate]] = [:]
  private var windows: [Hour: ClosedWindow] = [:]
  private var retainedFrom = Hour(index: 0)

  init() {}

  init(_ path: String) throws {
    let reader = try SQLiteUsageReader(path: path)
    let aggregates = try reader.aggregates(
      windows: Hour(index: 0)..<(try reader.position().openWindow), granularity: .hourly,
      filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100_000
    ).aggregates
    rows = Dictionary(grouping: aggregates, by: \.window)
    let closed = try reader.closedWindows(before: nil, limit: 1000)
    windows = Dictionary(uniqueKeysWithValues: closed.map { ($0.window, $0) })
    // Last, so that nothing above was removed without its being known.
    retainedFrom = try reader.position().retainedFrom
  }

  var isEmpty: Bool { windows.isEmpty }

  /// A window that answers otherwise than it did, but for those that the retention has removed meanwhile.
  func changed(since earlier: ClosedAnswers) -> Hour? {
    earlier.windows.keys.sorted().first { window in
      guard windows[window] == earlier.windows[window] else { return true }
      return window >= retainedFrom && rows[window] != earlier.rows[window]
    }
  }
}
