internal import AggregatorClient
internal import Glibc
internal import LocalPostgreSQL
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

  /// What is measured stays, also where a later run fails.
  func report() async throws -> BenchReport {
    var report = BenchReport()
    let server =
      options.postgres
      ? try await PostgreSQLServer.start(
        below: options.directory, settings: PostgreSQLLoad.serverSettings) : nil
    for count in options.series.counts {
      do {
        try await run(seriesCount: Int(count), server, &report)
      } catch {
        guard !report.parts.isEmpty else { throw error }
        report.failure = "\(count) series: \(error)"
        break
      }
    }
    try await server?.stop()
    return report
  }

  /// A journal that is filled.
  private struct Filled {
    let directory: BenchDirectory
    let collector: CollectorProcess
    let workload: Workload
    /// The first position behind it.
    let end: UInt64
  }

  private func run(
    seriesCount: Int, _ server: PostgreSQLServer?, _ report: inout BenchReport
  ) async throws {
    let filled = try await fill(seriesCount: seriesCount)
    let (file, ours) = try await count(filled, settings: [:])
    let path = "\(filled.directory.path)/state/usage.sqlite"
    let size = try await checked(filled) { () throws(StoreError) in
      let reader = try SQLiteUsageReader(path: path)
      return (reader, try reader.aggregateSize())
    }
    report.append(
      "\(seriesCount) series",
      file + [
        Figure("rows", size.rows, "aggregates"),
        .ratio("bytesPerRow", size.bytes, of: size.rows, digits: 1, "bytes, of the table"),
        .mebibytes("databaseBytes", FileTree.allocatedBytes(path)),
      ])
    if let server {
      report.append(
        "\(seriesCount) series, postgresql", try await countPostgreSQL(filled, server, ours))
    }
    try await filled.collector.kill()
  }

  private func fill(seriesCount: Int) async throws -> Filled {
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
    return Filled(
      directory: directory, collector: collector, workload: workload,
      end: try await collector.status().nextPosition)
  }

  /// Starts an aggregator, waits until all is counted, and gives how long that took. `measured` is asked before the
  /// aggregator ends.
  private func count(
    _ filled: Filled, settings: [String: String], measured: () -> [Figure] = { [] }
  ) async throws -> (figures: [Figure], elapsed: Duration) {
    let count = options.events.count
    let before = filled.collector.figures.cpu
    let begin = ContinuousClock.now
    let aggregator = try await ServiceProcess.start(
      "aggregator", directory: filled.directory, catalog: options.catalog, settings: settings)
    try await wait(aggregator, for: filled.end)
    let elapsed = ContinuousClock.now - begin
    let figures = aggregator.figures
    let serving = filled.collector.figures.cpu - before
    let more = measured()
    try await aggregator.kill()
    return (
      [
        Figure("events", count, "events"), .seconds("elapsed", elapsed),
        Figure("eventsPerSecond", perSecond(count, elapsed), "events/s"),
        .cpu("aggregatorCPU", figures.cpu, count), .cpu("collectorCPU", serving, count),
        .mebibytes("aggregatorResidentMax", figures.residentBytesMax),
      ] + more, elapsed
    )
  }

  /// The same journal into a new database of PostgreSQL.
  private func countPostgreSQL(
    _ filled: Filled, _ server: PostgreSQLServer, _ ours: Duration
  ) async throws -> [Figure] {
    let text = try await server.makeDatabase()
    let process = server.process ?? 0
    let before = ProcessFigures(tree: process).cpu
    let (figures, elapsed) = try await count(
      filled, settings: ["STACKMETER_STORE_POSTGRESQL": text]
    ) {
      [.cpu("serverCPU", ProcessFigures(tree: process).cpu - before, options.events.count)]
    }
    let size = try await checked(filled) { () throws(StoreError) in
      let sizes = try PostgreSQL(text).query(
        """
        SELECT (SELECT count(*) FROM aggregate), pg_table_size('aggregate'),
          pg_indexes_size('aggregate'), pg_database_size(current_database())
        """)
      return (
        try PostgreSQLUsageReader(text, cell: "local"),
        (0..<4).map { sizes.integer(0, $0) }
      )
    }
    return figures + [
      Figure("rows", size[0], "aggregates"),
      .ratio("bytesPerRow", size[1], of: size[0], digits: 1, "bytes, of the table"),
      .ratio("indexBytesPerRow", size[2], of: size[0], digits: 1, "bytes, of its index"),
      .mebibytes("databaseBytes", size[3]),
      .ratio(
        "timesSQLite", elapsed.nanosecondsRounded, of: ours.nanosecondsRounded, digits: 2,
        "times as long"),
    ]
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

  /// What `open` says of the database, once that was found to hold the sum of what was reported.
  private func checked<Size: Sendable>(
    _ filled: Filled,
    _ open: @escaping @Sendable () throws(StoreError) -> (any UsageReader, Size)
  ) async throws -> Size {
    let workload = filled.workload
    let answer = await blocking {
      Result { () throws(StoreError) -> (Size, Int128) in
        let (reader, size) = try open()
        let totals = try reader.totals(
          hours: Hour(
            index: workload.hours.lowerBound - 48)..<Hour(
              index: workload.hours.upperBound + 1),
          byDay: false, bySubscription: false, filter: UsageFilter(subscriptions: nil, meters: nil),
          limit: 1000)
        return (size, totals.reduce(0) { $0 + $1.quantity.attos })
      }
    }
    let (size, sum) = try answer.get()
    var expected: Int128 = 0
    for number in 0..<options.events.count {
      expected += workload.content(reporter: 0, number: number).attos
    }
    guard sum == expected else {
      throw BenchFailure("the usage database holds \(sum) attos, but \(expected) were reported")
    }
    return size
  }
}
