internal import GRPCCore
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterWire
internal import Synchronization

/// The batches of one stream that are worked on, and their answers, in order.
///
/// Several are worked on at once, so that one sync serves them all. Each is answered as soon as it and all before it
/// are done: a reporter may wait for one answer before it sends the next batch. There is no task for a batch, so a
/// batch of one event costs little too.
final class ReportStream: Sendable {
  /// Batches that are worked on at once. The next waits in the sender.
  static let batchesInFlightMax = 128
  /// What they may occupy; one may pass alone.
  static let bytesInFlightMax = 16 << 20

  private struct Slot {
    let number: UInt64
    let bytes: Int
    var answer: Result<[EventResults], CollectorError>?
  }

  private struct State {
    var slots: [Slot] = []
    /// How many slots there were before these.
    var first = 0
    var bytes = 0
    var hasEnded = false
  }

  private let collector: Collector
  private let state = Mutex(State())
  /// Whoever waits looks at the state again. Signals that nobody waits for become one.
  private let room = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  private let ready = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  init(_ collector: Collector) {
    self.collector = collector
  }

  /// Returns when all is answered; throws what a batch has failed with, after the answers to all before it.
  func run(
    _ batches: RPCAsyncSequence<NumberedBatch, any Error>, _ writer: RPCWriter<BatchResult>
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.take(batches) }
      group.addTask { try await self.answer(writer) }
      // The first that fails ends the other, which may wait for the sender.
      defer { group.cancelAll() }
      while try await group.next() != nil {}
    }
  }

  private func take(_ batches: RPCAsyncSequence<NumberedBatch, any Error>) async throws {
    var room = room.stream.makeAsyncIterator()
    for try await numbered in batches {
      let bytes = numbered.batch.byteCount
      var index = open(numbered.number, bytes)
      while index == nil {
        guard await room.next() != nil else { throw CancellationError() }
        index = open(numbered.number, bytes)
      }
      let slot = index!
      collector.report([numbered.batch]) { self.fill(slot, $0) }
    }
    state.withLock { $0.hasEnded = true }
    ready.continuation.yield()
  }

  private func answer(_ writer: RPCWriter<BatchResult>) async throws {
    for await _ in ready.stream {
      let answers = try takeAnswers()
      if !answers.isEmpty {
        room.continuation.yield()
        try await writer.write(contentsOf: answers)
      }
      if state.withLock({ $0.hasEnded && $0.slots.isEmpty }) { return }
    }
    throw CancellationError()
  }

  /// A slot for the next batch, once there is room.
  private func open(_ number: UInt64, _ bytes: Int) -> Int? {
    state.withLock { state in
      guard
        state.slots.isEmpty
          || state.slots.count < Self.batchesInFlightMax
            && state.bytes + bytes <= Self.bytesInFlightMax
      else { return nil }
      state.slots.append(Slot(number: number, bytes: bytes))
      state.bytes += bytes
      return state.first + state.slots.count - 1
    }
  }

  /// Called by the commit thread.
  private func fill(_ slot: Int, _ answer: Result<[EventResults], CollectorError>) {
    let isNext = state.withLock { state in
      state.slots[slot - state.first].answer = answer
      return slot == state.first
    }
    if isNext { ready.continuation.yield() }
  }

  /// The answers whose turn it is. A failure is thrown once it is the first.
  private func takeAnswers() throws(CollectorError) -> [BatchResult] {
    try state.withLock { (state) throws(CollectorError) in
      var answers: [BatchResult] = []
      for slot in state.slots {
        guard case .success(let results) = slot.answer else { break }
        answers.append(BatchResult(number: slot.number, results: results[0]))
        state.bytes -= slot.bytes
      }
      if answers.isEmpty, case .failure(let error) = state.slots.first?.answer { throw error }
      state.slots.removeFirst(answers.count)
      state.first += answers.count
      // A failure that has become the first was not signalled.
      if state.slots.first?.answer != nil { ready.continuation.yield() }
      return answers
    }
  }
}
