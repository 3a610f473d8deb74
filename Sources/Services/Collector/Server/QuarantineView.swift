internal import StackmeterCore
internal import StackmeterJournal
internal import Synchronization

/// What is durable in the quarantine: written by the thread that owns it, read by all that list it.
final class QuarantineView: Sendable {
  private struct State {
    var tail: LogTail
    /// The number at which the oldest segment begins.
    var firstNumber: UInt64
    /// Of every entry that has been closed and whose segment is still there.
    var resolutions: [UInt64: QuarantineResolution]
  }

  private let state: Mutex<State>

  init(tail: LogTail, firstNumber: UInt64, resolutions: [UInt64: QuarantineResolution]) {
    state = Mutex(State(tail: tail, firstNumber: firstNumber, resolutions: resolutions))
  }

  var tail: LogTail { state.withLock { $0.tail } }
  var firstNumber: UInt64 { state.withLock { $0.firstNumber } }

  func resolution(of number: UInt64) -> QuarantineResolution? {
    state.withLock { $0.resolutions[number] }
  }

  /// How an entry is. Every number between the first and the tail is an entry's.
  func state(of number: UInt64) -> QuarantineResult.State {
    state.withLock { state in
      guard number >= state.firstNumber, number < state.tail.nextPosition else { return .absent }
      return state.resolutions[number].map { .resolved($0.outcome) } ?? .open
    }
  }

  func advance(to tail: LogTail, _ resolved: [UInt64: QuarantineResolution]) {
    state.withLock { state in
      state.tail = tail
      state.resolutions.merge(resolved) { $1 }
    }
  }

  /// Forgets the entries in front of `number`, whose segment is removed next.
  func forget(before number: UInt64) {
    state.withLock { state in
      for forgotten in state.firstNumber..<number { state.resolutions[forgotten] = nil }
      state.firstNumber = number
    }
  }
}
