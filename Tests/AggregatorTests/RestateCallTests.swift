import AggregatorClient
import CollectorClient
import CollectorServer
import GRPCCore
import Glibc
import Logging
import StackmeterCore
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer

/// The call `Restate`, with a collector and while usage is counted.
@Suite(.timeLimit(.minutes(2))) struct RestateCallTests {
  private static func catalog(_ aggregation: Aggregation) -> MeterCatalog {
    try! MeterCatalog([
      Meter(
        id: "cpu", name: "CPU", unit: "s", category: "Compute", resourceProvider: "test",
        aggregation: aggregation, isBillable: true)
    ])
  }

  /// A collector, and an aggregator that follows it, by a catalog of its own each time.
  private struct Pipeline {
    let directory: String
    let clock = SimulatedClock()
    let collector: Collector
    let disk = SimulatedDisk()

    init(_ directory: String) throws {
      self.directory = directory
      collector = try Collector(
        configuration: CollectorConfiguration(
          journalDirectory: "/journal", quarantineDirectory: "/quarantine",
          dedupDirectory: "/dedup", diskReserveBytes: 0, journalRetention: .seconds(3600)),
        catalog: RestateCallTests.catalog(.sum), disk: disk, clock: clock,
        logger: Logger(label: "test"), segmentBytesMax: 4096, idleMax: .milliseconds(2),
        random: SeededRandom(seed: 1))
    }

    /// 30 events of the hour before, of quantities 1 to 30.
    func report(_ name: String) async throws {
      let start = clock.now().hour.start.advanced(by: .seconds(-3600))
      let events = (1...30).map {
        Sample.event("\(name)-\($0)", Quantity(Int32($0)), from: start)
      }
      let results = try await collector.report(EventBatchBuilder(events).batches.map(\.batch))
      let areTaken = results.allSatisfy { $0.allSatisfy { $0.isSuccess } }
      try #require(areTaken)
    }

    var position: UInt64 { collector.status().nextPosition }

    /// Lends an aggregator that follows the collector, once it has counted what there is.
    func withAggregator(
      _ aggregation: Aggregation,
      _ body: (_ aggregator: Aggregator, _ client: AggregatorClient) async throws -> Void
    ) async throws {
      let aggregator = try Aggregator(
        store: SQLiteUsageStore(path: "\(directory)/usage.sqlite"),
        catalog: RestateCallTests.catalog(aggregation),
        configuration: AggregatorConfiguration(restatePath: "\(directory)/restate.sqlite"),
        logger: Logger(label: "test"), confirmInterval: .milliseconds(20))
      let endpoints: [any RPCEndpoint] = [
        CollectorEndpoint(collector), AggregatorEndpoint(aggregator),
      ]
      try await withInProcessChannel(endpoints: endpoints) { channel in
        let run = Task { try? await aggregator.run(collector: CollectorClient(channel)) }
        try await reached(aggregator)
        try await body(aggregator, AggregatorClient(channel))
        run.cancel()
        await run.value
      }
    }

    func reached(_ aggregator: Aggregator) async throws {
      let position = position
      _ = try await eventually { aggregator.status().nextPosition >= position ? true : nil }
    }

    var total: Quantity {
      get throws {
        try SQLiteUsageReader(path: "\(directory)/usage.sqlite").totals(
          hours: Hour(index: 0)..<Hour(index: 1_000_000), byDay: false, bySubscription: false,
          filter: UsageFilter(subscriptions: nil, meters: nil), limit: 9
        ).first?.quantity ?? .zero
      }
    }
  }

  @Test func `usage that comes meanwhile counts once, by one rule or the other`() async throws {
    try await withTemporaryDirectory { directory in
      let pipeline = try Pipeline(directory)
      let kept = Task { try await pipeline.collector.run() }
      for number in 0..<5 { try await pipeline.report("\(number)") }
      try await pipeline.withAggregator(.sum) { aggregator, client in
        let nothing = try await client.restate(RestateRequest(isDryRun: false))
        #expect(nothing.meters.isEmpty && !nothing.isApplied && nothing.position == 151)
      }
      #expect(try pipeline.total == Quantity(5 * 465))
      // What a restatement that was killed has left.
      let scratch = "\(directory)/restate.sqlite"
      _ = try SQLiteUsageStore(path: scratch)
      try await pipeline.withAggregator(.max) { aggregator, client in
        #expect(access(scratch, F_OK) != 0)
        #expect(aggregator.status().warnings.count == 1)
        let dry = try await client.restate(RestateRequest(isDryRun: true))
        #expect(!dry.isApplied && dry.differences.map(\.quantity) == [Quantity(30 - 5 * 465)])
        #expect(dry.meters.map(\.totals?.before) == [Quantity(5 * 465)])
        #expect(dry.meters.map(\.totals?.after) == [Quantity(30)])
        #expect(try pipeline.total == Quantity(5 * 465))
        async let reports: Void = {
          for number in 5..<30 { try await pipeline.report("\(number)") }
        }()
        let response = try await client.restate(RestateRequest(isDryRun: false))
        #expect(response.isApplied && response.meters.map(\.hours) == [1])
        try await reports
        _ = try await eventually { access(scratch, F_OK) != 0 ? true : nil }
        try await pipeline.reached(aggregator)
        #expect(aggregator.status().warnings == [])
        let again = try await client.restate(RestateRequest(isDryRun: false))
        #expect(again.meters.isEmpty && !again.isApplied)
      }
      #expect(try pipeline.total == Quantity(30))
      pipeline.collector.stop()
      try await kept.value
    }
  }

  @Test func `one call restates at a time`() async throws {
    try await withTemporaryDirectory { directory in
      let pipeline = try Pipeline(directory)
      let kept = Task { try await pipeline.collector.run() }
      try await pipeline.report("1")
      try await pipeline.withAggregator(.sum) { _, _ in }
      try await pipeline.withAggregator(.latest) { _, client in
        try await withThrowingTaskGroup(of: Bool.self) { group in
          for _ in 0..<10 {
            group.addTask {
              do throws(RPCError) {
                return try await client.restate(RestateRequest(isDryRun: false)).isApplied
              } catch {
                try #require(error.code == .failedPrecondition, "\(error)")
                #expect(error.message.contains("under way"))
                return false
              }
            }
          }
          let applied = try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
          #expect(applied == 1)
        }
      }
      #expect(try SQLiteUsageReader(path: "\(directory)/usage.sqlite").rules().count == 2)
      pipeline.collector.stop()
      try await kept.value
    }
  }

  @Test func `usage that the journal no longer has stays as it was reported`() async throws {
    try await withTemporaryDirectory { directory in
      let pipeline = try Pipeline(directory)
      let kept = Task { try await pipeline.collector.run() }
      try await pipeline.withAggregator(.sum) { aggregator, _ in
        for hour in 0..<20 {
          try await pipeline.report("\(hour)")
          pipeline.clock.advance(by: .seconds(3600))
        }
        try await pipeline.reached(aggregator)
        _ = try await eventually {
          try pipeline.disk.list("/journal").contains {
            $0.hasPrefix("segment-00000000000000000001.")
          }
            ? nil : true
        }
      }
      let counted = try pipeline.total
      try await pipeline.withAggregator(.max) { aggregator, client in
        // What was reported within the last days may still be corrected, and is not there.
        let error = await #expect(throws: RPCError.self) {
          try await client.restate(RestateRequest(isDryRun: true))
        }
        #expect(error?.code == .failedPrecondition, "\(String(describing: error))")
        #expect(error?.message.contains("the journal has lost its beginning") == true)
        pipeline.clock.advance(by: .seconds(8 * 24 * 3600))
        try await pipeline.report("late")
        try await pipeline.reached(aggregator)
        let response = try await client.restate(RestateRequest(isDryRun: false))
        let fromHour = try #require(response.fromHour)
        #expect(response.isApplied && fromHour < pipeline.clock.now().hour)
        // Of the hours that were restated, 30 is left of each.
        let restated = Int64(response.meters[0].hoursLookedAt)
        #expect(restated > 0 && restated < 21)
        #expect(
          try pipeline.total == counted.adding(Quantity(Int32(465 - restated * (465 - 30)))))
      }
      pipeline.collector.stop()
      try await kept.value
    }
  }
}
