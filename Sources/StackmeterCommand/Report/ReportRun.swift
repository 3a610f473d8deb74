internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterWire
internal import Synchronization

/// Sends all events of an input to the collector, and goes on through its restarts.
///
/// A stream ends after a bounded time and the next one starts; whatever a stream leaves without an answer
/// goes first on the next.
final class ReportRun: Sendable {
  /// Batches that were sent and not answered.
  static let batchesInFlightMax = 8
  /// How long one stream takes new events.
  static let streamMax: Duration = .seconds(300)
  static let pauseMax: Duration = .seconds(2)

  /// What is told while it goes on.
  struct Observer: Sendable {
    var refused: @Sendable ([RefusedLine]) -> Void = { _ in }
    var progress: @Sendable (ReportLedger.Tally, ReportLedger.Position) -> Void = { _, _ in }
    /// The collector does not answer; it is tried again.
    var waiting: @Sendable (RPCError) -> Void = { _ in }
  }

  private let collector: CollectorClient
  private let outageMax: Duration
  private let observer: Observer
  private let ledger: Mutex<ReportLedger>
  private let reader: Mutex<EventReader>
  private let inputEnd = Mutex<Result<Void, FileReadError>?>(nil)

  /// Without an answer for `outageMax` it fails.
  init(
    _ collector: CollectorClient, reader: sending EventReader,
    from position: ReportLedger.Position = .init(offset: 0, lines: 0),
    outageMax: Duration = .seconds(30), observer: Observer = Observer()
  ) {
    self.collector = collector
    self.outageMax = outageMax
    self.observer = observer
    ledger = Mutex(ReportLedger(from: position))
    self.reader = Mutex(reader)
  }

  /// Returns once every line is answered.
  func run() async throws -> ReportLedger.Tally {
    var outageStart: ContinuousClock.Instant?
    var pause: Duration = .milliseconds(50)
    var settledBefore = ledger.withLock { $0.settledCount }
    while true {
      do {
        try await stream()
        if case .failure(let error)? = inputEnd.withLock({ $0 }) { throw error }
        let isDone = inputEnd.withLock { $0 != nil } && ledger.withLock { $0.isSettled }
        if isDone { return ledger.withLock { $0.tally } }
      } catch let error as RPCError {
        guard ReportRun.isTemporary(error) else { throw error }
        let now = ContinuousClock.now
        let settled = ledger.withLock { $0.settledCount }
        if settled != settledBefore { (outageStart, pause) = (nil, .milliseconds(50)) }
        settledBefore = settled
        let start = outageStart ?? now
        outageStart = start
        guard now + pause - start <= outageMax else {
          throw CommandFailure.unavailable(
            "the collector does not take events: \(error.message) (\(error.code)); everything before "
              + "line \(ledger.withLock { $0.position.lines } + 1) is counted, and running this "
              + "again counts nothing twice")
        }
        observer.waiting(error)
        try await Task.sleep(for: pause)
        pause = min(pause * 2, ReportRun.pauseMax)
      }
    }
  }

  /// Whether the same call may be answered later.
  private static func isTemporary(_ error: RPCError) -> Bool {
    switch error.code {
    case .unavailable, .resourceExhausted, .deadlineExceeded, .aborted, .cancelled, .unknown: true
    default: false
    }
  }

  private func stream() async throws {
    let (credits, grant) = AsyncStream.makeStream(of: Void.self)
    for _ in 0..<ReportRun.batchesInFlightMax { grant.yield() }
    try await collector.reportStream(timeout: ReportRun.streamMax + .seconds(60)) { writer in
      try await self.produce(to: writer, credits)
    } consume: { results in
      defer { grant.finish() }
      for try await result in results {
        let (refused, tally, position) = try self.ledger.withLock { ledger in
          (try ledger.settle(result), ledger.tally, ledger.position)
        }
        if !refused.isEmpty { self.observer.refused(refused) }
        self.observer.progress(tally, position)
        grant.yield()
      }
    }
  }

  /// Writes what is in doubt, then what is read, a batch for each credit, until the input or the stream's
  /// time is over.
  private func produce(
    to writer: RPCWriter<NumberedBatch>, _ credits: AsyncStream<Void>
  ) async throws {
    var credit = credits.makeAsyncIterator()
    for batch in ledger.withLock({ $0.unanswered }) {
      guard await credit.next() != nil else { return }
      try await writer.write(batch)
    }
    let end = ContinuousClock.now + ReportRun.streamMax
    while ContinuousClock.now < end, let chunk = await nextChunk() {
      let (batches, tally, position) = ledger.withLock { ledger in
        (ledger.add(chunk), ledger.tally, ledger.position)
      }
      if !chunk.refused.isEmpty { observer.refused(chunk.refused) }
      observer.progress(tally, position)
      for batch in batches {
        guard await credit.next() != nil else { return }
        try await writer.write(batch)
      }
    }
  }

  /// Nil at the end of the input, which is noted. Reading may wait for long, so a thread of its own does it.
  private func nextChunk() async -> EventChunk? {
    guard inputEnd.withLock({ $0 == nil }) else { return nil }
    let result: Result<EventChunk?, FileReadError> = await blocking {
      self.reader.withLock { reader in
        do throws(FileReadError) {
          return .success(try reader.next())
        } catch {
          return .failure(error)
        }
      }
    }
    switch result {
    case .success(let chunk?): return chunk
    case .success(nil): inputEnd.withLock { $0 = .success(()) }
    case .failure(let error): inputEnd.withLock { $0 = .failure(error) }
    }
    return nil
  }

  /// After `run` has thrown: how far it came.
  var tally: ReportLedger.Tally { ledger.withLock { $0.tally } }
  var position: ReportLedger.Position { ledger.withLock { $0.position } }
}
