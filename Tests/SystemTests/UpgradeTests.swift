import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import Testing

/// A usage database of an older version under a real aggregator that is stopped anywhere, and of a newer one.
@Suite(.serialized, .timeLimit(.minutes(10))) struct UpgradeTests {
  /// Written by the program of version 1, see `Tests/StackmeterStoreTests/Golden`.
  private static let golden = "\(Cluster.root)/Tests/StackmeterStoreTests/Golden/usage-1.sqlite"
  private static let faults: [Fault] = [
    .killBefore, .killAfter, .killTorn, .fails(EIO, isLasting: false),
    .fails(ENOSPC, isLasting: true),
  ]
  private static let pointsOfSample = 12

  /// All that a database answers, and its hashes.
  private struct Answers: Equatable {
    let aggregates: [UsageAggregate]
    let windows: [ClosedWindow]
    let position: PipelinePosition
    let unapplied: UInt64

    init(_ path: String) throws {
      let reader = try SQLiteUsageReader(path: path)
      aggregates = try reader.aggregates(
        windows: Hour(index: 0)..<Hour(index: 10_000_000), granularity: .hourly,
        filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100_000
      ).aggregates
      windows = try reader.closedWindows(before: nil, limit: 1000)
      position = try reader.position()
      unapplied = try reader.unappliedCount()
      try #require(try reader.integrityProblems() == [])
      var scrub = UsageScrub(reader)
      while true {
        let step = try scrub.step(rowsMax: 1000)
        if step == .finished { break }
        try #require(step == .working)
      }
    }
  }

  /// Puts the old database in the place of whatever is there.
  private func putGolden(_ cluster: Cluster) throws {
    try StateLock.makeDirectory(cluster.settings.stateDirectory)
    for suffix in ["-wal", "-shm", "-journal", ""] {
      unlink(cluster.settings.usageDatabase + suffix)
    }
    try fileContent(Self.golden).write(to: cluster.settings.usageDatabase)
  }

  /// Starts the aggregator, and stops it once it serves.
  private func migrate(_ cluster: Cluster) async throws -> Answers {
    try cluster.start("aggregator")
    try await cluster.serving("aggregator")
    try await cluster.kill("aggregator")
    return try Answers(cluster.settings.usageDatabase)
  }

  @Test(arguments: faults)
  func `a migration that is stopped at any write is made whole by the next start`(
    fault: Fault
  ) async throws {
    try await withCluster { cluster in
      try putGolden(cluster)
      let expected = try await migrate(cluster)
      #expect(expected.aggregates.count > 700 && expected.windows.count == 11)
      let library = try await FaultLibrary(
        in: cluster.directory, watching: cluster.settings.stateDirectory)
      try putGolden(cluster)
      try cluster.start("aggregator", environment: library.environment())
      try await cluster.serving("aggregator")
      try await cluster.kill("aggregator")
      let calls = try fault.kinds.reduce(0) { try $0 + library.count($1) }
      try #require(calls > Self.pointsOfSample)
      var random = try SeededRandom()
      let stride = max(1, calls / Self.pointsOfSample)
      var struck = 0
      for point in Swift.stride(
        from: Int.random(in: 1...stride, using: &random), through: calls, by: stride)
      {
        try library.reset()
        try putGolden(cluster)
        try cluster.start("aggregator", environment: library.environment(fault, at: point))
        // It ends at the fault, or serves where the fault is not in its way.
        _ = try await eventually { () async throws -> Bool? in
          guard cluster.isRunning("aggregator") else { return true }
          let isStruck = try library.struck > 0
          let isServing = try? await cluster.call("aggregator") {
            await HealthClient($0).isServing()
          }
          return isServing == true || (isStruck && !cluster.isRunning("aggregator")) ? true : nil
        }
        struck += try library.struck > 0 ? 1 : 0
        try await cluster.kill("aggregator")
        let found = try await migrate(cluster)
        #expect(found == expected, "STACKMETER_SEED=\(random.seed): call \(point), \(fault)")
      }
      #expect(struck > 0)
    }
  }

  @Test func `a newer database is refused with both versions, and stays as it is`() async throws {
    try await withCluster { cluster in
      try putGolden(cluster)
      var newer = try fileContent(cluster.settings.usageDatabase)
      // The user version in SQLite's header, big-endian.
      newer.replaceSubrange(60..<64, with: [0, 0, 0, 99])
      try newer.write(to: cluster.settings.usageDatabase)
      try cluster.start("aggregator")
      #expect(try await cluster.waitForExit("aggregator") == .exited(EX_CONFIG))
      #expect(
        cluster.log("aggregator").contains("is newer than this program: it has schema version 99"))
      let doctor = try await cluster.command("doctor")
      #expect(doctor.output.contains("FAIL  usage database: "), "\(doctor.output)")
      #expect(doctor.output.contains("has schema version 99"))
      let backup = try await cluster.command("backup", "\(cluster.directory)/backup")
      #expect(backup.status == .exited(1) && backup.output.contains("has schema version 99"))
      #expect(try fileContent(cluster.settings.usageDatabase)[60..<64] == [0, 0, 0, 99])
      // A writer marks the file as one with a WAL before it looks; the content is what it was.
      #expect(try fileContent(cluster.settings.usageDatabase)[100...] == newer[100...])
    }
  }

  @Test func `a newer journal is refused with both versions, and stays as it is`() async throws {
    try await withCluster { cluster in
      try cluster.start("collector")
      try await cluster.serving("collector")
      #expect(try await cluster.stop("collector") == .exited(0))
      let name = "\(cluster.settings.journalDirectory)/segment-00000000000000000001.log"
      var newer = try fileContent(name, bytesMax: 1 << 30)
      newer[8] = 9
      try newer.write(to: name)
      try cluster.start("collector")
      #expect(try await cluster.waitForExit("collector") == .exited(EX_CONFIG))
      let log = cluster.log("collector")
      #expect(log.contains("is newer than this program: it has a segment of version 9"), "\(log)")
      #expect(!log.contains("damaged"), "\(log)")
      #expect(try fileContent(name, bytesMax: 1 << 30) == newer)
    }
  }

  @Test func `up says that journal and database are newer, and does not start in circles`()
    async throws
  {
    try await withCluster { cluster in
      try cluster.start("collector")
      try await cluster.serving("collector")
      #expect(try await cluster.stop("collector") == .exited(0))
      let name = "\(cluster.settings.journalDirectory)/segment-00000000000000000001.log"
      var journal = try fileContent(name, bytesMax: 1 << 30)
      journal[8] = 9
      try journal.write(to: name)
      try putGolden(cluster)
      var database = try fileContent(cluster.settings.usageDatabase)
      database.replaceSubrange(60..<64, with: [0, 0, 0, 99])
      try database.write(to: cluster.settings.usageDatabase)
      let output = open("\(cluster.directory)/up.log", O_WRONLY | O_CREAT, 0o600)
      defer { close(output) }
      let up = try ChildProcess(
        "\(Cluster.programs)/stackmeter", ["up"], environment: cluster.environmentOfServices(),
        standardOutput: .descriptor(output), standardError: .descriptor(output))
      let lines = try await eventually { () async throws -> [Substring]? in
        let lines = String(
          decoding: try fileContent("\(cluster.directory)/up.log"), as: UTF8.self
        ).split(separator: "\n")
        return ["collector refused", "aggregator refused"].allSatisfy { start in
          lines.contains { $0.hasPrefix(start) }
        } ? lines : nil
      }
      for (service, what) in [
        ("collector", "a segment of version 9"), ("aggregator", "schema version 99"),
      ] {
        let own = lines.filter { $0.hasPrefix("\(service) ") }
        let refusal = own.first { $0.hasPrefix("\(service) refused: ") }
        #expect(refusal?.contains("is newer than this program: it has \(what)") == true, "\(own)")
        #expect(!own.contains { $0.contains("restarting") || $0.contains("damaged") }, "\(own)")
      }
      up.signal(SIGTERM)
      #expect(try await up.waitForExit() == .exited(0))
    }
  }
}
