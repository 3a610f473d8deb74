internal import Histogram

/// How long each batch or call took.
struct Latencies: Sendable {
  /// Microseconds, up to ten minutes, three digits.
  private var histogram = Histogram<UInt64>(
    highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: .three)

  init() {}

  mutating func record(_ duration: Duration) {
    histogram.record(UInt64(max(0, duration.nanosecondsRounded / 1000)))
  }

  mutating func add(_ other: Latencies) {
    histogram.add(other.histogram)
  }

  var count: UInt64 { histogram.totalCount }
  /// The 50th, 99th and 99.9th percentile and the longest, in microseconds.
  var median: UInt64 { histogram.valueAtPercentile(50) }
  var percentile99: UInt64 { histogram.valueAtPercentile(99) }
  var percentile999: UInt64 { histogram.valueAtPercentile(99.9) }
  var longest: UInt64 { histogram.max }
}

/// What one load has sent and how it was answered; every answer was the expected one.
struct LoadFigures: Sendable {
  var elapsed: Duration = .zero
  var accepted: UInt64 = 0
  var duplicates: UInt64 = 0
  var latencies = Latencies()
  var clientCPU: Duration = .zero

  init() {}

  var events: UInt64 { accepted + duplicates }
  var eventsPerSecond: Int64 { perSecond(events, elapsed) }
}

extension Duration {
  /// Held inside of 64 bits.
  var nanosecondsRounded: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : whole &+ attoseconds / 1_000_000_000
  }
}

/// How many in each second; 0 where no time has passed.
func perSecond(_ count: some BinaryInteger, _ elapsed: Duration) -> Int64 {
  let nanoseconds = elapsed.nanosecondsRounded
  guard nanoseconds > 0 else { return 0 }
  return Int64(Int128(count) * 1_000_000_000 / Int128(nanoseconds))
}
