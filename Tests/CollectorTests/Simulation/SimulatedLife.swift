import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting

@testable import CollectorServer

/// One collector from its first start on, through some processes that end as processes do. All of it follows from one
/// seed: there are no threads, and time is what the life makes it.
struct SimulatedLife {
  var random: SeededRandom
  let disk = SimulatedDisk()
  let clock = SimulatedClock(Fixture.now.advanced(by: .milliseconds(1_234_567)))
  var oracle = SimulationOracle()
  var rules: SimulatedRules
  var traffic = SimulatedTraffic()
  var trace: SimulationTrace
  let configuration: CollectorConfiguration

  /// What is at work when a process ends by an error: without one of these it must not.
  var isDisturbed = false
  /// A file of the dedup index has been changed, and may not have been found out yet.
  var isDedupFlipped = false
  /// The commit whose end is not known, and what its parked corrections lost for lack of room.
  var unanswered: (commit: SimulatedCommit, droppedParked: Int)?
  /// What the retention may have removed so far.
  var removedBefore: (position: UInt64, time: Instant) = (0, Instant(nanoseconds: 0))
  /// Entries of the quarantine that were listed at some time.
  var listed: [RefusedEvent] = []
  /// Asked for and not run, and run and not handed over.
  var jobs: [Housekeeping.Job] = []
  var completions: [Housekeeping.Completion] = []
  var applied: UInt64?

  static let segmentBytesMax = 4096
  static let recordBytesMax = 600
  private static let processesMax = 3
  private static let turnsMax = 5

  init(seed: UInt64, trace: SimulationTrace) {
    random = SeededRandom(seed: seed)
    self.trace = trace
    let limitHours = Int.random(in: 3...6, using: &random)
    rules = SimulatedRules(limitHours: limitHours)
    let isQuarantineSmall = Int.random(in: 0..<6, using: &random) == 0
    configuration = CollectorConfiguration(
      journalDirectory: "/journal", quarantineDirectory: "/quarantine", dedupDirectory: "/dedup",
      dedupMemoryBytes: Int.random(in: 4...40, using: &random) * 24,
      dedupRecentCountMax: Int.random(in: 4...30, using: &random),
      latenessLimit: .seconds(3600 * limitHours), diskReserveBytes: 0,
      quarantineBytesMax: isQuarantineSmall ? 2000 : 32_000,
      journalRetention: Bool.random(using: &random) ? .seconds(3600 * (limitHours + 1)) : nil)
    disk.setCanAllocate(Int.random(in: 0..<8, using: &random) > 0)
  }

  func openIntake(_ disk: SimulatedDisk) throws -> Intake {
    // Each process draws its own secrets.
    var secrets = random
    return try Intake.open(
      disk: disk, configuration: configuration,
      catalog: rules.knowsDisk ? Fixture.laterCatalog : Fixture.catalog,
      secrets: Intake.Secrets(using: &secrets), segmentBytesMax: SimulatedLife.segmentBytesMax,
      recordBytesMax: SimulatedLife.recordBytesMax)
  }

  mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

  /// Throws a `SimulationProblem` where the collector did what it must not.
  mutating func run() throws {
    for _ in 0..<Int.random(in: 1...SimulatedLife.processesMax, using: &random) {
      do {
        try process(turns: Int.random(in: 1...SimulatedLife.turnsMax, using: &random))
      } catch let problem as SimulationProblem {
        throw problem
      } catch {
        trace.note("the process ended: \(error)")
        try expect(isDisturbed || isDedupFlipped, "the process ended for no reason: \(error)")
      }
      try restart()
    }
    isDisturbed = false
    // Once nothing fails any more, everything is there. A damaged index is found out once and made anew.
    do {
      try process(turns: 0)
    } catch let problem as SimulationProblem {
      throw problem
    } catch {
      try expect(isDedupFlipped, "the last process ended for no reason: \(error)")
      isDedupFlipped = false
      disk.heal()
      try process(turns: 0)
    }
  }

