internal import Synchronization

/// Lets at most a number of batches be under way: taken before one is sent, given back with its answer.
final class CreditGate: Sendable {
  private struct State {
    var credits: Int
    var waiter: CheckedContinuation<Void, Never>?
    var isClosed = false
  }

  private let state: Mutex<State>

  init(_ credits: Int) {
    state = Mutex(State(credits: credits))
  }

  /// Returns once there is room. One task at a time may wait.
  func take() async throws(BenchFailure) {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        precondition(state.waiter == nil, "one task waits for a gate")
        if state.isClosed { return true }
        if state.credits > 0 {
          state.credits -= 1
          return true
        }
        state.waiter = continuation
        return false
      }
      if isOver { continuation.resume() }
    }
    if state.withLock({ $0.isClosed }) { throw BenchFailure("the answers have ended") }
  }

  func give() {
    state.withLock { state in
      if state.waiter == nil { state.credits += 1 }
      return state.waiter.take()
    }?.resume()
  }

  /// Nobody waits from now on.
  func close() {
    state.withLock { state in
      state.isClosed = true
      return state.waiter.take()
    }?.resume()
  }
}
