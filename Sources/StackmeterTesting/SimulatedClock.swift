package import StackmeterCore
internal import Synchronization

/// A clock that shows what the test says.
package final class SimulatedClock: WallClock {
  private let present: Mutex<Instant>

  /// Starts at 2026-11-23T15:00:00Z unless told otherwise.
  package init(_ start: Instant = Instant(seconds: 1_795_446_000)) {
    present = Mutex(start)
  }

  package func now() -> Instant { present.withLock { $0 } }

  /// Moves the clock; a negative duration moves it back, as a host's clock may.
  package func advance(by duration: Duration) {
    present.withLock { $0 = $0.advanced(by: duration) }
  }

  package func set(_ instant: Instant) {
    present.withLock { $0 = instant }
  }
}
