package import StackmeterCore

/// Prices usage: aggregates in, charges out. The same usage, cards and directory give the same charges, always.
///
/// It keeps nothing of the usage. What it must know of a period that was rated in parts before, it is given and gives
/// back: one `MeterState` for each subscription, meter and period.
package struct Rater {
  package let book: RateBook
  private let versions: [RateVersion]
  private let subscriptions: [ExactText: Subscription]

  package init(_ book: RateBook, _ directory: SubscriptionDirectory = .empty) {
    self.init(book, subscriptions: directory.subscriptions)
  }

  /// `subscriptions` is what the directory says of some.
  package init(_ book: RateBook, subscriptions: [Subscription]) {
    self.book = book
    versions = book.versions.map { RateVersion($0) }
    self.subscriptions = Dictionary(
      subscriptions.map { (ExactText($0.id), $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// What the directory says of a subscription.
  package func subscription(_ id: String) -> Subscription {
    subscriptions[ExactText(id)] ?? Subscription(id: id, state: .unassigned)
  }

  /// What rates more usage of one meter by one subscription in one billing period, row by row; with the arguments of
  /// the next function.
  package func rater(
    of key: MeterPeriod, carried: MeterState = .none, isAdjustment: Bool = false, settles: Bool
  ) throws(RatingError) -> MeterRater {
    try MeterRater(
      key, subscription: subscription(key.subscription),
      versions: Array(versions[book.indices(in: key.period)]), carried: carried,
      isAdjustment: isAdjustment, settles: settles)
  }

  /// Rates more usage of one meter by one subscription in one billing period.
  ///
  /// - Parameters:
  ///   - usage: In the order of `UsageAggregate.isRated(before:)`. It is gone through twice: prices that depend on the
  ///     total need it first.
  ///   - carried: What this returned for the usage that was rated before.
  ///   - isAdjustment: The period was closed before.
  ///   - settles: Nothing more of the period is known or expected.
  package func rate(
    _ usage: some Collection<UsageAggregate>, of key: MeterPeriod, carried: MeterState = .none,
    isAdjustment: Bool = false, settles: Bool, into body: (Charge) -> Void
  ) throws(RatingError) -> MeterState {
    var rater = try rater(
      of: key, carried: carried, isAdjustment: isAdjustment, settles: settles)
    for row in usage { try rater.expect(row) }
    try rater.begin(body)
    for row in usage { try rater.rate(row, body) }
    if settles { try rater.settle(body) }
    return rater.state
  }

  /// Rates usage of any subscriptions, meters and periods, in any order, with what is carried of them. Usage of
  /// periods in `closed` makes adjustments. Periods up to `settled` settle.
  ///
  /// The charges come by subscription, meter and period; last those of what has no more usage and is settled.
  /// Everything is held in memory: what is too much for that is rated meter by meter, as above.
  package func rate(
    _ usage: [UsageAggregate], carried: inout RatingState, settled: BillingPeriod?,
    closed: BillingPeriod? = nil, into body: (Charge) -> Void
  ) throws(RatingError) {
    var rows = RatedRows(self, usage, carried: carried, settled: settled, closed: closed)
    while try rows.next(body) {}
    carried = rows.carried
  }
}

/// What was rated of all meters, subscriptions and periods.
package struct RatingState: Hashable, Sendable {
  package private(set) var meters: [MeterPeriod: MeterState] = [:]

  package init() {}

  package subscript(key: MeterPeriod) -> MeterState {
    get { meters[key] ?? .none }
    set { meters[key] = newValue.tracks.isEmpty ? nil : newValue }
  }

}

extension UsageAggregate {
  package var meterPeriod: MeterPeriod {
    MeterPeriod(
      subscription: series.subscription, meter: series.meter,
      period: BillingPeriod(containing: usageStart.hour.day))
  }
}
