internal import AggregatorClient
internal import Glibc
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterStore
internal import StackmeterWire

/// One run of `stackmeter-bench aggregate`: for each number of series, a journal by a real collector, and then a real
/// aggregator that follows it from the start.
struct AggregateRun: Sendable {
  /// Batches under way while the journal is filled.
  private static let inFlight = 8
  /// How often the aggregator is asked how far it is.
  private static let pollInterval: Duration = .milliseconds(20)

  private let options: AggregateOptions

  init(_ options: AggregateOptions) {
    self.options = options
  }

  func report() async throws -> BenchReport {
    var report = BenchReport()
    for count in options.series.counts {
      report.append("\(count) series", try await run(seriesCount: Int(count)))
    }
    return report
  }

  private func run(seriesCount: Int) async throws -> [Figure] {
    let directory = try BenchDirectory(below: options.directory)
    let collector = CollectorProcess(directory: directory, catalog: options.catalog)
    try await collector.start()
    let count = options.events.count
    let workload = Workload(
      seed: options.seed, seriesCount: seriesCount,
      subscriptionCount: min(options.subscriptions, seriesCount), hourCount: options.hours,
      now: SystemClock().now().hour, eventsPerReporter: count, duplicatesPercent: 0,
      latePercent: options.late.value)
    let stream = StreamLoad(
      workload, number: 0, batchEvents: options.batch, inFlight: AggregateRun.inFlight)
    try await withRPCChannel(socketPath: collector.socketPath) { channel in
      _ = try await stream.run(channel, until: count)
    }
    let end = try await collector.status().nextPosition
    let before = collector.figures.cpu
    let begin = ContinuousClock.now
    let aggregator = try await ServiceProcess.start(
      "aggregator", directory: directory, catalog: options.catalog)
    try await wait(aggregator, for: end)
    let elapsed = ContinuousClock.now - begin
    let figures = aggregator.figures
    let serving = collector.figures.cpu - before
    try await aggregator.kill()
    try await collector.kill()
    return try await [
      Figure("events", count, "events"), .seconds("elapsed", elapsed),
      Figure("eventsPerSecond", perSecond(count, elapsed), "events/s"),
      .cpu("aggregatorCPU", figures.cpu, count), .cpu("collectorCPU", serving, count),
      .mebibytes("aggregatorResidentMax", figures.residentBytesMax),
    ] + databaseFigures(directory, workload, count)
  }

  /// Waits until the aggregator has committed all in front of `end`.
  private func wait(_ aggregator: ServiceProcess, for end: UInt64) async throws {
    try await withRPCChannel(socketPath: aggregator.socketPath) { channel in
      let client = AggregatorClient(channel)
      while try await client.status().nextPosition < end {
        try await Task.sleep(for: AggregateRun.pollInterval)
      }
    }
  }

  /// What the database takes, once it was found to hold the sum of what was reported.
  private func databaseFigures(
    _ directory: BenchDirectory, _ workload: Workload, _ count: UInt64
  ) async throws -> [Figure] {
    let path = "\(directory.path)/state/usage.sqlite"
    let answer = await blocking {
      Result { () throws(StoreError) -> (UInt64, UInt64, Int128) in
        let reader = try SQLiteUsageReader(path: path)
        let size = try reader.aggregateSize()
        let totals = try reader.totals(
          hours: Hour(
            index: workload.hours.lowerBound - 48)..<Hour(
              index: workload.hours.upperBound + 1),
          byDay: false, bySubscription: false, filter: UsageFilter(subscriptions: nil, meters: nil),
          limit: 1000)
        return (size.rows, size.bytes, totals.reduce(0) { $0 + $1.quantity.attos })
      }
    }
    let (rows, bytes, sum) = try answer.get()
    var expected: Int128 = 0
    for number in 0..<count { expected += workload.content(reporter: 0, number: number).attos }
    guard sum == expected else {
      throw BenchFailure("the usage database holds \(sum) attos, but \(expected) were reported")
    }
    return [
      Figure("rows", rows, "aggregates"),
      .ratio("bytesPerRow", bytes, of: rows, digits: 1, "bytes, of the table"),
      .mebibytes("databaseBytes", FileTree.allocatedBytes(path)),
    ]
  }
}
