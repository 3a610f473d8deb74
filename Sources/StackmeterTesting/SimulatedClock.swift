package import StackmeterCore
internal import Synchronization

/// A clock that shows what the test says.
package final class SimulatedClock: HostClock {
  private struct State {
    var present: Instant
    var elapsed: Duration = .zero
  }

  private let state: Mutex<State>

  /// Starts at 2026-11-23T15:00:00Z unless told otherwise.
  package init(_ start: Instant = Instant(seconds: 1_795_446_000)) {
    state = Mutex(State(present: start))
  }

  package func now() -> Instant { state.withLock { $0.present } }

  package func elapsed() -> Duration { state.withLock { $0.elapsed } }

  /// Lets time pass; a negative duration only moves the clock back, as a host's clock may.
  package func advance(by duration: Duration) {
    state.withLock { state in
      state.present = state.present.advanced(by: duration)
      state.elapsed += max(.zero, duration)
    }
  }

  /// Sets the clock, while no time passes.
  package func set(_ instant: Instant) {
    state.withLock { $0.present = instant }
  }

  /// Moves the clock, while no time passes.
  package func jump(by duration: Duration) {
    state.withLock { $0.present = $0.present.advanced(by: duration) }
  }

  /// Lets time pass that the clock does not show.
  package func freeze(for duration: Duration) {
    state.withLock { $0.elapsed += duration }
  }
}
