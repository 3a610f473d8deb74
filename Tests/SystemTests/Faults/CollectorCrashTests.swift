import CollectorClient
import StackmeterRuntime
import StackmeterTesting
import Synchronization
import Testing

/// The collector alone, ended at any time under load, and what an outside oracle finds after each start.
@Suite(.serialized, .timeLimit(.minutes(60))) struct CollectorCrashTests {
  @Test func `an event that was acknowledged survives SIGKILL at any instant`() async throws {
    let kills = try setting("STACKMETER_KILLS", default: 100)
    var random = try SeededRandom()
    try await Self.endAgainAndAgain(kills, "SIGKILL", &random) { cluster in
      try await cluster.kill("collector")
    }
  }

  @Test func `a collector that is asked to stop under load ends well and in time`() async throws {
    let stops = try setting("STACKMETER_STOPS", default: 20)
    var random = try SeededRandom()
    try await Self.endAgainAndAgain(stops, "SIGTERM", &random) { cluster in
      let start = ContinuousClock.now
      let status = try await cluster.stop("collector")
      #expect(status == .exited(0), "\(cluster.log("collector"))")
      // Calls may drain for 5 s; the rest is for a host that is busy.
      #expect(ContinuousClock.now - start < .seconds(10))
    }
  }

  /// Ends the collector `count` times, audits after each, and audits the whole at the end.
  private static func endAgainAndAgain(
    _ count: Int, _ name: String, _ random: inout SeededRandom,
    _ end: @escaping @Sendable (Cluster) async throws -> Void
  ) async throws {
    let seed = random.seed
    // Small files, so that kills come to what seals and files, too.
    try await withCluster(overrides: FaultRun.settings) { cluster in
      let path = "\(cluster.directory)/oracle"
      let oracle = try Oracle(path: path)
      var audit = Audit()
      var killsWhileStarting = 0
      try cluster.start("collector")
      for round in 0..<count {
        if Int.random(in: 0..<5, using: &random) == 0 {
          // The recovery is killed too.
          try await Task.sleep(for: .milliseconds(Int.random(in: 0...120, using: &random)))
          try await cluster.kill("collector")
          try cluster.start("collector")
          killsWhileStarting += 1
        }
        try #require(try await cluster.collectorServes(), "\(cluster.log("collector"))")
        let reporters = Reporters(oracle, name: "r\(round)", seed: random.next())
        try await cluster.endUnderLoad(
          reporters, after: .milliseconds(Int.random(in: 0...150, using: &random)), end)
        #expect(reporters.wrongAnswers == [])
        try cluster.start("collector")
        try #require(try await cluster.collectorServes(), "\(cluster.log("collector"))")
        let before = audit
        audit = try await cluster.call("collector") { channel in
          var audit = before
          try await audit.run(oracle, CollectorClient(channel))
          return audit
        }
        try #require(audit.isClean, "STACKMETER_SEED=\(seed), \(name) \(round): \(audit.summary)")
      }
      // From the file alone, and from the first position on.
      let whole = try await cluster.call("collector") { channel in
        var whole = Audit()
        try await whole.run(try Oracle(reading: path), CollectorClient(channel))
        return whole
      }
      say(
        "\(count) times \(name) under load, \(killsWhileStarting) times SIGKILL while starting: "
          + audit.summary)
      try #require(whole.isClean, "STACKMETER_SEED=\(seed): \(whole.summary)")
      #expect(whole.events == audit.events && whole.events > count)
    }
  }
}
