import GRPCCore
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

@Suite(.timeLimit(.minutes(1))) struct HeartbeatTests {
  private func heartbeat(
    _ source: String = "vm", every cadence: UInt32 = 60, until seconds: Int64 = 0
  ) -> Heartbeat {
    Heartbeat(
      source: source, cadenceSeconds: cadence,
      completeUntil: Fixture.now.advanced(by: .seconds(seconds)))
  }

  private func heartbeats(_ disk: SimulatedDisk) throws -> [Heartbeat] {
    try Fixture.records(disk).compactMap(\.heartbeat)
  }

  @Test func `what a source says is durable once, and never goes back`() async throws {
    let disk = SimulatedDisk()
    try await withCollector(disk) { collector in
      let first = try #require(try await collector.heartbeat(heartbeat(until: -60)))
      #expect(
        first.cadenceSeconds == 60 && first.completeUntil == heartbeat(until: -60).completeUntil)
      #expect(try heartbeats(disk) == [heartbeat(until: -60)])
      // Repeated blindly, or of an older time: success, and nothing is written.
      #expect(try await collector.heartbeat(heartbeat(until: -60)) == first)
      #expect(try await collector.heartbeat(heartbeat(until: -3600)) == first)
      #expect(try heartbeats(disk).count == 1)
      // The end is written also of a source that the collector does not know: the usage database may.
      #expect(try await collector.heartbeat(.end(of: "other")) == nil)
      #expect(try heartbeats(disk).last == .end(of: "other"))
      _ = try await collector.heartbeat(heartbeat(until: 0))
      #expect(try await collector.heartbeat(.end(of: "vm")) == nil)
    }
    #expect(
      try heartbeats(disk) == [
        heartbeat(until: -60), .end(of: "other"), heartbeat(until: 0), .end(of: "vm"),
      ])
    #expect(try Fixture.records(disk).allSatisfy { $0.count == 0 })
  }

  @Test func `a new process knows the sources, with the files of the index and without`() throws {
    let disk = SimulatedDisk()
    var configuration = Fixture.configuration()
    configuration.dedupRecentCountMax = 10
    var intake = try Fixture.intake(disk, configuration)
    func take(
      _ heartbeat: Heartbeat, at seconds: Int64, _ intake: inout Intake
    ) throws {
      _ = try intake.take(heartbeat, clock: Fixture.now.advanced(by: .seconds(seconds))).get()
      try intake.commit()
    }
    var files = 0
    for number in 0..<60 {
      try take(heartbeat("a", until: Int64(number)), at: Int64(number), &intake)
      try take(heartbeat("\(number)", until: 0), at: Int64(number), &intake)
      if number % 3 == 0 { try take(.end(of: "\(number)"), at: Int64(number), &intake) }
      _ = try intake.report([Fixture.event("\(number)")])
      // The index writes a file of what was reported so far, now and then.
      if let job = intake.nextDedupJob() {
        intake.finish(try job.run())
        files += 1
      }
    }
    let sources = intake.sources
    #expect(sources.count == 1 + 60 - 20 && files > 2)
    let known = try Fixture.intake(disk, configuration).sources
    #expect(known == sources)
    for name in try disk.list("/dedup") { try disk.remove("/dedup/\(name)") }
    let read = try Fixture.intake(disk, configuration).sources
    #expect(read == sources)
  }

  @Test func `wrong fields are refused by name, and nothing is written`() async throws {
    let disk = SimulatedDisk()
    let longest = String(repeating: "s", count: EventLimits.sourceBytesMax)
    try await withCollector(disk) { collector in
      let wrong: [(Heartbeat, String)] = [
        (heartbeat(""), "source"), (heartbeat(longest + "s"), "source"),
        (heartbeat("a b"), "source"), (heartbeat("ü"), "source"),
        (heartbeat(every: 0), "cadence_seconds"),
        (heartbeat(every: HeartbeatLimits.cadenceSecondsMax + 1), "cadence_seconds"),
        (heartbeat(until: 302), "complete_until"),
      ]
      for (heartbeat, field) in wrong {
        let error = await #expect(throws: CollectorError.self) {
          try await collector.heartbeat(heartbeat)
        }
        #expect(error?.rpcErrorCode == .invalidArgument)
        #expect(error?.rpcErrorMessage.hasPrefix("\(field): ") == true, "\(heartbeat)")
      }
      #expect(try heartbeats(disk).isEmpty)
      _ = try await collector.heartbeat(heartbeat(longest, until: 300))
      _ = try await collector.heartbeat(heartbeat(every: HeartbeatLimits.cadenceSecondsMax))
    }
    #expect(try heartbeats(disk).count == 2)
  }

  @Test func `past the limit of sources the next one is refused`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    for number in 0..<HeartbeatLimits.sourcesMax {
      _ = try intake.take(heartbeat("\(number)"), clock: Fixture.now).get()
    }
    try intake.commit()
    let refused = try intake.take(heartbeat("more"), clock: Fixture.now)
    #expect(refused == .failure(.tooManySources))
    #expect(CollectorError.tooManySources.rpcErrorMessage.contains("4096"))
    _ = try intake.take(.end(of: "7"), clock: Fixture.now).get()
    let taken = try intake.take(heartbeat("more"), clock: Fixture.now).get()
    #expect(taken?.name == "more")
  }
}
