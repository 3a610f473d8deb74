import StackmeterCore
import StackmeterTesting

@testable import StackmeterStore

/// Usage at random, and random questions about it, for tests that compare answers with their definition.
enum RandomUsage {
  typealias Row = (Int64, Series, Int64, Quantity)

  /// From a few hours before the turn of a month on.
  static let firstWindow: Int64 = 499_640
  static let openWindow: Int64 = 499_680

  static func series(_ random: inout SeededRandom) -> Series {
    let subscription = "s\(Int.random(in: 0..<4, using: &random))"
    let group = ["rg1", "RG1", "rg2"].randomElement(using: &random)!
    let name = Int.random(in: 0..<3, using: &random)
    return Series(
      subscription: subscription, meter: ["cpu", "DISK"].randomElement(using: &random)!,
      resource: Resource(
        uri: "/subscriptions/\(subscription)/resourceGroups/\(group)/vm/\(name)",
        location: ["north", "south", ""].randomElement(using: &random)!,
        tags: ["", #"{"env":"prod"}"#, #"{"env":"test","team":"a:b"}"#, #"{"te\"am":"é"}"#]
          .randomElement(using: &random)!))
  }

  static func rows(_ random: inout SeededRandom) -> [Row] {
    (0..<120).map { _ in
      let window = Int64.random(in: firstWindow...openWindow, using: &random)
      return (
        window, series(&random), window - Int64.random(in: -1...60, using: &random),
        Quantity(Int32.random(in: -9...9, using: &random))
      )
    }
  }

  static let selections: [SeriesSelection] = {
    func select(_ body: (inout SeriesSelection) -> Void) -> SeriesSelection {
      var selection = SeriesSelection()
      body(&selection)
      return selection
    }
    return [
      .all, select { $0.resourceGroups = ["rg1"] },
      select { $0.resourceURIPrefixes = ["/subscriptions/s1/resourceGroups/r"] },
      select {
        $0.resourceURIs = ["/subscriptions/s0/resourceGroups/rg1/vm/0"]
        $0.resourceURIPrefixes = ["/subscriptions/s2/", "%"]
      },
      select {
        $0.locations = ["north", "south"]
        $0.tags = [TagSelection(name: "env", value: nil)]
      },
      select {
        $0.tags = [
          TagSelection(name: "env", value: "prod"), TagSelection(name: "env", value: "test"),
          TagSelection(name: "team", value: "a:b"),
        ]
      },
      select { $0.tags = [TagSelection(name: "te\"am", value: "é")] },
      select { $0.locations = ["nowhere"] },
    ]
  }()

  /// Of all, of some subscriptions, or of some tenancies: two of one subscription with a gap between them.
  static func filter(
    _ series: SeriesSelection, _ random: inout SeededRandom
  ) -> UsageFilter {
    let meters = Bool.random(using: &random) ? nil : ["disk"]
    switch Int.random(in: 0..<3, using: &random) {
    case 0: return UsageFilter(subscriptions: nil, meters: meters, series: series)
    case 1:
      return UsageFilter(subscriptions: ["s1", "s2", "none"], meters: meters, series: series)
    default:
      let from = Int64.random(in: firstWindow - 40..<firstWindow, using: &random)
      let gap = Int64.random(in: 1...30, using: &random)
      let tenancies = [
        tenancy("s1", from..<from + 30), tenancy("s1", from + 30 + gap..<from + 61),
        tenancy("s2", firstWindow..<openWindow + 9), tenancy("s3", 0..<from),
        tenancy("none", 0..<openWindow),
      ]
      return UsageFilter(tenancies: tenancies, meters: meters, series: series)
    }
  }

  private static func tenancy(_ subscription: String, _ hours: Range<Int64>) -> Tenancy {
    Tenancy(
      provider: "p", subscription: subscription,
      hours: Hour(index: hours.lowerBound)..<Hour(index: hours.upperBound))
  }

  /// Whether an hourly row is of what a question is about, by the definition.
  static func isAsked(_ row: UsageAggregate, _ scan: UsageScan) -> Bool {
    let (window, hour, filter) = (row.window, row.usageStart.hour, scan.filter)
    return scan.hours.contains(scan.axis == .reported ? window : hour)
      && (scan.asOf.map { window < $0 } ?? true)
      && filter.series.matches(row.series.resource)
      && (filter.subscriptions?.contains(row.series.subscription) ?? true)
      && (filter.meters?.contains(row.series.meter.asciiLowercased) ?? true)
      && (filter.tenancies?.contains {
        $0.subscription == row.series.subscription && $0.hours.contains(hour)
      } ?? true)
  }
}
