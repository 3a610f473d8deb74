import Glibc
import StackmeterRuntime
import StackmeterTesting
import Testing

/// Every system call that changes a file of the collector, with every fault that can happen to it.
///
/// By default a sample that the seed chooses; `STACKMETER_FAULT_POINTS=all` takes every call.
@Suite(.serialized, .timeLimit(.minutes(240))) struct FaultPointTests {
  static let faults: [Fault] = [
    .killBefore, .killAfter, .killTorn, .short, .fails(EIO, isLasting: false),
    .fails(EIO, isLasting: true), .fails(ENOSPC, isLasting: false),
    .fails(ENOSPC, isLasting: true), .fails(EDQUOT, isLasting: false),
  ]
  private static let pointsOfSample = 5

  /// One run at one call.
  private struct Point: Sendable {
    let fault: Fault
    let number: Int
    let seed: UInt64
  }

  private struct Outcome: Sendable {
    let hasStruck: Bool
    let hasEnded: Bool
    let events: Int
  }

  @Test(arguments: faults)
  func `a fault at any system call loses nothing and doubles nothing`(fault: Fault) async throws {
    try await withTemporaryDirectory { directory in
      var random = try SeededRandom()
      let seed = random.seed
      let library = try await FaultLibrary(in: directory, watching: "/nowhere")
      let counted = try await Self.counted.value
      let calls = fault.kinds.reduce(0) { $0 + counted[$1]! }
      try #require(calls > 10)
      let isWhole = processEnvironmentValue("STACKMETER_FAULT_POINTS") == "all"
      let stride = isWhole ? 1 : max(1, calls / Self.pointsOfSample)
      let first = Int.random(in: 1...stride, using: &random)
      let points = Swift.stride(from: first, through: calls, by: stride).map {
        Point(fault: fault, number: $0, seed: seed)
      }
      var (struck, ended, events) = (0, 0, 0)
      try await withThrowingTaskGroup(of: Outcome.self) { group in
        func add(_ outcome: Outcome?) {
          struck += outcome?.hasStruck == true ? 1 : 0
          ended += outcome?.hasEnded == true ? 1 : 0
          events += outcome?.events ?? 0
        }
        for (index, point) in points.enumerated() {
          // Two at a time: most of a run is waiting for processes.
          if index >= 2 { add(try await group.next()) }
          group.addTask { try await Self.run(point, library) }
        }
        while let outcome = try await group.next() { add(outcome) }
      }
      say(
        "system calls \(fault): \(points.count) of \(calls) points, \(struck) struck, "
          + "\(ended) ended the collector, \(events) events, 0 lost, 0 doubled")
      // Work in the background may make a run shorter than the one that was counted, but not by much.
      #expect(struck >= points.count / 2)
    }
  }

  /// How many calls of each kind a run without a fault makes. Another seed makes about as many.
  private static let counted = Task<[FaultKind: Int], any Error> {
    try await withCluster(overrides: FaultRun.settings) { cluster in
      let library = try await FaultLibrary(
        in: cluster.directory, watching: cluster.settings.stateDirectory)
      var run = try FaultRun(
        cluster, environment: library.environment(), seed: try SeededRandom().seed)
      let ended = try await run.run()
      try #require(ended == nil, "\(cluster.log("collector"))")
      let calls = try FaultKind.allCases.map { ($0, try library.count($0)) }
      // So that faults come to the thread that seals and files, too.
      try #require(try Tree.hasBeenKept(cluster.settings.stateDirectory))
      let audit = try await run.audit()
      try #require(audit.isClean && audit.events > 300, "\(audit.summary)")
      return Dictionary(uniqueKeysWithValues: calls)
    }
  }

  private static func run(
    _ point: Point, _ library: FaultLibrary
  ) async throws -> Outcome {
    try await withCluster(overrides: FaultRun.settings) { cluster in
      let library = try library.watching(cluster.settings.stateDirectory, in: cluster.directory)
      let name = "STACKMETER_SEED=\(point.seed): call \(point.number), \(point.fault)"
      var run = try FaultRun(
        cluster, environment: library.environment(point.fault, at: point.number),
        seed: point.seed)
      do {
        let ended = try await run.run()
        switch point.fault {
        case .killBefore, .killAfter, .killTorn:
          try #require(
            ended == (try library.struck > 0 ? .signalled(SIGKILL) : nil),
            "\(name): \(cluster.log("collector"))")
        case .short:
          try #require(ended == nil, "\(name): \(cluster.log("collector"))")
        case .fails:
          // It may go on without the call; a stop is one that says so.
          try #require(
            ended != .exited(0)
              && ended.map { if case .signalled = $0 { true } else { false } } != true,
            "\(name): \(cluster.log("collector"))")
        }
        let audit = try await run.audit()
        try #require(audit.isClean, "\(name): \(audit.summary)")
        return Outcome(
          hasStruck: try library.struck > 0, hasEnded: ended != nil, events: audit.events)
      } catch let error as ClusterError {
        throw ClusterError("\(name): \(error)")
      }
    }
  }
}
