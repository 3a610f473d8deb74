import AggregatorClient
import CollectorClient
import CollectorServer
import GRPCCore
import Logging
import StackmeterCore
import StackmeterJournal
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import AggregatorServer

@Suite(.timeLimit(.minutes(1))) struct AggregatorTests {
  private static let catalog = try! MeterCatalog([
    Meter(
      id: "cpu", name: "CPU", unit: "s", category: "Compute", resourceProvider: "test",
      aggregation: .sum, isBillable: true)
  ])

  private func aggregator(_ path: String) throws -> Aggregator {
    try Aggregator(
      store: SQLiteUsageStore(path: path), catalog: Self.catalog, logger: Logger(label: "test"))
  }

  private static let journal = LogID(rawValue: 0x8899_AABB_CCDD_EEFF)!
  private static let otherJournal = LogID(rawValue: 7)!

  private func chunk(
    _ records: [Record], of journal: LogID = AggregatorTests.journal
  ) -> JournalChunk {
    var bytes: [UInt8] = []
    for record in records { record.write(to: &bytes, of: journal, startsCommit: true) }
    return JournalChunk(
      records: bytes, nextPosition: records.last!.nextPosition,
      durablePosition: records.last!.nextPosition, journalID: journal.rawValue)
  }

  private func quantities(_ path: String) throws -> [String] {
    try SQLiteUsageReader(path: path).aggregates(
      windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
      filter: .init(subscriptions: nil, meters: nil), after: nil, limit: 1000
    ).aggregates.map { "\($0.series.subscription) \($0.quantity)" }
  }

  @Test func `aggregates and position move together, and a new process goes on from there`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let first = try aggregator(path)
      let one = Sample.record([Sample.event("1")], at: 1, time: Sample.start.start)
      try await first.apply([chunk([one])])
      #expect(first.status().nextPosition == 2)
      let second = try aggregator(path)
      #expect(second.status().nextPosition == 2)
      let two = Sample.record(
        [Sample.event("2", Quantity(4))], at: 2, time: Sample.start.start.advanced(by: .seconds(1)))
      // The first record comes again, as it does when the answer to a commit was lost.
      try await second.apply([chunk([one, two])])
      #expect(try quantities(path) == ["a 5"])
      #expect(second.status().appliedEvents == 1)
    }
  }

  @Test func `a chunk that cannot be applied changes nothing, also not the known series`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let aggregator = try aggregator(path)
      let good = Sample.record(
        [Sample.event("1", subscription: "b")], at: 1, time: Sample.start.start)
      let gap = Sample.record(
        [Sample.event("2")], at: 7, time: Sample.start.start.advanced(by: .seconds(1)))
      await #expect(throws: RollupError.gap(expected: 2, found: 7)) {
        try await aggregator.apply([chunk([good]), chunk([gap])])
      }
      #expect(try quantities(path) == [])
      try await aggregator.apply([chunk([good])])
      #expect(try quantities(path) == ["b 1"])
    }
  }

  @Test func `damaged bytes from the collector are refused as a whole`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let aggregator = try aggregator(path)
      var damaged = chunk([
        Sample.record([Sample.event("1")], at: 1, time: Sample.start.start)
      ])
      damaged.records[40] ^= 1
      let sent = damaged
      await #expect(throws: RollupError.undecodable(position: 1)) {
        try await aggregator.apply([sent])
      }
      #expect(try quantities(path) == [])
    }
  }

  @Test func `a journal that was made anew is refused, also where it has passed the position`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let records = (1...3).map { number in
        Sample.record(
          [Sample.event("\(number)")], at: UInt64(number),
          time: Sample.start.start.advanced(by: .seconds(number)))
      }
      try await self.aggregator(path).apply([chunk([records[0]])])
      #expect(try SQLiteUsageReader(path: path).position().journalID == Self.journal.rawValue)
      // A new process knows the journal from the database.
      let aggregator = try self.aggregator(path)
      let other = chunk([records[1], records[2]], of: Self.otherJournal)
      let refusal = RollupError.otherJournal(Self.otherJournal, read: Self.journal)
      await #expect(throws: refusal) { try await aggregator.apply([other]) }
      await #expect(throws: refusal) {
        try await aggregator.apply([chunk([records[1]]), other])
      }
      // A collector that does not look at the id, which the aggregator sends.
      let collector = FailingCollector(chunks: [other], isFailing: false)
      try await withInProcessChannel(endpoints: [collector]) { channel in
        let run = Task { try? await aggregator.run(collector: CollectorClient(channel)) }
        while aggregator.status().problem != "\(refusal)" { await Task.yield() }
        run.cancel()
        await run.value
      }
      #expect(collector.lastJournalID == Self.journal.rawValue)
      #expect(aggregator.status().nextPosition == 2)
      #expect(try quantities(path) == ["a 1"])
      let unnamed = JournalChunk(
        records: other.records, nextPosition: 4, durablePosition: 4, journalID: 0)
      await #expect(throws: RollupError.unnamedJournal) { try await aggregator.apply([unnamed]) }
      try await aggregator.apply([chunk([records[1]])])
      #expect(try quantities(path) == ["a 2"])
    }
  }

  @Test func `it follows a collector that fails, stops and starts again`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let aggregator = try aggregator(path)
      let records = (1...6).map { number in
        Sample.record(
          [Sample.event("\(number)")], at: UInt64(number),
          time: Sample.start.start.advanced(by: .seconds(number)))
      }
      let collector = FailingCollector(chunks: records.map { chunk([$0]) })
      try await withInProcessChannel(endpoints: [collector]) { channel in
        let run = Task {
          try? await aggregator.run(collector: CollectorClient(channel))
        }
        await collector.served(upTo: 7)
        while aggregator.status().nextPosition < 7 { await Task.yield() }
        run.cancel()
        await run.value
      }
      #expect(try quantities(path) == ["a 6"])
      #expect(collector.streams > 3)
    }
  }

  @Test func `a collector is told what is applied, up to the last of it, and removes old segments`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let (disk, clock) = (SimulatedDisk(), SimulatedClock())
      let collector = try Collector(
        configuration: CollectorConfiguration(
          journalDirectory: "/journal", quarantineDirectory: "/quarantine",
          dedupDirectory: "/dedup", diskReserveBytes: 0, journalRetention: .seconds(3600)),
        catalog: Self.catalog, disk: disk, clock: clock, logger: Logger(label: "test"),
        segmentBytesMax: 4096, idleMax: .milliseconds(2), random: SeededRandom(seed: 1))
      let aggregator = try Aggregator(
        store: SQLiteUsageStore(path: "\(directory)/usage.sqlite"), catalog: Self.catalog,
        logger: Logger(label: "test"), confirmInterval: .milliseconds(20))
      try await withInProcessChannel(endpoints: [CollectorEndpoint(collector)]) { channel in
        let kept = Task { try await collector.run() }
        let run = Task { try? await aggregator.run(collector: CollectorClient(channel)) }
        for round: UInt64 in 1...2 {
          for hour in 0..<20 {
            let start = clock.now().hour.start.advanced(by: .seconds(-3600))
            let events = (0..<30).map { Sample.event("\(round)-\(hour)-\($0)", from: start) }
            _ = try await collector.report(EventBatchBuilder(events).batches.map(\.batch))
            clock.advance(by: .seconds(3600))
          }
          // Nothing is reported any more, and what was applied last is confirmed all the same.
          _ = try await eventually { () -> Bool? in
            let oldest = try disk.list("/journal").compactMap {
              UInt64($0.dropFirst("segment-".count).prefix(20))
            }.min()
            return oldest.flatMap { $0 > 600 * (round - 1) + 100 ? true : nil }
          }
        }
        run.cancel()
        await run.value
        collector.stop()
        try await kept.value
      }
      #expect(aggregator.status().nextPosition == 1201)
    }
  }

  @Test func `the endpoint tells how far it is`() async throws {
    try await withTemporaryDirectory { directory in
      let aggregator = try aggregator("\(directory)/usage.sqlite")
      try await aggregator.apply([
        chunk([Sample.tick(at: 1, time: Sample.start.start)])
      ])
      let endpoint = AggregatorEndpoint(aggregator)
      try await withInProcessChannel(endpoints: [endpoint]) { channel in
        let status = try await AggregatorClient(channel).status()
        #expect(status.openWindow == Sample.start)
        #expect(!status.isFollowing)
      }
    }
  }
}

