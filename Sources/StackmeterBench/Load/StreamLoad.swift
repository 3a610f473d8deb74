internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterWire
internal import Synchronization

/// One reporter with a `ReportStream`: several batches in flight, every answer checked.
///
/// It can be run again and again, and goes on where it was.
final class StreamLoad: Sendable {
  /// A stream may last this long: longer than any run.
  private static let timeout: Duration = .seconds(24 * 3600)

  private struct Pending {
    let expected: ExpectedAnswers
    let sent: ContinuousClock.Instant
  }

  private struct State: ~Copyable {
    var reporter: Reporter
    var number: UInt64 = 0
    var pending: [UInt64: Pending] = [:]
  }

  private let batchEvents: Int
  private let inFlight: Int
  private let state: Mutex<State>
  private let check = Mutex(AnswerCheck())

  init(_ workload: Workload, number: Int, batchEvents: Int, inFlight: Int) {
    self.batchEvents = batchEvents
    self.inFlight = inFlight
    state = Mutex(State(reporter: Reporter(workload, number: number, inFlight: inFlight)))
  }

  var newCount: UInt64 { state.withLock { $0.reporter.newCount } }

  /// Reports until there were `newTotal` new events since the beginning.
  func run(_ channel: any RPCChannel, until newTotal: UInt64) async throws -> LoadFigures {
    let gate = CreditGate(inFlight)
    return try await CollectorClient(channel).reportStream(timeout: StreamLoad.timeout) { writer in
      while let batch = self.prepare(until: newTotal) {
        try await gate.take()
        self.isSent(batch.number)
        try await writer.write(batch)
      }
    } consume: { results in
      defer { gate.close() }
      var figures = LoadFigures()
      for try await result in results {
        let pending = self.state.withLock { $0.pending.removeValue(forKey: result.number) }
        guard let pending else { throw BenchFailure("batch \(result.number) was answered twice") }
        figures.latencies.record(ContinuousClock.now - pending.sent)
        gate.give()
        try self.check.withLock { (check) throws(BenchFailure) in
          try check.take(result.results, pending.expected)
        }
        figures.accepted += UInt64(pending.expected.newCount)
        figures.duplicates += UInt64(pending.expected.retryCount)
      }
      let unanswered = self.state.withLock { $0.pending.count }
      guard unanswered == 0 else { throw BenchFailure("\(unanswered) batches were not answered") }
      return figures
    }
  }

  private func prepare(until newTotal: UInt64) -> NumberedBatch? {
    state.withLock { state in
      guard state.reporter.newCount < newTotal else { return nil }
      let prepared = state.reporter.next(
        batchEvents, newMax: newTotal - state.reporter.newCount)
      state.number += 1
      state.pending[state.number] = Pending(expected: prepared.expected, sent: .now)
      return NumberedBatch(number: state.number, batch: prepared.batch)
    }
  }

  /// The time of a batch begins when it may be sent, not when it was prepared.
  private func isSent(_ number: UInt64) {
    state.withLock { state in
      guard let pending = state.pending[number] else { return }
      state.pending[number] = Pending(expected: pending.expected, sent: .now)
    }
  }

  /// Sends `numbers`, which were all accepted before, and expects each to be known.
  func replay(_ channel: any RPCChannel, _ numbers: [UInt64]) async throws {
    let batch = state.withLock { $0.reporter.batch(numbers) }
    let results = try await CollectorClient(channel).report(
      (0..<batch.count).map { batch.event($0) })
    for (number, result) in zip(numbers, results) {
      let position = check.withLock { $0.position(of: number) }
      guard result == .duplicate(position: position) else {
        throw BenchFailure(
          "event \(number), accepted at position \(position), was answered with \(result)")
      }
    }
  }
}
