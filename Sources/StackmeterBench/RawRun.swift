internal import StackmeterRPC

/// How much the transport takes, with the collector's own server and nothing to decide.
struct RawRun: Sendable {
  static let messages = 4_000
  static let calls = 100_000
  static let callsInFlight = 64

  private let options: IngestOptions
  private let collector: CollectorProcess

  init(_ options: IngestOptions, _ collector: CollectorProcess) {
    self.options = options
    self.collector = collector
  }

  func run(_ report: inout BenchReport) async throws {
    let options = options
    let before = collector.figures
    let (bytes, elapsed) = try await withChannels(collector, 1) { channels in
      let begin = ContinuousClock.now
      let bytes = try await RawLoad.messages(
        RawRun.messages, inFlight: options.reporterInFlight, channels[0])
      return (bytes, ContinuousClock.now - begin)
    }
    let cpu = collector.figures.cpu - before.cpu
    report.append(
      "raw messages",
      [
        Figure("messages", RawRun.messages, "messages"),
        Figure("messageBytes", bytes / UInt64(RawRun.messages), "bytes"),
        .seconds("elapsed", elapsed),
        .ratio(
          "megabytesPerSecond", perSecond(bytes, elapsed), of: 1_000_000, digits: 1, "MB/s"),
        .ratio(
          "collectorCPU", cpu.nanosecondsRounded, of: bytes, digits: 3, "s per GB"),
      ])
    let beforeCalls = collector.figures
    let calls = try await withChannels(collector, options.connections) { channels in
      try await measured {
        try await together(RawRun.callsInFlight) { number in
          try await RawLoad.calls(
            RawRun.calls / RawRun.callsInFlight, channels[number % channels.count])
        }
      }
    }
    report.append(
      "raw calls",
      [
        Figure("calls", calls.latencies.count, "calls"),
        .seconds("elapsed", calls.elapsed),
        Figure("callsPerSecond", perSecond(calls.latencies.count, calls.elapsed), "calls/s"),
      ] + calls.latencies.figures + [
        .cpu("clientCPU", calls.clientCPU, per: "calls", calls.latencies.count),
        .cpu(
          "collectorCPU", collector.figures.cpu - beforeCalls.cpu, per: "calls",
          calls.latencies.count),
      ])
  }
}
