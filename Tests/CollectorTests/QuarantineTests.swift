import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

/// What is kept, what is closed, and what becomes of the room.
@Suite struct QuarantineTests {
  private func unknown(_ id: String, source: String = "vm") -> UsageEvent {
    Fixture.event(id, source: source, meter: "disk")
  }

  /// Entries as they are read for a redrive.
  private func refused(_ intake: borrowing Intake, _ disk: SimulatedDisk) throws -> [RefusedEvent] {
    let reader = QuarantineReader(
      disk: disk, directory: "/quarantine", view: intake.quarantine.view)
    return try reader.page(
      after: 0, matching: QuarantineFilter(), isOpenOnly: true, countMax: .max, bytesMax: .max
    ).events
  }

  @Test func `what is refused again the same way is kept once, also after a restart`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let first = try intake.report([unknown("1"), unknown("1"), unknown("2")])
    for _ in 0..<3 {
      let again = try intake.report([unknown("1"), unknown("2")])
      #expect(again == [first[0], first[2]])
    }
    intake = try Fixture.intake(disk, seed: 2)
    let restarted = try intake.report([unknown("1"), unknown("2")])
    #expect(restarted == [first[0], first[2]])
    let open = intake.quarantine.openCount
    #expect(open == 2)
    #expect(try Fixture.quarantine(disk).map(\.event.id) == ["1", "2"])
    // Everything that makes it another refusal makes it another entry.
    let others = [
      unknown("1", source: "other"), Fixture.event("1", meter: "tape"),
      Fixture.event("1", meter: "disk", quantity: 2),
      Fixture.event("1", meter: "disk", start: Fixture.now.advanced(by: .seconds(-7200))),
    ]
    for other in others { _ = try intake.report([other]) }
    _ = try intake.take(
      Fixture.batch([Fixture.event("1", duration: .seconds(86_400))]), clock: Fixture.now)
    _ = try intake.take(
      Fixture.batch([Fixture.event("1", start: Instant(seconds: 0))]), clock: Fixture.now)
    try intake.commit()
    let more = intake.quarantine.openCount
    #expect(more == 8)
  }

  @Test func `what was discarded is kept again when it is reported again`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    _ = try intake.report([unknown("1")])
    let results = intake.discard(try refused(intake, disk), clock: Fixture.now)
    try intake.commit()
    #expect(results == [QuarantineResult(number: 1, state: .resolved(.discarded))])
    _ = try intake.report([unknown("1"), unknown("1")])
    intake = try Fixture.intake(disk)
    #expect(try refused(intake, disk).map(\.number) == [2])
    let redriven = try intake.redrive(try refused(intake, disk), clock: Fixture.now)
    #expect(
      redriven.entries[0].state == .open && redriven.entries[0].refusal?.reason == .unknownMeter)
  }

  @Test func `an event is counted once, however often it is redriven`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    _ = try intake.report([Fixture.event("0"), unknown("1"), unknown("2"), Fixture.event("")])
    intake = try Fixture.intake(disk, catalog: Fixture.laterCatalog)
    let entries = try refused(intake, disk)
    #expect(entries.map(\.number) == [1, 2, 3])
    let first = try intake.redrive(Array(entries[..<2]) + entries, clock: Fixture.now)
    try intake.commit()
    #expect(
      first.entries.map(\.state) == [
        .resolved(.redriven(position: 2)), .resolved(.redriven(position: 3)),
        .resolved(.redriven(position: 2)), .resolved(.redriven(position: 3)), .open,
      ])
    #expect(first.entries[4].refusal == entries[2].refusal)
    for _ in 0..<2 {
      let again = try intake.redrive(entries, clock: Fixture.now)
      try intake.commit()
      #expect(again.entries == Array(first.entries[2...]))
      intake = try Fixture.intake(disk, catalog: Fixture.laterCatalog)
    }
    #expect(try Fixture.journal(disk).map(\.event.id) == ["0", "1", "2"])
    let reported = try intake.report([unknown("1")])
    #expect(reported == [.duplicate(position: 2)])
    let left = intake.quarantine.openCount
    #expect(left == 1)
  }

  private func replacement(_ id: String, of target: String) -> UsageEvent {
    var event = Fixture.event(id, quantity: 3)
    event.correction = Correction(.replaces, target)
    return event
  }

  /// Counts of the journal: what is counted in the end, whatever the order.
  private func sum(_ disk: SimulatedDisk) throws -> Quantity {
    try Fixture.records(disk).compactMap(\.countedEvents).reduce(Quantity.zero) { sum, batch in
      (0..<batch.count).reduce(sum) { $0.adding(batch.event($1).quantity)! }
    }
  }

  /// A correction that has waited in vain for an event that came too late.
  private func refusedInTheEnd() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let parked = try intake.report([replacement("r", of: "e"), replacement("q", of: "r")])
    try #require(parked == [.parked(position: 1), .parked(position: 2)])
    let late = try intake.report([Fixture.event("e")], at: Self.late)
    try #require(late[0].refusal?.reason == .tooOld)
    try #require(
      try refused(intake, disk).map(\.refusal.reason) == [.unknownTarget, .unknownTarget, .tooOld])
    return disk
  }

  private static let late = Fixture.now.advanced(by: .seconds(8 * 86_400))
  private static let raised = Fixture.configuration(latenessLimit: .seconds(30 * 86_400))

  @Test func `a correction that waited in vain is counted once its target is, and once only`()
    throws
  {
    let disk = try refusedInTheEnd()
    var intake = try Fixture.intake(disk, Self.raised)
    let (r, q, e) = try {
      let entries = try refused(intake, disk)
      return (entries[0], entries[1], entries[2])
    }()
    // Before its target it is told to come back, and stays open.
    let early = try intake.redrive([r, q], clock: Self.late)
    #expect(early.entries.map(\.state) == [.open, .open])
    #expect(early.events.map { $0.refusal?.reason } == [.unknownTarget, .unknownTarget])
    #expect(early.events[0].refusal?.message.contains("redrive it once that is") == true)
    // The journal is committed, and then the entries are not closed.
    let inOrder = try intake.redrive([e, r, q], clock: Self.late)
    #expect(
      inOrder.entries.map(\.state) == [
        .resolved(.redriven(position: 3)), .resolved(.redriven(position: 4)),
        .resolved(.redriven(position: 5)),
      ])
    disk.fail([.write], after: 1, errno: EIO, isLasting: true)
    #expect(throws: DiskError.self) { try intake.commit() }
    var random = SeededRandom(seed: 1)
    disk.crash(keepingUnsynced: .dropped, &random)
    intake = try Fixture.intake(disk, Self.raised)
    #expect(try sum(disk) == Quantity(3))
    let again = try intake.redrive(try refused(intake, disk), clock: Self.late)
    try intake.commit()
    #expect(again.events == [1, 2, 3].map { .duplicate(position: $0) })
    let left = intake.quarantine.openCount
    #expect(left == 0)
    let reported = try intake.report([replacement("r", of: "e")], at: Self.late)
    #expect(reported == [.duplicate(position: 1)])
    #expect(try sum(disk) == Quantity(3))
  }

  @Test func `a correction that another one has forestalled stays refused when it is redriven`()
    throws
  {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    _ = try intake.report([replacement("r", of: "e"), replacement("q", of: "e")])
    _ = try intake.report([Fixture.event("e")])
    let entries = try refused(intake, disk)
    #expect(entries.map { $0.event.event(0).id } == ["q"])
    let redriven = try intake.redrive(entries, clock: Fixture.now)
    try intake.commit()
    #expect(redriven.entries.map(\.state) == [.open])
    #expect(redriven.entries[0].refusal?.reason == .alreadyCorrected)
    #expect(try sum(disk) == Quantity(3))
    let left = intake.quarantine.openCount
    #expect(left == 1)
  }

  @Test func `what is refused again for another reason stays the one entry`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    _ = try intake.report([unknown("1")])
    intake = try Fixture.intake(disk, catalog: Fixture.laterCatalog)
    let late = Fixture.now.advanced(by: .seconds(9 * 86_400))
    let results = try intake.redrive(try refused(intake, disk), clock: late)
    try intake.commit()
    #expect(results.entries[0].refusal?.reason == .tooOld && results.entries[0].state == .open)
    #expect(try Fixture.quarantine(disk).count == 1)
  }

  @Test func `what cannot be an event stays refused as it was, whatever it was cut to`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let long = String(repeating: "é", count: 40_000)
    var results: [EventResult] = []
    var batches = ["id", "subscription", "meter", "uri", "location", "tags", "info"].map { field in
      var event = Fixture.event(field)
      switch field {
      case "id": event.id = long
      case "subscription": event.series.subscription = String(repeating: "s", count: 129)
      case "meter": event.series.meter = String(repeating: "CPU", count: 100)
      case "uri": event.series.resource.uri = long
      case "location": event.series.resource.location = long
      case "tags": event.series.resource.tags = long
      default: event.series.resource.additionalInfo = long
      }
      return Fixture.batch([event])
    }
    var noQuantity = Fixture.batch([Fixture.event("quantity")])
    noQuantity.attos = [EventBatch.notAQuantity]
    var noText = Fixture.batch([Fixture.event("text")])
    noText.ids = [0x74, 0xFF, 0x78, 0x74]
    batches += [noQuantity, noText]
    for batch in batches { results += try intake.take(batch, clock: Fixture.now) }
    try intake.commit()
    intake = try Fixture.intake(disk)
    let entries = try refused(intake, disk)
    #expect(entries.count == batches.count)
    for record in try Fixture.records(disk, "/quarantine") {
      #expect(record.byteCount < Quarantine.refusedBytesMax)
    }
    let redriven = try intake.redrive(entries, clock: Fixture.now)
    #expect(redriven.entries.map(\.refusal) == results.map(\.refusal))
    #expect(redriven.entries.allSatisfy { $0.state == .open && $0.refusal?.reason == .malformed })
    try intake.commit()
    #expect(try Fixture.journal(disk).isEmpty)
    #expect(try Fixture.quarantine(disk).count == batches.count)
  }

  @Test func `a full quarantine counts what it drops, and can be emptied`() throws {
    let disk = SimulatedDisk()
    let configuration = Fixture.configuration(quarantineBytesMax: 20_000)
    var intake = try Fixture.intake(disk, configuration)
    var (number, dropped) = (0, 0 as UInt64)
    while dropped == 0 {
      _ = try intake.report([unknown("\(number)")])
      number += 1
      dropped = intake.quarantine.dropped
    }
    let full = intake.quarantine.byteCount
    #expect(full >= 20_000 && full < 20_300 && dropped == 1)
    // What is there already is told nothing of it.
    let known = try intake.report([unknown("0")])
    #expect(known[0].refusal?.message.contains("quarantine is full") == false)
    let segments = try SegmentFiles.firstPositions(disk, "/quarantine").count
    #expect(segments > 4)
    // All but the oldest entry: nothing may be removed.
    let entries = try refused(intake, disk)
    _ = intake.discard(Array(entries.dropFirst()), clock: Fixture.now)
    try intake.commit()
    #expect(try SegmentFiles.firstPositions(disk, "/quarantine").count >= segments)
    #expect(try refused(intake, disk).map(\.number) == [1])
    _ = intake.discard([entries[0]], clock: Fixture.now)
    try intake.commit()
    #expect(try SegmentFiles.firstPositions(disk, "/quarantine").count <= 2)
    let empty = intake.quarantine.byteCount
    let onDisk = try disk.list("/quarantine").reduce(0) { try $0 + disk.size("/quarantine/\($1)") }
    #expect(empty < 20_000 && empty <= UInt64(onDisk))
    #expect(intake.quarantine.view.state(of: 1) == .absent)
    intake = try Fixture.intake(disk, configuration)
    let reopened = intake.quarantine.byteCount
    #expect(reopened == empty)
    let kept = try intake.report([unknown("more")])
    #expect(kept[0].refusal?.message.contains("quarantine is full") == false)
    #expect(try refused(intake, disk).map(\.number) == [UInt64(entries.count) + 1])
  }

  @Test func `whenever the power fails, a redriven event is counted once and closed in the end`()
    throws
  {
    let operations: Set<SimulatedDisk.Operation> = [
      .write, .sync, .create, .remove, .syncDirectory,
    ]
    for unsynced in SimulatedDisk.Unsynced.allCases {
      var strikes = 0
      for after in 0... {
        var random = SeededRandom(seed: UInt64(after))
        let disk = SimulatedDisk()
        let configuration = Fixture.configuration(quarantineBytesMax: 4000)
        var intake = try Fixture.intake(disk, configuration)
        _ = try intake.report((0..<6).map { unknown("\($0)") })
        intake = try Fixture.intake(disk, configuration, catalog: Fixture.laterCatalog)
        let entries = try refused(intake, disk)
        disk.fail(operations, after: after, errno: EIO, isLasting: true)
        do {
          for entry in entries {
            _ = try intake.redrive([entry], clock: Fixture.now)
            try intake.commit()
          }
        } catch {}
        let struck = !disk.isFaultPending
        strikes += struck ? 1 : 0
        disk.crash(keepingUnsynced: unsynced, &random)
        intake = try Fixture.intake(disk, configuration, catalog: Fixture.laterCatalog)
        let redriven = try intake.redrive(try refused(intake, disk), clock: Fixture.now)
        try intake.commit()
        #expect(redriven.entries.allSatisfy { $0.refusal == nil })
        let left = intake.quarantine.openCount
        #expect(left == 0)
        #expect(try Set(Fixture.journal(disk).map(\.event.id)).count == 6)
        #expect(try Fixture.journal(disk).count == 6)
        guard struck else { break }
      }
      #expect(strikes > 20)
    }
  }
}