/// Serves one chunk on each stream and then fails it, as a collector that is killed over and over.
private final class FailingCollector: RPCEndpoint {
  static let serviceName = CollectorMethods.service

  private let chunks: [JournalChunk]
  private let isFailing: Bool
  private let position = Mutex(UInt64(1))
  private let count = Atomic<Int>(0)
  private let journalID = Atomic<UInt64>(0)

  /// Without `isFailing` its streams end as if their time were over.
  init(chunks: [JournalChunk], isFailing: Bool = true) {
    self.chunks = chunks
    self.isFailing = isFailing
  }

  var streams: Int { count.load(ordering: .relaxed) }

  /// What the last reader said it had read.
  var lastJournalID: UInt64 { journalID.load(ordering: .relaxed) }

  /// Returns once a reader has asked for what comes after `next`.
  func served(upTo next: UInt64) async {
    while position.withLock({ $0 }) < next { await Task.yield() }
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.serverStreaming(CollectorMethods.readJournal) { [self] request, writer in
      count.add(1, ordering: .relaxed)
      journalID.store(request.journalID, ordering: .relaxed)
      position.withLock { $0 = max($0, request.fromPosition) }
      guard let chunk = chunks.first(where: { $0.nextPosition > request.fromPosition }) else {
        await StopSignal().wait()
        return
      }
      try await writer.write(chunk)
      if isFailing { throw RPCError(code: .unavailable, message: "killed") }
    }
  }
}
