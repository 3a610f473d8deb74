import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

/// Random reports, clocks, crashes and restarts against a plain model of what must come out.
@Suite struct IntakePropertyTests {
  private struct Identity: Hashable {
    let source: String
    let id: String
    let hour: Hour
  }

  /// What is known from outside: which answers were given.
  private struct Model {
    var accepted: [Identity: (event: UsageEvent, position: UInt64)] = [:]
    /// Reported, and the answer never came: may be kept or not.
    var unknown: [Identity: [UsageEvent]] = [:]

    mutating func check(_ event: UsageEvent, _ result: EventResult) throws {
      let identity = Identity(source: event.source, id: event.id, hour: event.usageStart.hour)
      let known = accepted[identity]
      switch result {
      case .accepted(let position, _):
        try #require(known == nil)
        accepted[identity] = (event, position)
      case .duplicate(let position):
        if let known {
          try #require(known.event == event && known.position == position)
        } else {
          try #require(unknown[identity]?.contains(event) == true)
          accepted[identity] = (event, position)
        }
      case .conflict(let position, _):
        if let known {
          try #require(known.event != event && known.position == position)
        } else {
          let others = unknown[identity]?.filter { $0 != event } ?? []
          try #require(!others.isEmpty)
        }
      case .parked:
        Issue.record("no correction was reported, so none waits")
      case .quarantined(let refusal):
        try #require(refusal.reason == .unknownMeter && event.series.meter == "disk")
      case .invalid(let refusal):
        try #require(refusal.field == "id" && event.id.isEmpty)
      }
    }
  }

  private func randomEvents(_ random: inout SeededRandom) -> [UsageEvent] {
    (0..<Int.random(in: 0...8, using: &random)).map { _ in
      let kind = Int.random(in: 0..<20, using: &random)
      return Fixture.event(
        kind == 0 ? "" : "\(Int.random(in: 0..<25, using: &random))",
        meter: kind == 1 ? "disk" : "CPU",
        start: Fixture.now.advanced(by: .seconds(-3600 * Int.random(in: 1...2, using: &random))),
        quantity: Int.random(in: 0..<6, using: &random) == 0 ? 2 : 1)
    }
  }

  private func run(_ random: inout SeededRandom) throws {
    let disk = SimulatedDisk()
    var model = Model()
    var lastTime = Instant(nanoseconds: 0)
    for _ in 0..<Int.random(in: 1...5, using: &random) {
      do {
        var intake = try Fixture.intake(disk, segmentBytesMax: 600, recordBytesMax: 300)
        disk.fail(
          .changes, after: Int.random(in: 0..<30, using: &random),
          errno: [EIO, ENOSPC].randomElement(using: &random)!, isLasting: true)
        for _ in 0..<12 {
          let clock = Fixture.now.advanced(
            by: .seconds(Int.random(in: -100...100, using: &random)))
          // Several callers share one commit.
          let groups = (0...Int.random(in: 0...2, using: &random)).map { _ in
            randomEvents(&random)
          }
          let results = try groups.map { try intake.take(Fixture.batch($0), clock: clock) }
          for event in groups.joined() {
            let identity = Identity(
              source: event.source, id: event.id, hour: event.usageStart.hour)
            model.unknown[identity, default: []].append(event)
          }
          try intake.commit()
          for (event, result) in zip(groups.joined(), results.joined()) {
            try model.check(event, result)
            guard let time = result.reportedTime else { continue }
            try #require(time > lastTime)
            lastTime = time
          }
        }
      } catch is DiskError {}
      disk.crash(
        keepingUnsynced: SimulatedDisk.Unsynced.allCases.randomElement(using: &random)!, &random)
    }
    _ = try Fixture.intake(disk, segmentBytesMax: 600)
    let journal = try Fixture.journal(disk)
    let identities = journal.map {
      Identity(source: $0.event.source, id: $0.event.id, hour: $0.event.usageStart.hour)
    }
    try #require(Set(identities).count == identities.count, "an event counts twice")
    try #require(journal.map(\.position) == journal.indices.map { UInt64($0) + 1 })
    for (identity, entry) in zip(identities, journal) {
      if let known = model.accepted[identity] {
        try #require(known.event == entry.event && known.position == entry.position)
      } else {
        try #require(model.unknown[identity]?.contains(entry.event) == true)
      }
    }
    try #require(Set(identities).isSuperset(of: model.accepted.keys), "an answered event is lost")
  }

  @Test func `every answered event is kept exactly once, whatever fails`() throws {
    try withSeededRandom { random in
      for _ in 0..<300 { try run(&random) }
    }
  }
}
