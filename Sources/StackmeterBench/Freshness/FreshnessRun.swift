internal import CollectorClient
internal import GRPCCore
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterWire

/// One run of `stackmeter-bench freshness`: a real collector, aggregator and query, and one event after the other
/// that is asked for until it is in a total.
struct FreshnessRun: Sendable {
  private static let subscription = "freshness"
  /// How often query is asked.
  private static let pollInterval: Duration = .milliseconds(2)
  /// How long an event may take.
  private static let visibleMax: Duration = .seconds(60)
  /// How often the load reports.
  private static let loadInterval: Duration = .milliseconds(100)

  private let options: FreshnessOptions

  init(_ options: FreshnessOptions) {
    self.options = options
  }

  func report() async throws -> BenchReport {
    let directory = try BenchDirectory(below: options.directory)
    let collector = CollectorProcess(directory: directory, catalog: options.catalog)
    try await collector.start()
    let services = [
      try await ServiceProcess.start(
        "aggregator", directory: directory, catalog: options.catalog),
      try await ServiceProcess.start("query", directory: directory, catalog: options.catalog),
    ]
    let (latencies, loaded) = try await withRPCChannel(socketPath: collector.socketPath) {
      channel in
      try await withRPCChannel(socketPath: services[1].socketPath) { query in
        try await measure(CollectorClient(channel), QueryClient(query))
      }
    }
    for service in services { try await service.kill() }
    try await collector.kill()
    var report = BenchReport()
    report.append(
      "visible after",
      [
        Figure("samples", latencies.count, "events"),
        Figure("p50", latencies.median, digits: 3, "ms"),
        Figure("p99", latencies.percentile99, digits: 3, "ms"),
        Figure("longest", latencies.longest, digits: 3, "ms"),
        Figure("load", loaded, "events meanwhile"),
      ])
    return report
  }

  /// The latencies, and how many events the load has reported.
  private func measure(
    _ collector: CollectorClient, _ query: QueryClient
  ) async throws -> (Latencies, UInt64) {
    try await withThrowingTaskGroup(of: UInt64.self) { group in
      group.addTask { try await load(collector) }
      var latencies = Latencies()
      var random = SplitMix(seed: options.seed)
      for number in 1...options.samples {
        // Not in step with the aggregator's commits.
        try await Task.sleep(for: .microseconds(Int64(random.next() % 200_000)))
        latencies.record(try await visible(number, collector, query))
      }
      group.cancelAll()
      return (latencies, try await group.next() ?? 0)
    }
  }

  /// How long one accepted event takes until it is in the total.
  private func visible(
    _ number: Int, _ collector: CollectorClient, _ query: QueryClient
  ) async throws -> Duration {
    let now = SystemClock().now()
    let event = UsageEvent(
      id: "\(number)", source: "/freshness",
      series: Series(
        subscription: FreshnessRun.subscription, meter: Workload.meter,
        resource: Resource(uri: "/r")),
      usageStart: now, usageEnd: now, quantity: Quantity(1))
    let results = try await collector.report([event])
    guard case .accepted? = results.first else {
      throw BenchFailure("an event was answered \(results)")
    }
    let accepted = ContinuousClock.now
    let question = SummarizeRequest(
      caller: .tenant(subscriptions: [FreshnessRun.subscription]),
      hours: Hour(index: now.hour.index - 24)..<Hour(index: now.hour.index + 2))
    while true {
      let total = try await query.summarize(question).first?.quantity ?? .zero
      let elapsed = ContinuousClock.now - accepted
      if total == Quantity(Int32(number)) { return elapsed }
      guard total == Quantity(Int32(number - 1)), elapsed < FreshnessRun.visibleMax else {
        throw BenchFailure("after event \(number) the total is \(total) for \(elapsed)")
      }
      try await Task.sleep(for: FreshnessRun.pollInterval)
    }
  }

  /// Reports at an even rate until cancelled.
  private func load(_ collector: CollectorClient) async throws -> UInt64 {
    let workload = Workload(
      seed: options.seed, seriesCount: options.series,
      subscriptionCount: min(100, options.series), hourCount: 1, now: SystemClock().now().hour,
      eventsPerReporter: .max, duplicatesPercent: 5, latePercent: 5)
    var reporter = Reporter(workload, number: 0, inFlight: 1)
    var check = AnswerCheck()
    var due = ContinuousClock.now
    while !Task.isCancelled, options.load > 0 {
      let prepared = reporter.next(max(1, options.load / 10))
      let events = (0..<prepared.batch.count).map { prepared.batch.event($0) }
      try check.take(try await collector.report(events), prepared.expected)
      due += FreshnessRun.loadInterval
      do { try await Task.sleep(until: due) } catch { break }
    }
    return check.accepted + check.duplicates
  }
}
