package import StackmeterCore

/// What a run reports, decided by a seed: the same events, in the same order, on every host.
package struct Workload: Sendable {
  /// The resource provider that all events name.
  package static let source = "stackmeter-bench"
  /// Bytes of an event's id.
  package static let idBytes = 18

  package let seed: UInt64
  /// The series of all events.
  package let series: [Series]
  /// The usage hours that the run advances over, the oldest first.
  package let hours: Range<Int64>
  /// Events that each reporter brings over the whole run; the usage hours advance with them.
  package let eventsPerReporter: UInt64
  /// Percent of what is sent: retries of earlier events.
  package let duplicatesPercent: Int
  /// Percent of the events: of an earlier usage hour than their neighbours.
  package let latePercent: Int

  /// How far before the others the late events lie at most.
  package static let lateHoursMax: UInt64 = 24

  /// `now` is the hour of the collector's clock; the usage hours end before it.
  package init(
    seed: UInt64, seriesCount: Int, subscriptionCount: Int, hourCount: Int, now: Hour,
    eventsPerReporter: UInt64, duplicatesPercent: Int, latePercent: Int
  ) {
    self.seed = seed
    series = Workload.series(seriesCount, subscriptions: subscriptionCount)
    hours = (now.index - Int64(hourCount))..<now.index
    self.eventsPerReporter = max(1, eventsPerReporter)
    self.duplicatesPercent = duplicatesPercent
    self.latePercent = latePercent
  }

  /// Meters of the catalog that is shipped, `deploy/config/meters.json`.
  private static let meters = [
    "F271A8A388C44D93956A063E1D2FA80B", "9E2739BA86744796B465F64674B822BA",
    "B4438D5D-453B-4EE1-B42A-DC72E377F1E4", "B5C15376-6C94-4FDD-B655-1A69D138ACA3",
    "09F8879E-87E9-4305-A572-4B7BE209F857", "FAB6EB84-500B-4A09-A8CA-7358F8BBAEA5",
    "9CD92D4C-BAFD-4492-B278-BEDC2DE8232A", "6DAB500F-A4FD-49C4-956D-229BB9C8C793",
  ]

  /// One of them, which is added up.
  static var meter: String { meters[0] }

  private static func series(_ count: Int, subscriptions: Int) -> [Series] {
    (0..<count).map { index in
      let digits = String(index % subscriptions + 0x10_0000, radix: 16)
      let subscription = "6f1c0a8e-0000-4000-8000-000000\(digits)"
      let machine = "vm\(index / subscriptions)"
      return Series(
        subscription: subscription, meter: meters[index % meters.count],
        resource: Resource(
          uri: "/subscriptions/\(subscription)/resourceGroups/rg\(index % 7)"
            + "/providers/Microsoft.Compute/virtualMachines/\(machine)",
          location: "local", tags: Resource.canonicalTags([("env", "production")])))
    }
  }

  /// One event, but for its id: a function of the seed, the reporter and its number.
  struct Content {
    let seriesIndex: Int
    let usageStart: Int64
    let usageEnd: Int64
    let attos: Int128
  }

  @inline(__always)
  func content(reporter: UInt64, number: UInt64) -> Content {
    let first = SplitMix.mix(word(reporter: reporter, number: number) &+ 0x9E37_79B9_7F4A_7C15)
    let second = SplitMix.mix(first &+ 0x9E37_79B9_7F4A_7C15)
    let passed = min(number, eventsPerReporter - 1)
    var hour = Int64(passed * UInt64(hours.count) / eventsPerReporter)
    if SplitMix.below(100, first) < UInt64(latePercent) {
      hour -= 1 + Int64(SplitMix.below(Workload.lateHoursMax, first << 32))
    }
    // A minute of usage within one hour.
    let secondOfHour = Int64(SplitMix.below(3_541, second << 32))
    let start =
      Hour(index: hours.lowerBound + hour).start.nanoseconds
      + secondOfHour * Instant.nanosecondsPerSecond
    return Content(
      seriesIndex: Int(SplitMix.below(UInt64(series.count), second)), usageStart: start,
      usageEnd: start + 60 * Instant.nanosecondsPerSecond,
      // Below 4.3, with nine digits after the point.
      attos: Int128(1 + (second & 0xFFFF_FFFF)) * 1_000_000_000)
  }

  /// Different for every event of the run.
  @inline(__always)
  func word(reporter: UInt64, number: UInt64) -> UInt64 {
    SplitMix.mix((reporter << 48 | number) ^ seed)
  }

  /// Writes the id of an event: `e-` and sixteen digits that look like chance.
  @inline(__always)
  func writeID(
    reporter: UInt64, number: UInt64, to bytes: UnsafeMutableBufferPointer<UInt8>
  ) {
    var word = word(reporter: reporter, number: number)
    bytes[0] = UInt8(ascii: "e")
    bytes[1] = UInt8(ascii: "-")
    for index in 2..<Workload.idBytes {
      let digit = UInt8(truncatingIfNeeded: word >> 60)
      bytes[index] = digit + (digit < 10 ? 48 : 87)
      word <<= 4
    }
  }
}
