internal import StackmeterJournal
internal import Synchronization

/// The durable tail of the journal, and who waits for it to move.
final class TailBroadcast: Sendable {
  private struct State {
    var tail: LogTail
    var nextID = 0
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
  }

  private let state: Mutex<State>

  init(_ tail: LogTail) {
    state = Mutex(State(tail: tail))
  }

  var tail: LogTail { state.withLock { $0.tail } }

  func advance(to tail: LogTail) {
    let waiters = state.withLock { state in
      guard state.tail != tail else { return [Int: CheckedContinuation<Void, Never>]() }
      state.tail = tail
      defer { state.waiters = [:] }
      return state.waiters
    }
    for waiter in waiters.values { waiter.resume() }
  }

  /// Returns once the tail is another than `known`, or the task is cancelled.
  func wait(after known: LogTail) async {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.tail != known || Task.isCancelled { return true }
          state.waiters[id] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
  }
}
