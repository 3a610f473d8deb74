internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterWire

/// The transport alone: messages that the collector has nothing to decide about.
enum RawLoad {
  /// The size of one message, about.
  static let messageBytes = 256 << 10

  /// Batches without events, whose dictionary makes them large. Gives the bytes that were sent.
  static func messages(
    _ count: Int, inFlight: Int, _ channel: any RPCChannel
  ) async throws -> UInt64 {
    let message = RawLoad.message()
    let bytes = UInt64(message.packed().count)
    let gate = CreditGate(inFlight)
    let answered = try await CollectorClient(channel).reportStream(timeout: .seconds(3600)) {
      writer in
      for number in 0..<count {
        try await gate.take()
        var numbered = message
        numbered.number = UInt64(number)
        try await writer.write(numbered)
      }
    } consume: { results in
      defer { gate.close() }
      var answered = 0
      for try await result in results {
        guard result.number == UInt64(answered), result.results.count == 0 else {
          throw BenchFailure("message \(answered) was answered with \(result)")
        }
        answered += 1
        gate.give()
      }
      return answered
    }
    guard answered == count else { throw BenchFailure("\(answered) answers to \(count) messages") }
    return bytes * UInt64(count)
  }

  private static func message() -> NumberedBatch {
    let text = String(repeating: "x", count: EventLimits.additionalInfoBytesMax)
    let series = (0..<messageBytes / text.utf8.count).map { index in
      Series(
        subscription: "s", meter: "m",
        resource: Resource(uri: "/\(index)", additionalInfo: text))
    }
    return NumberedBatch(number: 0, batch: EventBatch(source: Workload.source, series: series))
  }

  /// Health checks, one after the other.
  static func calls(_ count: Int, _ channel: any RPCChannel) async throws -> LoadFigures {
    let health = HealthClient(channel)
    var figures = LoadFigures()
    for _ in 0..<count {
      let sent = ContinuousClock.now
      guard await health.isServing() else { throw BenchFailure("a health check was not answered") }
      figures.latencies.record(ContinuousClock.now - sent)
    }
    return figures
  }
}
