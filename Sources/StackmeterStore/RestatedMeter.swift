package import StackmeterCore

/// What changes where a meter is counted in another way.
package struct RestatedMeter: Hashable, Sendable {
  package let meter: String
  package let from: Aggregation
  package let to: Aggregation
  /// How many series, and usage hours of these, have another quantity.
  package var series: UInt64 = 0
  package var hours: UInt64 = 0
  /// How many usage hours were looked at.
  package var hoursLookedAt: UInt64 = 0
  /// The totals over all of these, in attos; nil where they are too large for 128 bits.
  package var before: Int128? = 0
  package var after: Int128? = 0

  package init(_ change: RuleChange) {
    (meter, from, to) = (change.meter, change.from, change.to)
  }

  /// Takes the levels of one series and usage hour.
  package mutating func add(before: Int128, after: Int128) {
    hoursLookedAt += 1
    if before != after { hours += 1 }
    self.before = RestatedMeter.sum(self.before, before)
    self.after = RestatedMeter.sum(self.after, after)
  }

  private static func sum(_ total: Int128?, _ part: Int128) -> Int128? {
    guard let (sum, overflow) = total?.addingReportingOverflow(part) else { return nil }
    return overflow ? nil : sum
  }
}

/// What the events of one series and usage hour amount to, by each aggregation. They come by quantity.
struct StagedLevels {
  let series: Int64
  let hour: Int64
  let change: Int
  /// Nil where it is too large.
  private var sum: Int128? = 0
  private var greatest: Int128?
  private var latest: (end: Int64, start: Int64, position: UInt64, attos: Int128)?
  private var last: Int128?
  private var unique: Int128 = 0

  init(series: Int64, hour: Int64, change: Int) {
    self.series = series
    self.hour = hour
    self.change = change
  }

  mutating func add(_ attos: Int128, part: Int128, start: Int64, end: Int64, position: UInt64) {
    if let (total, overflow) = sum?.addingReportingOverflow(part) { sum = overflow ? nil : total }
    greatest = max(greatest ?? attos, attos)
    if latest.map({ ($0.end, $0.start, $0.position) < (end, start, position) }) ?? true {
      latest = (end, start, position, attos)
    }
    if last != attos { unique += 1 }
    last = attos
  }

  /// In attos.
  subscript(_ aggregation: Aggregation) -> Int128? {
    switch aggregation {
    case .sum: sum
    case .max: greatest ?? 0
    case .latest: latest?.attos ?? 0
    case .uniqueCount: unique * Quantity.attosPerUnit
    }
  }
}
