package import StackmeterCore

/// Rates usage of any subscriptions, meters and periods, in steps: it may rest behind any of them and go on later.
///
/// The charges come by subscription, meter and period; last those of what has no more usage and is settled.
package struct RatedRows {
  /// The meter that is rated now.
  private struct Current {
    let key: MeterPeriod
    var rater: MeterRater
    var rest: ArraySlice<UsageAggregate>
  }

  private let rater: Rater
  private let settled: BillingPeriod?
  private let closed: BillingPeriod?
  private var rest: ArraySlice<UsageAggregate>
  private var current: Current?
  /// What has to be settled without more usage; in order, once all usage is rated.
  private var unsettled: Set<MeterPeriod>
  private var settling: ArraySlice<MeterPeriod>?
  /// What was rated until now, to be carried on once all is.
  package private(set) var carried: RatingState

  /// Usage in any order. That of periods in `closed` makes adjustments. Periods up to `settled` settle.
  package init(
    _ rater: Rater, _ usage: [UsageAggregate], carried: RatingState, settled: BillingPeriod?,
    closed: BillingPeriod? = nil
  ) {
    self.rater = rater
    self.settled = settled
    self.closed = closed
    self.carried = carried
    rest = usage.inRatingOrder[...]
    unsettled = []
    guard let settled else { return }
    for key in carried.meters.keys
    where key.period <= settled && closed.map({ $0 < key.period }) ?? true {
      unsettled.insert(key)
    }
  }

  /// Rates the next row, or what comes before or behind the rows of a meter; false where nothing is left.
  package mutating func next(_ body: (Charge) -> Void) throws(RatingError) -> Bool {
    if let row = current?.rest.popFirst() {
      try current?.rater.rate(row, body)
      return true
    }
    if let key = current?.key {
      if current?.rater.settles == true { try current?.rater.settle(body) }
      if let state = current?.rater.state { carried[key] = state }
      unsettled.remove(key)
      current = nil
      return true
    }
    if rest.isEmpty { return try settleNext(body) }
    try begin(body)
    return true
  }

  private mutating func begin(_ body: (Charge) -> Void) throws(RatingError) {
    let first = rest[rest.startIndex]
    let key = first.meterPeriod
    let hours = key.period.start.firstHour..<key.period.end.firstHour
    let end = rest.firstIndex { !$0.isOf(key, as: first, hours) } ?? rest.endIndex
    var current = Current(
      key: key,
      rater: try rater.rater(
        of: key, carried: carried[key], isAdjustment: closed.map { key.period <= $0 } ?? false,
        settles: settled.map { key.period <= $0 } ?? false), rest: rest[..<end])
    rest = rest[end...]
    for row in current.rest { try current.rater.expect(row) }
    try current.rater.begin(body)
    self.current = current
  }

  private mutating func settleNext(_ body: (Charge) -> Void) throws(RatingError) -> Bool {
    if settling == nil { settling = unsettled.sorted()[...] }
    guard let key = settling?.popFirst() else { return false }
    carried[key] = try rater.rate([], of: key, carried: carried[key], settles: true, into: body)
    return true
  }
}

extension UsageAggregate {
  fileprivate func isOf(_ key: MeterPeriod, as first: UsageAggregate, _ hours: Range<Hour>) -> Bool
  {
    guard hours.contains(usageStart.hour) else { return false }
    if series == first.series { return true }
    return series.subscription.hasSameBytes(as: key.subscription)
      && (series.meter.hasSameBytes(as: first.series.meter)
        || series.meter.asciiLowercased.hasSameBytes(as: key.meter))
  }
}
