import CollectorClient
import GRPCCore
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// A disk that others fill and free while the collector writes.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DiskFullTests {
  private static let diskMebibytes = 24

  @Test func `a disk that others fill is refused, and taken again once it is free`() async throws {
    let rounds = try setting("STACKMETER_DISK_FILLS", default: 10)
    var random = try SeededRandom()
    let seed = random.seed
    try await withCluster(overrides: FaultRun.settings) { cluster in
      let oracle = try Oracle(path: "\(cluster.directory)/oracle")
      let disk = try await SmallDisk(cluster, "collector", mebibytes: Self.diskMebibytes)
      var audit = Audit()
      var refusals = 0
      var number = 0
      for round in 0..<rounds {
        // Some batches with room, some without.
        for isFull in [false, true] {
          if isFull { try disk.fill(leaving: Int.random(in: 0...(900 << 10), using: &random)) }
          for _ in 0..<Int.random(in: 1...8, using: &random) {
            let now = SystemClock().now()
            let events = (0..<5).map {
              OracleEvent.random(
                "full", number + $0, textBytes: 4000, using: &random, now: now)
            }
            number += events.count
            try await oracle.willSend(events)
            switch await Self.report(cluster, events.map(\.event)) {
            case .success(let results):
              try #require(try await oracle.answered(events, results) == [])
            case .failure(let error):
              #expect(error.code == .resourceExhausted, "round \(round): \(error)")
              refusals += 1
            }
          }
        }
        try disk.free()
        let before = audit
        audit = try await cluster.call("collector") { channel in
          // By itself, without a start.
          let collector = CollectorClient(channel)
          _ = try await eventually {
            try await collector.status().refusing.isEmpty ? true : nil
          }
          var audit = before
          try await audit.run(oracle, collector)
          return audit
        }
        try #require(audit.isClean, "STACKMETER_SEED=\(seed): round \(round): \(audit.summary)")
      }
      say("\(rounds) times a full disk, \(refusals) refusals: \(audit.summary)")
      #expect(refusals >= rounds / 2)
      try await disk.stop()
    }
  }

  private static func report(
    _ cluster: Cluster, _ events: [UsageEvent]
  ) async -> Result<[EventResult], RPCError> {
    do {
      return .success(
        try await cluster.call("collector") { try await CollectorClient($0).report(events) })
    } catch {
      return .failure(error as? RPCError ?? RPCError(code: .unknown, message: "\(error)"))
    }
  }
}
