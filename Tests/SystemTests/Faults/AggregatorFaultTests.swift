import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

/// Every system call that changes a file of the aggregator, with every fault that can happen to it.
///
/// By default a sample that the seed chooses; `STACKMETER_FAULT_POINTS=all` takes every call.
@Suite(.serialized, .timeLimit(.minutes(240))) struct AggregatorFaultTests {
  private static let faults: [Fault] = [
    .fails(ENOSPC, isLasting: true), .fails(ENOSPC, isLasting: false),
    .fails(EIO, isLasting: true), .fails(EIO, isLasting: false), .killBefore, .killAfter,
    .killTorn, .short,
  ]
  private static let pointsOfSample = 8
  /// The script is the same for all, so that their databases are.
  private static let script = AggregatorScript(seed: 4)

  private struct Result: Sendable {
    let hasStruck: Bool
    let hasEnded: Bool
  }

  /// What a run without a fault makes, and how many calls of each kind it takes.
  private struct Undisturbed: Sendable {
    let dump: String
    let calls: [FaultKind: Int]
  }

  @Test(arguments: faults)
  func `a fault at any system call of the aggregator leaves every sum and closed window exact`(
    fault: Fault
  ) async throws {
    let undisturbed = try await Self.undisturbed.value
    try await withTemporaryDirectory { directory in
      var random = try SeededRandom()
      let library = try await FaultLibrary(in: directory, watching: "/nowhere")
      let calls = fault.kinds.reduce(0) { $0 + undisturbed.calls[$1]! }
      try #require(calls > 100)
      let isWhole = processEnvironmentValue("STACKMETER_FAULT_POINTS") == "all"
      let stride = isWhole ? 1 : max(1, calls / Self.pointsOfSample)
      let first = Int.random(in: 1...stride, using: &random)
      let points = Array(Swift.stride(from: first, through: calls, by: stride))
      var (struck, ended) = (0, 0)
      try await withThrowingTaskGroup(of: Result.self) { group in
        func add(_ result: Result?) {
          struck += result?.hasStruck == true ? 1 : 0
          ended += result?.hasEnded == true ? 1 : 0
        }
        for (index, point) in points.enumerated() {
          // Two at a time: most of a run is waiting for processes.
          if index >= 2 { add(try await group.next()) }
          group.addTask { try await Self.run(fault, at: point, library, undisturbed) }
        }
        while let result = try await group.next() { add(result) }
      }
      say(
        "system calls of the aggregator, \(fault): \(points.count) of \(calls) points, "
          + "\(struck) struck, \(ended) ended or stopped it, every database the same")
      #expect(struck >= points.count / 2)
    }
  }

  private static let undisturbed = Task<Undisturbed, any Error> {
    try await withRun(nil, at: 0, nil) { run, cluster, library in
      let outcome = try await run.run()
      try #require(outcome == .finished, "\(cluster.log("aggregator"))")
      let calls = try FaultKind.allCases.map { ($0, try library.count($0)) }
      try #require(run.seen.changed(since: ClosedAnswers()) == nil && !run.seen.isEmpty)
      let dump = try await run.finish()
      for table in [
        "aggregate", "closed_window", "value_sample", "time_sample", "source", "window_missing",
      ] {
        try #require(dump.contains("INSERT INTO \(table) VALUES"), "nothing in \(table)")
      }
      return Undisturbed(dump: dump, calls: Dictionary(uniqueKeysWithValues: calls))
    }
  }

  private static func run(
    _ fault: Fault, at point: Int, _ library: FaultLibrary, _ undisturbed: Undisturbed
  ) async throws -> Result {
    try await withRun(fault, at: point, library) { run, cluster, library in
      let name = "call \(point), \(fault)"
      do {
        let outcome = try await run.run()
        let hasStruck = try library.struck > 0
        switch (fault, outcome) {
        case (.killBefore, _), (.killAfter, _), (.killTorn, _):
          try #require(outcome == (hasStruck ? .ended(.signalled(SIGKILL)) : .finished), "\(name)")
        case (.short, _): try #require(outcome == .finished, "\(name): \(outcome)")
        case (.fails(let number, _), .ended(let status)):
          // A state directory that cannot be used is a matter of the settings.
          try #require([.exited(1), .exited(EX_CONFIG)].contains(status), "\(name): \(status)")
          expectMessage(number, cluster.log("aggregator"), name)
        case (.fails(let number, _), .stuck(let problem)):
          expectMessage(number, problem, name)
          expectMessage(number, cluster.log("aggregator"), name)
        case (.fails, .finished): break
        }
        try await cluster.kill("aggregator")
        let dump = try await run.finish()
        try #require(dump == undisturbed.dump, "\(name): \(difference(dump, undisturbed.dump))")
        return Result(hasStruck: hasStruck, hasEnded: outcome != .finished)
      } catch {
        throw ClusterError("\(name): \(error)")
      }
    }
  }

  /// Says that the disk is full, or does not work.
  private static func expectMessage(_ number: Int32, _ text: String, _ name: String) {
    let expected =
      ["disk I/O error", "Input/output error", "unable to open", "only be opened to read"]
      + (number == ENOSPC ? ["full", "No space left"] : [])
    #expect(expected.contains { text.contains($0) }, "\(name): \(text)")
  }

  /// The first lines that only one of two dumps has.
  private static func difference(_ found: String, _ expected: String) -> String {
    let (found, expected) = (found.split(separator: "\n"), expected.split(separator: "\n"))
    return found.difference(from: expected).prefix(6).map { "\($0)" }.joined(separator: "; ")
  }

  private static func withRun<Answer>(
    _ fault: Fault?, at point: Int, _ library: FaultLibrary?,
    _ body: (inout AggregatorRun, Cluster, FaultLibrary) async throws -> Answer
  ) async throws -> Answer {
    try await withTemporaryDirectory { directory in
      let cluster = try Cluster(
        directory: directory, overrides: AggregatorRun.settings(directory))
      try AggregatorScript.writeCatalog(to: "\(directory)/script-meters.json")
      try StateLock.makeDirectory(cluster.settings.runDirectory)
      let state = cluster.settings.stateDirectory
      let library =
        if let library { try library.watching(state, in: directory) } else {
          try await FaultLibrary(in: directory, watching: state)
        }
      let answer = try await ScriptedCollector.serving(
        script.steps, at: cluster.settings.socketPath("collector")
      ) { collector in
        var run = AggregatorRun(
          cluster, script, collector, library, environment: library.environment(fault, at: point))
        return try await body(&run, cluster, library)
      }
      try await cluster.kill("aggregator")
      return answer
    }
  }
}
