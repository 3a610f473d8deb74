import CollectorClient
import GRPCCore
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import CollectorServer

/// What operators ask of the quarantine, over the wire.
@Suite(.timeLimit(.minutes(2))) struct CollectorQuarantineTests {
  private func withClient<Result: Sendable>(
    _ disk: SimulatedDisk = SimulatedDisk(), _ clock: SimulatedClock = SimulatedClock(),
    _ configuration: CollectorConfiguration = Fixture.configuration(quarantineBytesMax: 64 << 20),
    catalog: MeterCatalog = Fixture.catalog,
    _ body: @Sendable (CollectorClient) async throws -> Result
  ) async throws -> Result {
    try await withCollector(disk, clock, configuration, catalog: catalog) { collector in
      try await withInProcessChannel(endpoints: [CollectorEndpoint(collector)]) { channel in
        try await body(CollectorClient(channel))
      }
    }
  }

  private func list(
    _ client: CollectorClient, _ filter: QuarantineFilter = QuarantineFilter(),
    resolved: Bool = false
  ) async throws -> [QuarantineEntry] {
    try await client.listQuarantine(
      ListQuarantineRequest(
        afterNumber: 0, pageSize: 1000, filter: filter, includeResolved: resolved)
    ).entries
  }

  @Test func `a meter that was added makes what was refused count, once`() async throws {
    let disk = SimulatedDisk()
    let events = ["1", "2", "3"].map { Fixture.event($0, meter: "disk") }
    try await withClient(disk) { client in
      for _ in 0..<3 { _ = try await client.report(events) }
      #expect(try await client.status().quarantineEntries == 3)
    }
    try await withClient(disk, catalog: Fixture.laterCatalog) { client in
      let first = try await client.redriveQuarantine(.numbers([3, 1, 99, 1]))
      #expect(
        first.results == [
          QuarantineResult(number: 1, state: .resolved(.redriven(position: 1))),
          QuarantineResult(number: 3, state: .resolved(.redriven(position: 2))),
          QuarantineResult(number: 99, state: .absent),
        ])
      let rest = try await client.redriveQuarantine(
        .matching(QuarantineFilter(), after: 0, limit: 1000))
      #expect(rest.results.map(\.number) == [2] && !rest.more)
      let again = try await client.redriveQuarantine(.numbers([1, 2, 3]))
      #expect(
        again.results.map(\.state) == [1, 3, 2].map { .resolved(.redriven(position: $0)) })
      let status = try await client.status()
      #expect(status.nextPosition == 4 && status.accepted == 3 && status.quarantineEntries == 0)
      #expect(try await list(client) == [])
      let all = try await list(client, resolved: true)
      #expect(all.map(\.resolution?.outcome) == [1, 3, 2].map { .redriven(position: $0) })
      #expect(try await client.quarantineEntry(2) == all[1])
      let results = try await client.report(events)
      #expect(results == [1, 3, 2].map { .duplicate(position: $0) })
    }
    #expect(try Fixture.journal(disk).map(\.event.id) == ["1", "3", "2"])
  }

  @Test func `filters choose what is listed, redriven and discarded`() async throws {
    let clock = SimulatedClock()
    try await withClient(SimulatedDisk(), clock) { client in
      _ = try await client.report([Fixture.event("1", subscription: "A", meter: "disk")])
      clock.advance(by: .seconds(60))
      _ = try await client.report([
        Fixture.event("2", source: "net", subscription: "b", meter: "disk"),
        Fixture.event("3", subscription: "b", start: Instant(seconds: 0)),
      ])
      func numbers(_ filter: QuarantineFilter) async throws -> [UInt64] {
        try await list(client, filter).map(\.number)
      }
      #expect(try await numbers(QuarantineFilter(reasons: [.tooOld])) == [3])
      #expect(try await numbers(QuarantineFilter(source: "net")) == [2])
      #expect(try await numbers(QuarantineFilter(subscription: "B")) == [2, 3])
      let minute = Fixture.now.advanced(by: .seconds(60))
      #expect(try await numbers(QuarantineFilter(from: minute)) == [2, 3])
      #expect(try await numbers(QuarantineFilter(to: minute)) == [1])
      let discarded = try await client.discardQuarantine(
        .matching(QuarantineFilter(subscription: "b"), after: 2, limit: 10))
      #expect(discarded.results == [QuarantineResult(number: 3, state: .resolved(.discarded))])
      let refused = try await client.redriveQuarantine(
        .matching(QuarantineFilter(), after: 0, limit: 1))
      #expect(refused.results.map(\.state) == [.open] && refused.more && refused.lastNumber == 1)
      #expect(refused.results[0].refusal?.reason == .unknownMeter)
      let kept = try await client.redriveQuarantine(.numbers([3]))
      #expect(kept.results == [QuarantineResult(number: 3, state: .resolved(.discarded))])
      #expect(try await client.status().nextPosition == 1)
    }
  }

  @Test func `what is not there or not allowed is an error`() async throws {
    try await withClient { client in
      for number: UInt64 in [0, 1, .max] {
        let error = await #expect(throws: RPCError.self) {
          try await client.quarantineEntry(number)
        }
        #expect(error?.code == .notFound)
        #expect(error?.message == "the quarantine has no entry \(number)")
      }
      let many = await #expect(throws: RPCError.self) {
        try await client.redriveQuarantine(.numbers(Array(1...1001)))
      }
      #expect(many?.code == .invalidArgument)
    }
  }

  @Test func `40,000 entries are paged, redriven in parts, and found by number`() async throws {
    let disk = SimulatedDisk()
    let count = 40_000
    try await withClient(disk) { client in
      for start in stride(from: 0, to: count, by: 10_000) {
        _ = try await client.report(
          (start..<start + 10_000).map { Fixture.event("\($0)", meter: "disk") })
      }
      var (after, listed, more) = (0 as UInt64, 0, true)
      while more {
        let page = try await client.listQuarantine(
          ListQuarantineRequest(afterNumber: after, pageSize: 1000))
        listed += page.entries.count
        (after, more) = (page.lastNumber, page.more)
      }
      #expect(listed == count)
      // A page that finds nothing still ends, and says where to go on.
      var pages = 0
      (after, more) = (0, true)
      while more {
        let page = try await client.listQuarantine(
          ListQuarantineRequest(
            afterNumber: after, pageSize: 1000, filter: QuarantineFilter(source: "nobody")))
        #expect(page.entries == [] && page.lastNumber > after)
        (after, more) = (page.lastNumber, page.more)
        pages += 1
      }
      #expect(pages > 1)
      for number: UInt64 in [1, 20_000, 40_000] {
        #expect(try await client.quarantineEntry(number).event.id == "\(number - 1)")
      }
      let discarded = try await client.discardQuarantine(.numbers([1, 39_999, 20_000]))
      #expect(discarded.results.map(\.number) == [1, 20_000, 39_999])
    }
  }

  @Test func `a full quarantine is told in the status`() async throws {
    try await withClient(
      SimulatedDisk(), SimulatedClock(), Fixture.configuration(quarantineBytesMax: 1000)
    ) { client in
      _ = try await client.report((0..<10).map { Fixture.event("\($0)", meter: "disk") })
      let status = try await client.status()
      #expect(status.quarantineDropped == 10 - status.quarantineEntries)
      #expect(status.quarantineDropped > 0)
    }
  }

  @Test func `without room on the disk, entries can still be discarded`() async throws {
    let disk = SimulatedDisk()
    try await withClient(disk) { client in
      _ = try await client.report(["1", "2"].map { Fixture.event($0, meter: "disk") })
      disk.setFreeBytes(0)
      let error = await #expect(throws: RPCError.self) {
        try await client.redriveQuarantine(.numbers([1]))
      }
      #expect(error?.code == .resourceExhausted)
      let discarded = try await client.discardQuarantine(.numbers([1]))
      #expect(discarded.results == [QuarantineResult(number: 1, state: .resolved(.discarded))])
      #expect(try await list(client).map(\.number) == [2])
    }
  }

  @Test func `a full quarantine is logged once a minute`() async throws {
    let (clock, messages) = (SimulatedClock(), Messages())
    let collector = try makeCollector(
      SimulatedDisk(), clock, Fixture.configuration(quarantineBytesMax: 1000), messages: messages)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await collector.run() }
      defer { collector.stop() }
      func fill(_ part: String) async throws {
        let events = (0..<10).map { Fixture.event("\(part)-\($0)", meter: "disk") }
        _ = try await collector.report([Fixture.batch(events)])
        // The warning comes after the answer, but before the next one.
        _ = try await collector.report([Fixture.batch([])])
      }
      for part in ["1", "2", "3"] { try await fill(part) }
      #expect(messages.count("the quarantine is full") == 1)
      clock.advance(by: .seconds(60))
      // Of what was dropped since the first.
      _ = try await eventually { messages.count("the quarantine is full") == 2 ? true : nil }
      clock.advance(by: .seconds(120))
      _ = try await collector.report([Fixture.batch([Fixture.event()])])
      _ = try await collector.report([Fixture.batch([])])
      #expect(messages.count("the quarantine is full") == 2)
    }
  }
}
