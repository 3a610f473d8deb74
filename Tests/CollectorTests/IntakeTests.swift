import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

@Suite struct IntakeTests {
  @Test func `accepted events have consecutive positions and increasing times`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    var results: [EventResult] = []
    for round in 0..<5 {
      results += try intake.report((0..<3).map { Fixture.event("\(round)-\($0)") })
    }
    #expect(results.map(\.position) == (1...15).map { $0 })
    #expect(results.first?.reportedTime == Fixture.now)
    let times = results.compactMap(\.reportedTime)
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    let journal = try Fixture.journal(disk)
    #expect(journal.map(\.position) == results.compactMap(\.position))
    #expect(journal.map(\.time) == times)
  }

  @Test func `reported time increases whatever the clock does`() throws {
    let disk = SimulatedDisk()
    var times: [Instant] = []
    for (number, offset) in [0, 0, -3600, 60, 59, -86_400 * 365, 3600, 0].enumerated() {
      // A restart does not forget the time.
      var intake = try Fixture.intake(disk)
      let results = try intake.report(
        [Fixture.event("\(number)a"), Fixture.event("\(number)b")],
        at: Fixture.now.advanced(by: .seconds(offset)))
      times += results.compactMap(\.reportedTime)
    }
    #expect(times.count == 16 && zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test(arguments: [Int64.min, -1, 0, Instant.accepted.upperBound.nanoseconds, .max])
  func `a clock outside of all years stops nothing`(nanoseconds: Int64) throws {
    let disk = SimulatedDisk()
    let clock = Instant(nanoseconds: nanoseconds)
    for number in 0..<3 {
      var intake = try Fixture.intake(disk)
      let start = clock.nanoseconds <= 0 ? Instant(nanoseconds: 0) : Instant(seconds: 9_214_642_800)
      try intake.tick(clock: clock)
      let results = try intake.report([Fixture.event("\(number)", start: start)], at: clock)
      #expect(results[0].isAccepted, "\(results)")
      try intake.tick(clock: clock)
      try intake.commit()
    }
    let times = try Fixture.journal(disk).map(\.time)
    #expect(times.count == 3 && zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test func `room is made for what a large batch needs, and for little more`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk, recordBytesMax: 20_000)
    let batch = Fixture.batch(
      (0..<1000).map {
        var event = Fixture.event("\($0)")
        event.series.resource.additionalInfo = String(repeating: "x", count: 5000)
        return event
      })
    try intake.reserve(for: [batch])
    let allocations = disk.count(.allocate)
    let room = try disk.size("/journal/segment-00000000000000000001.log")
    _ = try intake.take(batch, clock: Fixture.now)
    try intake.commit()
    let used = intake.tail.segmentBytes
    #expect(disk.count(.allocate) == allocations)
    // Three records have the series once each.
    #expect(used > 55_000 && room < used + 10_000, "\(used) of \(room) bytes")
  }

  @Test func `an event counts once within a batch, across batches and across restarts`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let twice = try intake.report([Fixture.event(), Fixture.event()])
    #expect(twice[0].isAccepted && twice[1] == .duplicate(position: 1))
    let again = try intake.report([Fixture.event()])
    #expect(again == [.duplicate(position: 1)])
    var restarted = try Fixture.intake(disk)
    let after = try restarted.report([Fixture.event()])
    #expect(after == [.duplicate(position: 1)])
    #expect(try Fixture.journal(disk).count == 1)
  }

  @Test func `the spelling of subscription and meter makes no other event`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let results = try intake.report([
      Fixture.event(subscription: "ABC", meter: "cpu"),
      Fixture.event(subscription: "aBc", meter: "CPU"),
      Fixture.event(subscription: "abc", meter: "Cpu"),
    ])
    #expect(results[0].isAccepted)
    #expect(results[1...] == [.duplicate(position: 1), .duplicate(position: 1)])
    let series = try Fixture.journal(disk)[0].event.series
    #expect(series.subscription == "abc" && series.meter == "CPU")
  }

  @Test func `a change of any field is a conflict and the first stands`() throws {
    let first = Fixture.event()
    let changes: [(String, (inout UsageEvent) -> Void)] = [
      ("series.subscription", { $0.series.subscription = "t" }),
      ("series.meter", { $0.series.meter = "memory" }),
      ("series.resource_uri", { $0.series.resource.uri = "/R" }),
      ("series.location", { $0.series.resource.location = "eu" }),
      ("series.tags", { $0.series.resource.tags = "{\"a\":\"b\"}" }),
      ("series.additional_info", { $0.series.resource.additionalInfo = "x" }),
      ("usage_start", { $0.usageStart = $0.usageStart.advanced(by: .nanoseconds(1)) }),
      ("usage_end", { $0.usageEnd = $0.usageEnd.advanced(by: .nanoseconds(1)) }),
      ("quantity", { $0.quantity = Quantity(attos: $0.quantity.attos + 1)! }),
      ("replaces", { $0.correction = Correction(.replaces, "other") }),
      (
        "voids",
        {
          $0.correction = Correction(.voids, "other")
          $0.quantity = .zero
        }
      ),
    ]
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    _ = try intake.report([first])
    for (field, change) in changes {
      var other = first
      change(&other)
      let results = try intake.report([other])
      #expect(
        results == [
          .conflict(
            position: 1,
            Refusal(
              .conflict, field: "id",
              "was accepted at position 1 with another \(field); that event stands"))
        ])
    }
    #expect(try Fixture.journal(disk).map(\.event) == [first])
    let kept = intake.quarantine.openCount
    #expect(kept == changes.count)
  }

  @Test func `the same id of another hour or source is another event`() throws {
    var intake = try Fixture.intake(SimulatedDisk())
    let hourAgo = Fixture.now.advanced(by: .seconds(-3600))
    let results = try intake.report([
      Fixture.event(start: hourAgo), Fixture.event(start: hourAgo.advanced(by: .nanoseconds(-1))),
    ])
    let other = try intake.report([Fixture.event(source: "disk", start: hourAgo)])
    #expect((results + other).allSatisfy { $0.isAccepted })
  }

  @Test func `a refused event stands in nobody's way`() throws {
    var intake = try Fixture.intake(SimulatedDisk())
    let results = try intake.report([
      Fixture.event("1"), Fixture.event(""), Fixture.event("2", meter: "disk"),
      Fixture.event("3", start: Instant(seconds: 0)), Fixture.event("1", quantity: 2),
      Fixture.event("4"),
    ])
    #expect(results.map(\.isAccepted) == [true, false, false, false, false, true])
    #expect(results[5].position == 2)
  }

  @Test func `a batch of nothing leaves nothing`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let before = disk.count(.sync)
    let results = try intake.report([])
    #expect(results == [] && disk.count(.sync) == before)
  }

  @Test func `a large batch becomes several records and reads as one`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk, recordBytesMax: 500)
    let events = (0..<100).map { Fixture.event("\($0)", subscription: "s\($0 % 7)") }
    let results = try intake.report(events)
    #expect(results.map(\.position) == (1...100).map { $0 })
    let journal = try Fixture.journal(disk)
    #expect(journal.map(\.event) == events)
    #expect(journal.map(\.time) == results.compactMap(\.reportedTime))
    let sizes = try Fixture.records(disk).map(\.byteCount)
    #expect(sizes.count > 5 && sizes.allSatisfy { $0 < 700 })
    var restarted = try Fixture.intake(disk)
    let again = try restarted.report(events)
    #expect(again == (1...100).map { .duplicate(position: $0) })
  }
}
