internal import StackmeterWire
internal import Synchronization

/// Holds what the journal's stream brought until the next commit. One task puts, another takes.
final class ChunkBuffer: Sendable {
  /// Past this the stream waits, and with it the collector's end of it.
  static let bytesMax = 64 << 20

  private struct State {
    var chunks: [JournalChunk] = []
    var bytes = 0
    var isFinished = false
    var taker: CheckedContinuation<Void, Never>?
    var putter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// Waits while the buffer is full.
  func put(_ chunk: JournalChunk) async {
    await wait(\.putter) { $0.bytes >= ChunkBuffer.bytesMax && !$0.isFinished }
    let taker = state.withLock { state in
      state.chunks.append(chunk)
      state.bytes += chunk.records.count
      defer { state.taker = nil }
      return state.taker
    }
    taker?.resume()
  }

  /// Everything so far, as soon as there is something; empty once the stream is over.
  func take() async -> [JournalChunk] {
    await wait(\.taker) { $0.chunks.isEmpty && !$0.isFinished }
    let (chunks, putter) = state.withLock { state in
      defer {
        state.chunks = []
        state.bytes = 0
        state.putter = nil
      }
      return (state.chunks, state.putter)
    }
    putter?.resume()
    return chunks
  }

  /// No more is put, and nobody waits any more.
  func finish() {
    let waiting = state.withLock { state in
      state.isFinished = true
      defer {
        state.taker = nil
        state.putter = nil
      }
      return [state.taker, state.putter]
    }
    for continuation in waiting { continuation?.resume() }
  }

  private func wait(
    _ place: any WritableKeyPath<State, CheckedContinuation<Void, Never>?> & Sendable,
    while condition: @escaping @Sendable (State) -> Bool
  ) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          guard condition(state), !Task.isCancelled else { return true }
          state[keyPath: place] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      finish()
    }
  }
}
