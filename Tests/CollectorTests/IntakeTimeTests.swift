import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

/// What time does to an intake: ticks, and what is forgotten.
@Suite struct IntakeTimeTests {
  private func ticks(_ disk: SimulatedDisk) throws -> [Instant] {
    try Fixture.records(disk).filter { $0.kind == .tick }.map(\.firstTime)
  }

  private func tick(_ intake: inout Intake, _ offset: Duration) throws {
    try intake.tick(clock: Fixture.now.advanced(by: offset))
    try intake.commit()
  }

  @Test func `an hour without events is ended once, also across a restart`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    _ = try intake.report([Fixture.event()])
    try tick(&intake, .seconds(3599))
    #expect(try ticks(disk) == [])
    try tick(&intake, .seconds(3601))
    try tick(&intake, .seconds(3700))
    var restarted = try Fixture.intake(disk)
    try tick(&restarted, .seconds(7199))
    #expect(try ticks(disk) == [Fixture.now.advanced(by: .seconds(3601))])
    try tick(&restarted, .seconds(7200))
    #expect(try ticks(disk).count == 2)
  }

  @Test func `an hour that an event has ended gets no tick`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let later = Fixture.now.advanced(by: .seconds(3600))
    _ = try intake.report([Fixture.event()], at: later)
    try intake.tick(clock: later)
    try intake.commit()
    #expect(try ticks(disk) == [])
  }

  @Test func `what follows a tick is reported after it`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    try tick(&intake, .seconds(3600))
    let results = try intake.report([Fixture.event()], at: Fixture.now)
    #expect(results[0].reportedTime == Fixture.now.advanced(by: .seconds(3600) + .nanoseconds(1)))
    #expect(results[0].position == 1)
  }

  @Test func `what is past the limit is forgotten, whether or not the collector idles`() throws {
    for isIdle in [false, true] {
      let disk = SimulatedDisk()
      let limited = Fixture.configuration(latenessLimit: .seconds(3 * 3600))
      var intake = try Fixture.intake(disk, limited)
      for hour in 0..<24 {
        let clock = Fixture.now.advanced(by: .seconds(3600 * hour))
        if isIdle { try intake.tick(clock: clock) }
        let results = try intake.take(
          Fixture.batch((0..<5).map { Fixture.event("\($0)", start: clock) }), clock: clock)
        #expect(results.allSatisfy { $0.isAccepted })
        try intake.tick(clock: clock)
        try intake.commit()
        let known = intake.dedupEntries
        #expect(known <= 5 * 4)
      }
      intake = try Fixture.intake(disk, limited)
      let rebuilt = intake.dedupEntries
      #expect(rebuilt == 5 * 3)
    }
  }

  @Test func `a forgotten event is refused and never counted again`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let event = Fixture.event(start: Fixture.now)
    _ = try intake.report([event])
    let week: Duration = .seconds(7 * 86_400)
    let atLimit = try intake.report([event], at: Fixture.now.advanced(by: week))
    #expect(atLimit == [.duplicate(position: 1)])
    try tick(&intake, week + .seconds(3600))
    let results = try intake.report([event], at: Fixture.now.advanced(by: week + .seconds(3600)))
    // Even where the clock goes back behind the limit.
    let back = try intake.report([event], at: Fixture.now)
    var restarted = try Fixture.intake(disk)
    let after = try restarted.report([event], at: Fixture.now)
    for result in results + back + after { #expect(result.refusal?.reason == .tooOld) }
    #expect(try Fixture.journal(disk).count == 1)
  }

  @Test func `a longer limit after a restart knows the older events`() throws {
    let disk = SimulatedDisk()
    let hours = Fixture.configuration(latenessLimit: .seconds(2 * 3600))
    var intake = try Fixture.intake(disk, hours)
    let event = Fixture.event(start: Fixture.now)
    _ = try intake.report([event])
    try tick(&intake, .seconds(86_400))
    var patient = try Fixture.intake(disk)
    let results = try patient.report([event], at: Fixture.now.advanced(by: .seconds(86_400)))
    #expect(results == [.duplicate(position: 1)])
  }
}
