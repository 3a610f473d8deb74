import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

@Suite struct IntakeOpeningTests {
  /// What both logs have on the disk.
  private func files(_ disk: SimulatedDisk) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for directory in ["/journal", "/quarantine"] {
      for name in try disk.list(directory) {
        files["\(directory)/\(name)"] = try disk.read("\(directory)/\(name)", from: 0, count: .max)
      }
    }
    return files
  }

  /// Some segments of a journal whose end is torn, and refusals in more than one segment.
  private func torn() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    for number in 0..<120 {
      _ = try intake.report([
        Fixture.event("\(number)"), Fixture.event("\(number)", meter: "disk", quantity: 2),
      ])
    }
    for directory in ["/journal", "/quarantine"] {
      let tail = try #require(try RecordLog.tail(disk, directory))
      let last = try #require(try disk.list(directory).sorted().last)
      try disk.change("\(directory)/\(last)") { $0[tail.segmentBytes + 5] = 1 }
    }
    return disk
  }

  @Test(arguments: ["/journal", "/quarantine"])
  func `damage that only reading finds is refused before anything is changed`(
    directory: String
  ) throws {
    let disk = try torn()
    let names = try disk.list(directory).sorted()
    try #require(names.count > 2)
    try disk.damage("\(directory)/\(names[1])", at: 200, mask: 1)
    // Without the index all of the journal is read.
    for name in try disk.list("/dedup") { try disk.remove("/dedup/\(name)") }
    let before = try files(disk)
    #expect {
      _ = try Fixture.intake(disk)
    } throws: {
      guard case .damaged(let path, _, _)? = $0 as? RecordLogError else { return false }
      return path == "\(directory)/\(names[1])"
    }
    #expect(try files(disk) == before)
    // Once that is restored, the torn ends are cut off.
    try disk.damage("\(directory)/\(names[1])", at: 200, mask: 1)
    let intake = try Fixture.intake(disk)
    #expect(intake.tornBytes > 0 && intake.tail.nextPosition == 121)
    #expect(try files(disk).keys.filter { $0.hasSuffix(".torn") }.count == 2)
  }

  private func correction(_ id: String, of target: String) -> UsageEvent {
    var event = Fixture.event(id, quantity: 3)
    event.correction = Correction(.replaces, target)
    return event
  }

  /// What the journal says of parked corrections that were refused.
  private func unparked(_ disk: SimulatedDisk) throws -> [Unparked] {
    try Fixture.records(disk).flatMap { $0.unparked ?? [] }
  }

  @Test func `a parked correction that was refused before a crash is listed once`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let parked = [correction("first", of: "e"), correction("second", of: "e")]
    let waiting = try intake.report(parked)
    #expect(waiting == [.parked(position: 1), .parked(position: 2)])
    // Both are refused, the quarantine is committed, and the journal is not.
    try intake.tick(clock: Fixture.now.advanced(by: .seconds(8 * 86_400)))
    disk.fail([.write], after: 1, errno: EIO, isLasting: true)
    #expect(throws: DiskError.self) { try intake.commit() }
    var random = SeededRandom(seed: 1)
    disk.crash(keepingUnsynced: .dropped, &random)
    // By the journal they still wait, so their target may come.
    intake = try Fixture.intake(disk)
    let (left, listed) = (intake.corrections.count, try Fixture.quarantine(disk))
    #expect(left == 2)
    #expect(listed.map(\.event) == parked)
    #expect(listed.allSatisfy { $0.refusal.reason == .unknownTarget })
    let target = try intake.report([Fixture.event("e")])
    #expect(target[0].isAccepted)
    #expect(try unparked(disk) == [Unparked(position: 2, reason: .unknownTarget)])
    #expect(try Fixture.quarantine(disk) == listed)
    let open = intake.quarantine.openCount
    #expect(open == 2)
  }

  @Test func `a correction that was refused behind the index's files waits no more`() throws {
    let disk = SimulatedDisk()
    var configuration = Fixture.configuration(latenessLimit: .seconds(86_400))
    configuration.dedupRecentCountMax = 4
    var intake = try Fixture.intake(disk, configuration)
    _ = try intake.report((0..<4).map { Fixture.event("\($0)") } + [correction("c", of: "e")])
    let next = intake.nextDedupJob()
    let job = try #require(next)
    intake.finish(try job.run())
    // It is refused after a day, and then there are segments that the index has no need of.
    var clock = Fixture.now
    for number in 0..<100 {
      clock = clock.advanced(by: .seconds(3600))
      let start = clock.hour.start.advanced(by: .seconds(-3600))
      _ = try intake.report([Fixture.event("\(number)", start: start)], at: clock)
    }
    try #require(try unparked(disk) == [Unparked(position: 5, reason: .unknownTarget)])
    intake = try Fixture.intake(disk, configuration)
    let waiting = intake.corrections.count
    #expect(waiting == 0)
    #expect(try Fixture.quarantine(disk).count == 1)
  }

  @Test func `what was counted is known again where the lateness limit is raised`() throws {
    let disk = SimulatedDisk()
    var configuration = Fixture.configuration(latenessLimit: .seconds(86_400))
    configuration.dedupRecentCountMax = 4
    var intake = try Fixture.intake(disk, configuration)
    let old = (0..<4).map { Fixture.event("old \($0)") }
    _ = try intake.report(old)
    var clock = Fixture.now
    for number in 0..<30 {
      while let job = intake.nextDedupJob() { intake.finish(try job.run()) }
      clock = clock.advanced(by: .seconds(3600))
      let start = clock.hour.start.advanced(by: .seconds(-3600))
      _ = try intake.report([Fixture.event("\(number)", start: start)], at: clock)
    }
    let late = try intake.report(old, at: clock)
    #expect(late.allSatisfy { $0.refusal?.reason == .tooOld })
    configuration.latenessLimit = .seconds(7 * 86_400)
    intake = try Fixture.intake(disk, configuration)
    let again = try intake.report(old, at: clock)
    #expect(again == [1, 2, 3, 4].map { .duplicate(position: $0) })
  }
}
