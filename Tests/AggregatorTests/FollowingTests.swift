import CollectorClient
import CollectorServer
import Logging
import StackmeterCore
import StackmeterJournal
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer

/// Aggregators behind a real collector whose clock is the test's.
@Suite(.timeLimit(.minutes(1))) struct FollowingTests {
  private static let catalog = try! MeterCatalog([
    Meter(
      id: "cpu", name: "CPU", unit: "s", category: "Compute", resourceProvider: "test",
      aggregation: .sum, isBillable: true)
  ])

  /// A collector, its clock, and what it has accepted.
  private final class Source {
    let clock: SimulatedClock
    let channel: any RPCChannel
    private(set) var accepted = 0
    private(set) var nextPosition: UInt64 = 1

    init(_ channel: any RPCChannel, _ clock: SimulatedClock) {
      (self.channel, self.clock) = (channel, clock)
    }

    /// One event of quantity 1; whether it was taken.
    @discardableResult func report(_ id: String, from start: Instant) async throws -> Bool {
      let results = try await CollectorClient(channel).report([Sample.event(id, from: start)])
      guard case .accepted(let position, _) = results[0] else { return false }
      accepted += 1
      nextPosition = position + 1
      return true
    }
  }

  private static func withSource(
    _ body: (Source) async throws -> Void
  ) async throws {
    let clock = SimulatedClock()
    let collector = try Collector(
      configuration: CollectorConfiguration(
        journalDirectory: "/journal", quarantineDirectory: "/quarantine",
        dedupDirectory: "/dedup", diskReserveBytes: 0),
      catalog: catalog, disk: SimulatedDisk(), clock: clock, logger: Logger(label: "test"),
      idleMax: .milliseconds(2), random: SeededRandom(seed: 1))
    try await withInProcessChannel(endpoints: [CollectorEndpoint(collector)]) { channel in
      let kept = Task { try await collector.run() }
      try await body(Source(channel, clock))
      collector.stop()
      try await kept.value
    }
  }

  /// Follows until everything that was accepted is counted.
  private static func follow(_ source: Source, _ path: String) async throws -> Aggregator {
    let aggregator = try Aggregator(
      store: SQLiteUsageStore(path: path), catalog: catalog, logger: Logger(label: "test"))
    let channel = source.channel
    let run = Task { try? await aggregator.run(collector: CollectorClient(channel)) }
    let position = source.nextPosition
    _ = try await eventually { aggregator.status().nextPosition >= position ? true : nil }
    run.cancel()
    await run.value
    return aggregator
  }

  private static func total(_ path: String) throws -> Int64 {
    try SQLiteUsageReader(path: path).aggregates(
      windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
      filter: .init(subscriptions: nil, meters: nil), after: nil, limit: 1000
    ).aggregates.reduce(0) { $0 + $1.quantity.units }
  }

  @Test func `an aggregator that was paused for a day closes the windows that others have closed`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      try await Self.withSource { source in
        let (steady, paused) = ("\(directory)/steady.sqlite", "\(directory)/paused.sqlite")
        try await source.report("first", from: source.clock.now())
        _ = try await Self.follow(source, steady)
        _ = try await Self.follow(source, paused)
        for hour in 0..<26 {
          let late = source.clock.now().advanced(by: .seconds(-3600 * (hour % 5)))
          try await source.report("\(hour)", from: source.clock.now())
          try await source.report("late-\(hour)", from: late)
          _ = try await Self.follow(source, steady)
          source.clock.advance(by: .seconds(3600))
        }
        try await source.report("last", from: source.clock.now())
        #expect(source.accepted == 54)
        for path in [steady, paused] { _ = try await Self.follow(source, path) }
        let windows = try SQLiteUsageReader(path: steady).closedWindows(before: nil, limit: 100)
        #expect(windows.count == 26)
        #expect(
          try SQLiteUsageReader(path: paused).closedWindows(before: nil, limit: 100) == windows)
        for path in [steady, paused] { #expect(try Self.total(path) == Int64(source.accepted)) }
      }
    }
  }

  @Test(arguments: [
    Duration.seconds(3600), .seconds(-3600), .seconds(86_400), .seconds(-86_400),
    .seconds(366 * 86_400), .seconds(-3 * 366 * 86_400), .seconds(1), .seconds(-1),
  ])
  func `a clock that jumps loses nothing, doubles nothing, and opens no window again`(
    jump: Duration
  ) async throws {
    try await withTemporaryDirectory { directory in
      try await Self.withSource { source in
        let path = "\(directory)/usage.sqlite"
        var closed: [ClosedWindow] = []
        var openWindow = Hour(index: 0)
        let start = source.clock.now()
        for step in 0..<12 {
          // There and back again, with usage of the hour that it was at first.
          if step == 4 { source.clock.jump(by: jump) }
          if step == 8 { source.clock.jump(by: .zero - jump) }
          let isTaken = try await source.report("\(step)", from: start)
          let aggregator = try await Self.follow(source, path)
          let reader = try SQLiteUsageReader(path: path)
          let now = try reader.closedWindows(before: nil, limit: 1000)
          // Newest first.
          #expect(Array(now.suffix(closed.count)) == closed, "step \(step)")
          closed = now
          #expect(aggregator.status().openWindow >= openWindow)
          openWindow = aggregator.status().openWindow
          #expect(try Self.total(path) == Int64(source.accepted), "step \(step), \(isTaken)")
          source.clock.advance(by: .seconds(1500))
        }
        // Before the jump and after it, at least, usage is taken as usual.
        #expect(source.accepted >= 8)
        #expect(!closed.isEmpty)
      }
    }
  }

  @Test func `maintenance removes old windows step by step until it is cancelled`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let aggregator = try Aggregator(
        store: SQLiteUsageStore(path: path), catalog: Self.catalog,
        configuration: AggregatorConfiguration(retentionMonths: 1), logger: Logger(label: "test"))
      var bytes: [UInt8] = []
      var position: UInt64 = 1
      for day in 0..<200 {
        let record = Sample.record(
          [Sample.event("\(day)")], at: position,
          time: Sample.start.start.advanced(by: .seconds(day * 86_400)))
        record.write(to: &bytes, of: JournalScript.journal, startsCommit: true)
        position = record.nextPosition
      }
      try await aggregator.apply([
        JournalChunk(
          records: bytes, nextPosition: position, durablePosition: position,
          journalID: JournalScript.journal.rawValue)
      ])
      let reader = try SQLiteUsageReader(path: path)
      let before = try reader.closedWindows(before: nil, limit: 1000)
      let run = Task { try await aggregator.runMaintenance() }
      let first = try #require(
        Retention.firstWindow(openWindow: aggregator.status().openWindow, months: 1))
      let oldest = try #require(before.last?.window)
      _ = try await eventually {
        try reader.rows(of: oldest, after: nil, limit: 1).isEmpty ? true : nil
      }
      run.cancel()
      await #expect(throws: CancellationError.self) { try await run.value }
      #expect(try reader.position().retainedFrom == first)
      for window in before {
        let rows = try reader.rows(of: window.window, after: nil, limit: 10)
        #expect(rows.isEmpty == (window.window < first), "\(window.window)")
      }
      // Their hashes stay.
      #expect(try reader.closedWindows(before: nil, limit: 1000) == before)
    }
  }
}
