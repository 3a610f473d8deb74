import GRPCCore
import Glibc
import Logging
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import CollectorServer

@Suite struct HousekeepingTests {
  private static func housekeeping(pause: Duration = .zero) -> Housekeeping {
    Housekeeping(
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, niceness: 0, pause: pause)
  }

  /// One turn of the commit thread, with what it asks for done at once.
  private static func turn(
    _ housekeeping: Housekeeping, _ intake: inout Intake, applied: UInt64? = nil
  ) {
    if housekeeping.isReady {
      if let job = intake.dedupJob() { housekeeping.put(job) }
      for job in intake.housekeepingJobs(applied: applied) { housekeeping.put(job) }
    }
    housekeeping.runWaiting()
    for completion in housekeeping.takeCompletions() { completion(&intake) }
  }

  private static func fill(_ intake: inout Intake, _ clock: SimulatedClock) throws {
    for hour in 0..<40 {
      let start = clock.now().advanced(by: .seconds(-3600))
      let batch = Fixture.batch((0..<10).map { Fixture.event("\(hour)-\($0)", start: start) })
      try intake.reserve(for: [batch])
      _ = try intake.take(batch, clock: clock.now())
      try intake.commit()
      clock.advance(by: .seconds(3600))
    }
  }

  private static func names(_ disk: SimulatedDisk, _ suffix: String) throws -> [String] {
    try disk.list("/journal").filter { $0.hasSuffix(suffix) }.sorted()
  }

  @Test func `full segments are sealed one at a time, and everything stays readable`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    try Self.fill(&intake, SimulatedClock())
    let before = try Fixture.journal(disk).map(\.event)
    let full = try Self.names(disk, ".log").count - 1
    try #require(full > 3)
    let housekeeping = Self.housekeeping()
    for count in 1...full {
      Self.turn(housekeeping, &intake)
      #expect(try Self.names(disk, ".sealed").count == count)
    }
    Self.turn(housekeeping, &intake)
    #expect(try Self.names(disk, ".log").count == 1)
    #expect(try Fixture.journal(disk).map(\.event) == before)
  }

  @Test func `old segments go once the aggregator has them, and never without its word`() throws {
    let disk = SimulatedDisk()
    let clock = SimulatedClock()
    var configuration = Fixture.configuration()
    configuration.journalRetention = .seconds(20 * 3600)
    var intake = try Fixture.intake(disk, configuration)
    try Self.fill(&intake, clock)
    let housekeeping = Self.housekeeping()
    for _ in 0..<40 { Self.turn(housekeeping, &intake) }
    let all = try Self.names(disk, ".sealed").count
    Self.turn(housekeeping, &intake, applied: 2)
    #expect(try Self.names(disk, ".sealed").count == all)
    // What the disk refuses is tried again.
    disk.fail([.remove], after: 1, errno: EIO)
    Self.turn(housekeeping, &intake, applied: .max)
    #expect(try Self.names(disk, ".sealed").count == all - 1)
    Self.turn(housekeeping, &intake, applied: .max)
    let left = try Self.names(disk, ".sealed").count
    #expect(left < all - 1 && left > 1)
    // What is younger than the retention is all there, and the collector opens as before.
    let limit = intake.lastTime.advanced(by: .seconds(-20 * 3600))
    let first = try #require(
      try Self.names(disk, ".sealed").first.flatMap { UInt64($0.dropFirst(8).dropLast(7)) })
    var reader = LogReader(disk: disk, directory: "/journal", fromPosition: first)
    let tail = intake.tail
    let oldest = try #require(try reader.next(upTo: tail))
    let record = try #require(Record.all(in: oldest.bytes, of: oldest.id).first)
    #expect(record.firstTime <= limit && record.firstPosition == first)
    let again = try Fixture.intake(disk, configuration)
    let last = again.tail.nextPosition
    #expect(last == tail.nextPosition)
  }

  @Test func `what the disk refuses is tried again after a pause`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    try Self.fill(&intake, SimulatedClock())
    disk.fail([.write], after: 0, errno: ENOSPC, isLasting: true)
    let patient = Self.housekeeping(pause: .seconds(3600))
    Self.turn(patient, &intake)
    #expect(!patient.isReady && patient.damage == nil)
    let housekeeping = Self.housekeeping()
    Self.turn(housekeeping, &intake)
    #expect(housekeeping.isReady)
    #expect(try Self.names(disk, ".sealed").isEmpty)
    disk.heal()
    Self.turn(housekeeping, &intake)
    #expect(try Self.names(disk, ".sealed").count == 1)
  }

  @Test func `damage that sealing finds ends the collector, and the segment stays`() async throws {
    let disk = SimulatedDisk()
    let clock = SimulatedClock()
    var intake = try Fixture.intake(disk)
    try Self.fill(&intake, clock)
    // Old enough that it is not read when the collector starts.
    clock.advance(by: .seconds(30 * 86_400))
    try intake.tick(clock: clock.now())
    try intake.commit()
    let first = "/journal/\(try #require(try Self.names(disk, ".log").first))"
    try disk.change(first) { $0[200] ^= 1 }
    let collector = try makeCollector(disk, clock)
    let error = await #expect(throws: CollectorError.self) { try await collector.run() }
    guard case .journalDamaged(let problem) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(problem.contains("\(first) is damaged at byte"))
    #expect(try Self.names(disk, ".sealed").isEmpty)
  }

  @Test func `a position is confirmed for this journal and within it`() async throws {
    try await withCollector { collector in
      _ = try await collector.report([Fixture.batch([Fixture.event()])])
      var random = SeededRandom(seed: 1)
      let id = Intake.Secrets(using: &random).newJournal.rawValue
      try collector.confirmApplied(2, of: id)
      let beyond = #expect(throws: CollectorError.self) { try collector.confirmApplied(3, of: id) }
      #expect(beyond == .beyondJournal(position: 3, nextPosition: 2))
      let other = #expect(throws: CollectorError.self) { try collector.confirmApplied(1, of: 5) }
      #expect(other?.rpcErrorCode == .failedPrecondition)
      let unnamed = #expect(throws: CollectorError.self) { try collector.confirmApplied(1, of: 0) }
      #expect(unnamed == .unnamedJournal && unnamed?.rpcErrorCode == .invalidArgument)
    }
  }

  @Test func `without space for a segment it refuses, keeps nothing, and goes on by itself`()
    async throws
  {
    let disk = SimulatedDisk()
    try await withCollector(disk) { collector in
      _ = try await collector.report([Fixture.batch([Fixture.event("1")])])
      let large = Fixture.batch((0..<200).map { Fixture.event("large-\($0)") })
      disk.fail([.allocate], after: 0, errno: ENOSPC, isLasting: true)
      let error = await #expect(throws: CollectorError.self) {
        try await collector.report([large])
      }
      #expect(error?.rpcErrorCode == .resourceExhausted)
      #expect(error?.rpcErrorMessage.hasPrefix("there is no room for the journal") == true)
      disk.heal()
      let results = try await collector.results([large])
      #expect(results[0][0].position == 2 && results[0].allSatisfy(\.isAccepted))
      #expect(collector.status().refusing == "")
    }
    #expect(try Fixture.journal(disk).count == 201)
  }
}
