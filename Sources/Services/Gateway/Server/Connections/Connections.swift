internal import NIOCore
internal import Synchronization

/// The open connections of a gateway, and which of them make room when there are too many.
final class Connections: Sendable {
  /// Why a connection was ended by the gateway.
  enum Reason: String, CaseIterable, Sendable {
    case slowHead = "slow_head"
    case slowReader = "slow_reader"
    case tooMany = "too_many"
  }

  private struct State {
    var next = 0
    var open = 0
    var opened = 0
    /// Those that wait for a request, by their number: the smallest has waited longest.
    var waiting: [Int: any Channel] = [:]
    var dropped: [Reason: Int] = [:]
  }

  private let connectionsMax: Int
  private let state = Mutex(State())

  init(connectionsMax: Int) {
    self.connectionsMax = connectionsMax
  }

  /// A number for a connection that begins. Where there are too many, the one that waits longest is closed.
  func opened(_ channel: any Channel) -> Int {
    let (number, evicted) = state.withLock { state -> (Int, (any Channel)?) in
      state.open += 1
      state.opened += 1
      var evicted: (any Channel)?
      if state.open > connectionsMax, let oldest = state.waiting.keys.min() {
        evicted = state.waiting.removeValue(forKey: oldest)
        state.dropped[.tooMany, default: 0] += 1
      }
      let number = state.next
      state.next += 1
      state.waiting[number] = channel
      return (number, evicted)
    }
    evicted?.close(promise: nil)
    return number
  }

  /// It has a request.
  func began(_ number: Int) {
    state.withLock { _ = $0.waiting.removeValue(forKey: number) }
  }

  /// It has no request any more, and waits from now on, under the number that it gets.
  func rested(_ number: Int, _ channel: any Channel) -> Int {
    state.withLock { state in
      state.waiting[number] = nil
      state.waiting[state.next] = channel
      state.next += 1
      return state.next - 1
    }
  }

  func closed(_ number: Int) {
    state.withLock { state in
      state.open -= 1
      state.waiting[number] = nil
    }
  }

  func dropped(_ reason: Reason) {
    state.withLock { $0.dropped[reason, default: 0] += 1 }
  }

  /// How many are open, how many there were, and how many were ended for which reason.
  var counts: (open: Int, opened: Int, dropped: [Reason: Int]) {
    state.withLock { ($0.open, $0.opened, $0.dropped) }
  }
}
