import CollectorClient
import GRPCCore
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Synchronization

/// Reporters of every kind at once, each of which tells the oracle before it sends and after it is answered.
///
/// They go on until the collector fails them or `stop` is called. What was not answered then stays unknown, and
/// is left for the audit to send again.
final class Reporters: Sendable {
  private let oracle: Oracle
  private let seed: UInt64
  private let name: String
  private let isOver = Atomic(false)
  private let answeredCount = Atomic(0)
  private let problems = Mutex<[String]>([])

  /// The sources are named after `name`, which no earlier reporters of the oracle had.
  init(_ oracle: Oracle, name: String, seed: UInt64) {
    self.oracle = oracle
    self.name = name
    self.seed = seed
  }

  func stop() { isOver.store(true, ordering: .relaxed) }

  /// Answers so far, events.
  var answered: Int { answeredCount.load(ordering: .relaxed) }
  /// Answers that no reporter may get.
  var wrongAnswers: [String] { problems.withLock { $0 } }

  private var goesOn: Bool { !isOver.load(ordering: .relaxed) }

  /// Two that send single events, two that send rows, and two streams.
  func run(_ channel: any RPCChannel) async throws {
    let collector = CollectorClient(channel)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for reporter in 0..<2 as Range<UInt64> {
        group.addTask { [self] in
          try await unary(collector, "\(name)-one-\(reporter)", 1...1, seed &+ reporter)
        }
        group.addTask { [self] in
          try await unary(collector, "\(name)-rows-\(reporter)", 2...12, seed &+ 2 &+ reporter)
        }
        group.addTask { [self] in
          try await stream(collector, "\(name)-stream-\(reporter)", seed &+ 4 &+ reporter)
        }
      }
      try await group.waitForAll()
    }
  }

  private func unary(
    _ collector: CollectorClient, _ source: String, _ sizes: ClosedRange<Int>, _ seed: UInt64
  ) async throws {
    var random = SeededRandom(seed: seed)
    var sent: [OracleEvent] = []
    while goesOn {
      // Now and then what was answered long ago comes again, as from a provider with a bad memory.
      let isRepeated = !sent.isEmpty && Int.random(in: 0..<8, using: &random) == 0
      let events =
        isRepeated
        ? [sent.randomElement(using: &random)!]
        : OracleEvent.several(source, from: sent.count, sizes, using: &random)
      if !isRepeated {
        sent += events
        try await oracle.willSend(events)
      }
      do throws(RPCError) {
        let results = try await collector.report(events.map(\.event))
        try await answered(events, results)
      } catch {
        guard Reporters.isUnknown(error.code) else { throw error }
        return
      }
    }
  }

  private func stream(
    _ collector: CollectorClient, _ source: String, _ seed: UInt64
  ) async throws {
    let batches = Mutex<[[OracleEvent]]>([])
    let (turns, more) = AsyncStream.makeStream(of: Void.self)
    for _ in 0..<Reporters.batchesInFlightMax { more.yield() }
    do {
      try await collector.reportStream(timeout: .seconds(60)) { [self] writer in
        var random = SeededRandom(seed: seed)
        var count = 0
        for await _ in turns {
          guard goesOn else { return }
          let events = OracleEvent.several(source, from: count, 1...30, using: &random)
          count += events.count
          try await oracle.willSend(events)
          let number = batches.withLock {
            $0.append(events)
            return $0.count - 1
          }
          try await writer.write(
            NumberedBatch(
              number: UInt64(number),
              batch: EventBatchBuilder(events.map(\.event)).batches[0].batch))
        }
      } consume: { [self] results in
        defer { more.finish() }
        for try await result in results {
          let events = batches.withLock { $0[Int(result.number)] }
          try await answered(events, Array(result.results))
          more.yield()
        }
      }
    } catch let error as RPCError where Reporters.isUnknown(error.code) {
      return
    }
  }

  /// Batches of one stream that wait for their results.
  private static let batchesInFlightMax = 4

  private func answered(_ events: [OracleEvent], _ results: [EventResult]) async throws(RPCError) {
    do {
      let wrong = try await oracle.answered(events, results)
      if !wrong.isEmpty || results.count != events.count {
        problems.withLock { $0.append("\(wrong.prefix(3)) of \(results.count) results") }
      }
      answeredCount.add(events.count, ordering: .relaxed)
    } catch {
      throw RPCError(code: .dataLoss, message: "\(error)")
    }
  }

  /// What a connection that breaks under a call looks like; anything else is a failure of the test.
  static func isUnknown(_ code: RPCError.Code) -> Bool {
    [.unavailable, .deadlineExceeded, .cancelled, .unknown, .internalError].contains(code)
  }
}

extension OracleEvent {
  fileprivate static func several(
    _ source: String, from number: Int, _ sizes: ClosedRange<Int>,
    using random: inout SeededRandom
  ) -> [OracleEvent] {
    let now = SystemClock().now()
    var events: [OracleEvent] = []
    var target: OracleEvent?
    for number in number..<number + Int.random(in: sizes, using: &random) {
      // One in eight cancels the event in front of it, before or after that is sent.
      if let event = target, Int.random(in: 0..<8, using: &random) == 0 {
        let isInFront = Bool.random(using: &random)
        events.insert(event.void(number), at: events.count - (isInFront ? 1 : 0))
        target = nil
        continue
      }
      let event = OracleEvent.random(
        source, number, textBytes: Int.random(in: 0..<20, using: &random) == 0 ? 2000 : 0,
        using: &random, now: now)
      events.append(event)
      target = event
    }
    return events
  }
}

extension Cluster {
  /// Whether the collector came to serve; false where it ended before.
  func collectorServes() async throws -> Bool {
    try await eventually {
      guard isRunning("collector") else { return false }
      // Its socket is there once it has recovered.
      return (try? RawConnection(settings.socketPath("collector"))) != nil ? true : nil
    }
  }

  /// Lets reporters work, ends the collector under them after `delay`, and gives how it ended.
  func endUnderLoad(
    _ reporters: Reporters, after delay: Duration,
    _ end: @escaping @Sendable (Cluster) async throws -> Void
  ) async throws {
    try await call("collector") { channel in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await reporters.run(channel) }
        _ = try await eventually { reporters.answered > 0 ? true : nil }
        try await Task.sleep(for: delay)
        try await end(self)
        reporters.stop()
        try await group.waitForAll()
      }
    }
  }
}
