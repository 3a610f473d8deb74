internal import BridgeClient
internal import Glibc
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterWire

/// A backlog of closed windows: collected while the bridge is paused, then sent; or both at once.
struct BridgeRun {
  /// How long either may take.
  private static let timeMax: Duration = .seconds(3600)

  let options: BridgeOptions

  init(_ options: BridgeOptions) {
    self.options = options
  }

  func report() async throws -> BenchReport {
    let directory = try BenchDirectory(below: options.directory)
    let dataset = UsageDataset(
      aggregates: options.records.count, subscriptionCount: options.subscriptions,
      seriesPerSubscription: options.series, now: SystemClock().now().hour)
    mkdir("\(directory.path)/state", 0o750)
    try await blocking { Result { try dataset.write(to: "\(directory.path)/state/usage.sqlite") } }
      .get()
    let query = try await ServiceProcess.start(
      "query", directory: directory, catalog: options.catalog)
    let bridge = try await ServiceProcess.start(
      "bridge", directory: directory, catalog: options.catalog,
      settings: ["STACKMETER_BRIDGE_POLL_MILLISECONDS": "50"])
    let sink = try CommerceSink()
    defer { sink.stop() }
    let expected = Self.expected(dataset)
    let figures = try await withRPCChannel(socketPath: bridge.socketPath) { channel in
      try await run(
        BridgeClient(channel), bridge, query, sink, dataset, records: expected.records)
    }
    try await bridge.kill()
    try await query.kill()
    let taken = sink.taken
    guard taken.records == expected.records, taken.repeated == 0, taken.attos == expected.attos
    else {
      throw BenchFailure(
        "\(taken.records) records arrived, \(taken.repeated) of them twice, of \(expected.records); "
          + "the sum is \(taken.attos == expected.attos ? "right" : "wrong")")
    }
    var report = BenchReport()
    for (name, figures) in figures { report.append(name, figures) }
    report.append(
      "on the wire",
      [
        Figure("batches", taken.batches, "batches"),
        .ratio("bytes of a record", taken.bytes, of: taken.records, digits: 1, "bytes"),
      ])
    return report
  }

  private func run(
    _ client: BridgeClient, _ bridge: ServiceProcess, _ query: ServiceProcess,
    _ sink: CommerceSink, _ dataset: UsageDataset, records: Int
  ) async throws -> [(String, [Figure])] {
    let from = Hour(index: dataset.windows.lowerBound)
    let document =
      #"{"site":"bench","model":"payAsYouUse","endpoint":"http://127.0.0.1:\#(sink.port)/","#
      + #""key":"bench","from":"\#(from)","paused":\#(!options.atOnce)}"#
    let memory = { Figure.mebibytes("bridge memory at most", bridge.figures.residentBytesMax) }
    let queryBefore = query.figures.cpu
    let queryCPU = {
      Figure.cpu("cpu of query", query.figures.cpu - queryBefore, per: "records", UInt64(records))
    }
    let begin = ContinuousClock.now
    _ = try await client.register(RegisterBridgeRequest(document: Array(document.utf8)))
    if options.atOnce {
      try await wait(client) { $0.acknowledged == UInt64(records) }
      let elapsed = ContinuousClock.now - begin
      return [
        ("drain", figures(records, elapsed, bridge.figures.cpu) + [queryCPU(), memory()])
      ]
    }
    try await wait(client) { $0.nextWindow.index >= dataset.windows.upperBound }
    let collected = ContinuousClock.now - begin
    let before = bridge.figures.cpu
    let collecting = figures(records, collected, before) + [queryCPU(), memory()]
    let sending = ContinuousClock.now
    _ = try await client.control(.resume)
    try await wait(client) { $0.acknowledged == UInt64(records) }
    let sent = ContinuousClock.now - sending
    return [
      ("collect", collecting),
      ("send", figures(records, sent, bridge.figures.cpu - before) + [memory()]),
    ]
  }

  private func figures(_ records: Int, _ elapsed: Duration, _ cpu: Duration) -> [Figure] {
    [
      Figure("records", records, "records"), .seconds("elapsed", elapsed),
      .ratio(
        "rate", Int128(records) * 1_000_000_000, of: Int128(elapsed.nanosecondsRounded), digits: 0,
        "records/s"),
      .cpu("cpu of the bridge", cpu, per: "records", UInt64(records)),
    ]
  }

  private func wait(
    _ client: BridgeClient, until isThere: (BridgeStatus) -> Bool
  ) async throws {
    let begin = ContinuousClock.now
    while true {
      let status = try await client.status()
      if isThere(status) { return }
      if !status.problem.isEmpty { throw BenchFailure("the bridge: \(status.problem)") }
      guard ContinuousClock.now - begin < BridgeRun.timeMax else {
        throw BenchFailure("the bridge has not come to an end after \(BridgeRun.timeMax)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private static func expected(_ dataset: UsageDataset) -> (records: Int, attos: Int128) {
    var (records, nanos) = (0, Int128(0))
    for window in dataset.windows {
      for series in 0..<Int64(dataset.series.count) {
        let isLate = dataset.isLate(window: window, series: series)
        for lag in isLate ? [UsageDataset.lateHours, 0] : [0] {
          records += 1
          nanos += Int128(dataset.nanos(window: window, series: series, lag: lag))
        }
      }
    }
    return (records, nanos * 1_000_000_000)
  }
}
