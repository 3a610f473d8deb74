import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

@Suite struct IntakeQuarantineTests {
  private func entries(_ disk: SimulatedDisk) throws -> [QuarantineEntry] {
    try Fixture.quarantine(disk)
  }

  @Test func `what is refused is kept as it came`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    let events = [
      Fixture.event("1", subscription: "ABC", meter: "disk"), Fixture.event("2"),
      Fixture.event("3", start: Instant(seconds: 0)),
    ]
    let results = try intake.report(events)
    let kept = try entries(disk)
    #expect(kept.map(\.event) == [events[0], events[2]])
    #expect(kept.map(\.refusal) == [results[0].refusal, results[2].refusal])
    #expect(kept.map(\.number) == [1, 2])
    #expect(kept[0].refusedTime == Fixture.now && kept[1].refusedTime > kept[0].refusedTime)
  }

  @Test func `texts of any length are refused, and kept no longer than they may be`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk)
    // One character of 200,001 bytes, and lengths around what two bytes can count.
    let marks = "e" + String(repeating: "\u{301}", count: 100_000)
    let texts = [marks] + [65_535, 65_536, 70_000].map { String(repeating: "a", count: $0) }
    for (number, text) in texts.enumerated() {
      var event = Fixture.event(text, source: text, subscription: text, meter: text)
      event.series.resource = Resource(uri: text, location: text, tags: text, additionalInfo: text)
      for batch in [event, Fixture.event("\(number)", meter: text)].map({ Fixture.batch([$0]) }) {
        let results = Array(try intake.take(batch, clock: Fixture.now))
        #expect(results[0].refusal?.reason == .malformed)
      }
    }
    try intake.commit()
    let kept = try entries(disk)
    // What is cut off to the same is the same refusal: three of the texts differ behind their limits only.
    #expect(kept.count == 2 + texts.count)
    for entry in kept {
      #expect(entry.event.source.utf8.count <= 260)
      // A byte that is no UTF-8, or the half of a character, reads as one of three bytes.
      #expect(entry.event.id.utf8.count <= 3 * 257)
      #expect((129...132).contains(entry.event.series.meter.utf8.count))
      #expect(entry.event.series.resource.additionalInfo.utf8.count <= 8196)
      #expect(entry.event.series.resource.tags.utf8.count <= 8196)
    }
  }

  @Test func `a full quarantine says so, and keeps no more, even within one commit`() throws {
    let disk = SimulatedDisk()
    var intake = try Fixture.intake(disk, Fixture.configuration(quarantineBytesMax: 1000))
    let results = try intake.report((0..<100).map { Fixture.event("\($0)", meter: "disk") })
    let kept = try entries(disk)
    #expect(kept.count > 3 && kept.count < 10)
    let told = results.dropFirst(kept.count)
    for result in told {
      guard case .quarantined(let refusal) = result else {
        Issue.record("\(result) is not quarantined")
        continue
      }
      #expect(refusal.reason == .unknownMeter && refusal.field == "series.meter")
      #expect(refusal.message.hasSuffix("; it was not kept, because the quarantine is full"))
    }
    let accepted = try intake.report([Fixture.event()])
    #expect(accepted[0].isAccepted)
    let conflict = try intake.report([Fixture.event(quantity: 2)])
    let invalid = try intake.report([Fixture.event("")])
    #expect(conflict[0].position == 1)
    for result in conflict + invalid {
      #expect(result.refusal?.message.hasSuffix("because the quarantine is full") == true)
    }
  }

  @Test func `the quarantine goes on after a restart`() throws {
    let disk = SimulatedDisk()
    for number in 1...3 {
      var intake = try Fixture.intake(disk)
      _ = try intake.report([Fixture.event("\(number)", meter: "disk")])
    }
    let kept = try entries(disk)
    #expect(kept.map(\.number) == [1, 2, 3] && kept.map(\.event.id) == ["1", "2", "3"])
  }
}
