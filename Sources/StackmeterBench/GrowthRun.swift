internal import StackmeterRPC

/// One collector that grows: how fast it is at each size, how long it takes to serve again after it was killed,
/// and whether it still knows what it accepted long ago.
struct GrowthRun: Sendable {
  /// At most so many of the last events before a size say how fast it is there.
  static let stretchMax: UInt64 = 5_000_000
  /// Old events that are sent once more at the end.
  static let replayed = 100_000
  private static let replayBatch = 10_000

  private let options: IngestOptions
  private let collector: CollectorProcess

  init(_ options: IngestOptions, _ collector: CollectorProcess) {
    self.options = options
    self.collector = collector
  }

  func run(_ sizes: [UInt64], _ report: inout BenchReport) async throws {
    let reporters = options.reporters
    let workload = options.workload(
      eventsPerReporter: options.eventsOfEach(sizes.last ?? 1, of: reporters))
    let streams = (0..<reporters).map { number in
      StreamLoad(
        workload, number: number, batchEvents: options.batchEvents,
        inFlight: options.reporterInFlight)
    }
    for size in sizes {
      _ = try await grow(streams, to: size - min(size / 2, GrowthRun.stretchMax))
      let before = try await CollectorSample(collector)
      let load = try await grow(streams, to: size)
      let after = try await CollectorSample(collector)
      try load.check(before.status, after.status)
      report.append(
        "at \(size)",
        load.figures + load.figures(before, after) + [
          .mebibytes("diskAllocated", FileTree.allocatedBytes(collector.statePath)),
          .ratio(
            "residentBytesPerEvent", after.process.residentBytes, of: size, digits: 1, "bytes"),
        ])
    }
    try await restart(streams, seed: workload.seed, &report)
  }

  /// Loads until there are `total` events.
  private func grow(_ streams: [StreamLoad], to total: UInt64) async throws -> LoadFigures {
    let count = options.eventsOfEach(total, of: streams.count)
    return try await withChannels(collector, options.connections) { channels in
      try await measured {
        try await together(streams.count) { number in
          guard streams[number].newCount < count else { return LoadFigures() }
          return try await streams[number].run(channels[number % channels.count], until: count)
        }
      }
    }
  }

  private func restart(
    _ streams: [StreamLoad], seed: UInt64, _ report: inout BenchReport
  ) async throws {
    try await collector.kill()
    let ready = try await collector.start()
    let begin = ContinuousClock.now
    let before = try await collector.status()
    var random = SplitMix(seed: ~seed)
    var sent = 0
    while sent < GrowthRun.replayed {
      let stream = streams[sent / GrowthRun.replayBatch % streams.count]
      let numbers = (0..<GrowthRun.replayBatch).map { _ in random.next() % stream.newCount }
      try await withRPCChannel(socketPath: collector.socketPath) { channel in
        try await stream.replay(channel, numbers)
      }
      sent += numbers.count
    }
    let elapsed = ContinuousClock.now - begin
    var expected = LoadFigures()
    expected.duplicates = UInt64(sent)
    try expected.check(before, try await collector.status())
    report.append(
      "after a kill",
      [
        .seconds("ready", ready),
        Figure("replayedDuplicates", sent, "events"),
        Figure("replayedPerSecond", perSecond(sent, elapsed), "events/s"),
        .mebibytes("collectorResident", collector.figures.residentBytes),
      ])
  }
}
