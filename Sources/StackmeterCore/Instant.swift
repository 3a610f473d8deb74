/// A moment in UTC, in nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Covers 1677 to 2262; `Instant.accepted` is the part that usage may lie in.
package struct Instant: Hashable, Comparable, Sendable {
  package static let nanosecondsPerSecond: Int64 = 1_000_000_000
  package static let nanosecondsPerHour: Int64 = 3600 * nanosecondsPerSecond
  /// 1970-01-01 up to and without 2262-01-01: the instants that are taken from outside.
  package static let accepted =
    Instant(nanoseconds: 0)..<Instant(nanoseconds: 9_214_646_400 * nanosecondsPerSecond)

  package let nanoseconds: Int64

  package init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  package init(seconds: Int64) {
    self.init(nanoseconds: seconds * Instant.nanosecondsPerSecond)
  }

  package static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The instant `duration` later, held inside the range that 64 bits can express.
  package func advanced(by duration: Duration) -> Instant {
    let (seconds, attoseconds) = duration.components
    let delta = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    return Instant(nanoseconds: Int64(clamping: Int128(nanoseconds) + delta))
  }

  package static func - (left: Instant, right: Instant) -> Duration {
    .nanoseconds(left.nanoseconds) - .nanoseconds(right.nanoseconds)
  }

  /// The hour that contains this instant.
  package var hour: Hour {
    Hour(index: nanoseconds.flooredDivision(by: Instant.nanosecondsPerHour))
  }
}

/// One hour of UTC, counted from 1970-01-01T00:00Z: a usage hour, or a reporting window.
package struct Hour: Hashable, Comparable, Sendable {
  package let index: Int64

  package init(index: Int64) {
    self.index = index
  }

  package var start: Instant { Instant(nanoseconds: index * Instant.nanosecondsPerHour) }
  package var end: Instant { next.start }
  package var next: Hour { Hour(index: index + 1) }
  /// The day that contains this hour.
  package var day: Day { Day(index: index.flooredDivision(by: 24)) }

  package static func < (left: Hour, right: Hour) -> Bool { left.index < right.index }
}

/// One day of UTC, counted from 1970-01-01.
package struct Day: Hashable, Comparable, Sendable {
  package let index: Int64

  package init(index: Int64) {
    self.index = index
  }

  package var firstHour: Hour { Hour(index: index * 24) }
  package var start: Instant { firstHour.start }
  package var next: Day { Day(index: index + 1) }
  package var end: Instant { next.start }

  package static func < (left: Day, right: Day) -> Bool { left.index < right.index }
}

/// Where the present comes from. Injected, so that tests decide what time it is.
package protocol WallClock: Sendable {
  /// The present according to the host. May jump in either direction.
  func now() -> Instant
}

/// A clock that also tells how much time passes, whatever becomes of the present.
package protocol HostClock: WallClock {
  /// The time since some moment that stays the same while the host is up, also while it sleeps. Never goes back,
  /// and nobody sets it.
  func elapsed() -> Duration
}

extension Int64 {
  /// Division that rounds toward negative infinity.
  package func flooredDivision(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder != 0 && (remainder < 0) != (divisor < 0) ? quotient - 1 : quotient
  }
}
