internal import Glibc
package import StackmeterCore

/// The host's clock.
package struct SystemClock: HostClock {
  package init() {}

  package func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(
      nanoseconds: Int64(time.tv_sec) * Instant.nanosecondsPerSecond + Int64(time.tv_nsec))
  }

  package func elapsed() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
