internal import LocalPostgreSQL
internal import StackmeterRPC
internal import StackmeterRuntime

/// One run of `stackmeter-bench ingest`.
struct IngestRun: Sendable {
  private let options: IngestOptions

  init(_ options: IngestOptions) {
    self.options = options
  }

  func report() async throws -> BenchReport {
    if options.postgres { try PostgreSQLServer.check(below: options.directory) }
    let directory = try BenchDirectory(below: options.directory)
    let collector = CollectorProcess(directory: directory, catalog: options.catalog)
    try await collector.start()
    var report = BenchReport()
    switch options.mode {
    case .stream where options.growth != nil:
      try await GrowthRun(options, collector).run(options.growth!.counts, &report)
    case .raw:
      try await RawRun(options, collector).run(&report)
    case .stream, .single, .gateway:
      let load = try await ingest(collector, directory, &report)
      try await collector.kill()
      if options.postgres { try await comparePostgreSQL(with: load, &report) }
    }
    try await collector.kill()
    return report
  }

  /// Loads the collector as the mode says.
  private func ingest(
    _ collector: CollectorProcess, _ directory: BenchDirectory, _ report: inout BenchReport
  ) async throws -> LoadFigures {
    let gateway =
      options.mode == .gateway
      ? try await GatewayProcess.start(directory: directory, catalog: options.catalog) : nil
    let gatewayBefore = gateway?.figures
    let before = try await CollectorSample(collector)
    let load = try await withChannels(collector, options.connections) { channels in
      try await measured { try await self.load(channels, gateway) }
    }
    let after = try await CollectorSample(collector)
    try load.check(before.status, after.status)
    var figures = load.figures + load.figures(before, after)
    if let gateway, let gatewayBefore {
      let cpu = gateway.figures.cpu - gatewayBefore.cpu
      figures += [
        .cpu("gatewayCPU", cpu, load.events),
        .mebibytes("gatewayResidentMax", gateway.figures.residentBytesMax),
      ]
      try await gateway.stop()
    }
    report.append(options.mode.rawValue, figures)
    return load
  }

  /// Runs all reporters to their end.
  private func load(
    _ channels: [any RPCChannel], _ gateway: GatewayProcess?
  ) async throws -> [LoadFigures] {
    let count = options.eventsOfEach(options.newEvents, of: options.reporters)
    let workload = options.workload(eventsPerReporter: count)
    return try await together(options.reporters) { number in
      let channel = channels[number % channels.count]
      if let gateway {
        return try await GatewayLoad.run(
          workload, number: number, newCount: count, batchEvents: self.options.batchEvents,
          port: gateway.port, token: gateway.token)
      }
      if self.options.mode == .single {
        return try await SingleLoad.run(workload, number: number, newCount: count, channel)
      }
      let stream = StreamLoad(
        workload, number: number, batchEvents: self.options.batchEvents,
        inFlight: self.options.reporterInFlight)
      return try await stream.run(channel, until: count)
    }
  }

  /// The same work, with batches of the same size, by PostgreSQL.
  private func comparePostgreSQL(
    with ours: LoadFigures, _ report: inout BenchReport
  ) async throws {
    let connections = options.postgresConnections
    let count = options.eventsOfEach(options.postgresEvents.count, of: connections)
    let workload = options.workload(eventsPerReporter: count)
    let server = try await PostgreSQLServer.start(
      below: options.directory, settings: PostgreSQLLoad.serverSettings)
    try await PostgreSQLLoad.prepare(workload, server)
    let load = try await measured {
      try await together(connections) { number in
        try await PostgreSQLLoad.run(
          workload, number: number, newCount: count, batchEvents: self.options.batchEvents, server)
      }
    }
    let bytes = try await PostgreSQLLoad.check(load, server)
    try await server.stop()
    report.append(
      "postgresql",
      load.figures + [
        .ratio("databaseBytesPerEvent", bytes, of: load.accepted, digits: 1, "bytes")
      ])
    report.append(
      "ratio",
      [
        .ratio(
          "timesPostgreSQL", ours.eventsPerSecond, of: load.eventsPerSecond, digits: 2,
          "times as many events/s")
      ])
  }
}

/// Lends connections to a collector.
func withChannels<Result: Sendable>(
  _ collector: CollectorProcess, _ count: Int,
  _ body: @Sendable ([any RPCChannel]) async throws -> Result
) async throws -> Result {
  let connections = try (0..<count).map { _ in
    try RPCConnection(socketPath: collector.socketPath)
  }
  return try await withThrowingTaskGroup(of: Void.self) { group in
    for connection in connections { group.addTask { try await connection.run() } }
    defer { for connection in connections { connection.stop() } }
    return try await body(connections.map(\.channel))
  }
}

/// Runs `body` for each number at the same time; the first that fails ends all.
func together<Result: Sendable>(
  _ count: Int, _ body: @Sendable @escaping (Int) async throws -> Result
) async throws -> [Result] {
  try await withThrowingTaskGroup(of: Result.self) { group in
    for number in 0..<count { group.addTask { try await body(number) } }
    var results: [Result] = []
    for try await result in group { results.append(result) }
    return results
  }
}

/// The loads as one, with the time and the processor time that all of them together took.
func measured(_ body: () async throws -> [LoadFigures]) async throws -> LoadFigures {
  let cpu = ProcessFigures.ofThisProcess().cpu
  let start = ContinuousClock.now
  let parts = try await body()
  var sum = LoadFigures()
  sum.elapsed = ContinuousClock.now - start
  sum.clientCPU = ProcessFigures.ofThisProcess().cpu - cpu
  for part in parts {
    sum.accepted += part.accepted
    sum.duplicates += part.duplicates
    sum.latencies.add(part.latencies)
  }
  return sum
}