  private mutating func process(turns: Int) throws {
    (jobs, completions, applied) = ([], [], nil)
    if isDisturbed { armFault() }
    var intake = try openIntake(disk)
    var reader = try recover(&intake)
    var reported = ReportedClock(wall: clock.now(), elapsed: clock.elapsed())
    // What the opening has gathered is durable before anything is looked at.
    try commit(
      &intake, &reader, SimulatedCommit(model: oracle.model), dropped: intake.quarantine.dropped)
    try check(&intake, stride: 1)
    if chance(4) { try checkDamage() }
    for _ in 0..<turns {
      if chance(12) {
        isDisturbed = true
        armFault()
      }
      try self.turn(&intake, &reader, &reported)
      if chance(5) { try check(&intake, stride: 4) }
      if chance(16) { try checkDamage() }
    }
    guard chance(2) else { return }
    intake.mark()
    try intake.commit()
    try check(&intake, stride: 1)
  }

  /// Compares what a process has found with what is known, and gives a reader that stands at its end.
  private mutating func recover(_ intake: inout Intake) throws -> LogReader {
    let (recovered, reader) = try disk.withoutFault { try SimulatedLife.read(disk, intake.tail) }
    try oracle.reopen(
      recovered,
      from: try disk.withoutFault { try SimulatedLife.firstPosition(disk) },
      unanswered?.commit, droppedParked: unanswered?.droppedParked ?? 0,
      removedBefore: removedBefore)
    try oracle.checkQuarantine(
      try disk.withoutFault { try list(intake) }.map { $0.entry(nil) }, unanswered?.commit)
    unanswered = nil
    return reader
  }

  /// The journal's records but for its marks, from the first that is kept.
  static func read(
    _ disk: SimulatedDisk, _ tail: LogTail
  ) throws -> (records: [Record], reader: LogReader) {
    let first = try firstPosition(disk)
    var reader = LogReader(disk: disk, directory: "/journal", fromPosition: first)
    var records: [Record] = []
    while let chunk = try reader.next(upTo: tail) {
      records += Record.all(in: chunk.bytes, of: chunk.id).filter { $0.kind != .mark }
    }
    return (records, reader)
  }

  /// Where the journal's oldest segment begins, sealed or not.
  static func firstPosition(_ disk: SimulatedDisk) throws -> UInt64 {
    let names = try disk.list("/journal").filter {
      $0.hasSuffix(".log") || $0.hasSuffix(".sealed")
    }
    let positions = names.compactMap { name in
      name.split(separator: ".").first?.split(separator: "-").last.flatMap { UInt64($0) }
    }
    return positions.min() ?? 1
  }

  /// The open entries of the quarantine, as the collector lists them.
  func list(_ intake: borrowing Intake) throws -> [RefusedEvent] {
    try QuarantineReader(disk: disk, directory: "/quarantine", view: intake.quarantine.view).page(
      after: 0, matching: QuarantineFilter(), isOpenOnly: true, countMax: .max, bytesMax: .max
    ).events
  }

  /// Commits, and compares the journal with what is then answered. `dropped` counts what the quarantine had no room
  /// for in this commit.
  mutating func commit(
    _ intake: inout Intake, _ reader: inout LogReader, _ commit: SimulatedCommit, dropped: UInt64
  ) throws {
    let droppedParked = Int(dropped) - commit.dropped
    unanswered = (commit, droppedParked)
    try intake.commit()
    unanswered = nil
    try disk.withoutFault { try oracle.read(&reader, intake.tail) }
    try oracle.confirm(commit, droppedParked: droppedParked)
  }

  /// Everything that must hold between two commits.
  private mutating func check(_ intake: inout Intake, stride: Int) throws {
    try oracle.check(rules)
    let entries = try disk.withoutFault { try list(intake) }
    try oracle.checkQuarantine(entries.map { $0.entry(nil) }, nil)
    listed = Array((listed + entries).suffix(30))
    let disk = disk
    var random = random
    let (oracle, rules) = (oracle, rules)
    try disk.withoutFault {
      try oracle.checkHistory(&intake.history, rules, stride: stride, &random)
    }
    self.random = random
  }
}

/// What a life has done: empty unless it is asked for, since the same seed does it again.
struct SimulationTrace {
  let isOn: Bool
  private(set) var lines: [String] = []

  init(isOn: Bool) { self.isOn = isOn }

  mutating func note(_ line: @autoclosure () -> String) {
    if isOn { lines.append(line()) }
  }
}
