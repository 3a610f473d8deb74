internal import StackmeterCore
internal import StackmeterStore

/// The rows of a run: every series has an aggregate in every window, and some have one of an hour that was reported
/// late. Quantities are a function of series and hours, so that everyone knows what an answer must be.
struct UsageDataset: Sendable {
  /// One in so many has a second row in a window.
  static let lateOneOf: Int64 = 50
  static let lateHours: Int64 = 5
  private static let journalID: UInt64 = 77

  let subscriptionCount: Int
  let seriesPerSubscription: Int
  /// In the order of their subscriptions.
  let series: [Series]
  let windows: Range<Int64>

  /// About `aggregates` rows; the windows end in front of `now`.
  init(aggregates: UInt64, subscriptionCount: Int, seriesPerSubscription: Int, now: Hour) {
    self.subscriptionCount = subscriptionCount
    self.seriesPerSubscription = seriesPerSubscription
    let count = subscriptionCount * seriesPerSubscription
    let mixed = Workload(
      seed: 0, seriesCount: count, subscriptionCount: subscriptionCount, hourCount: 1, now: now,
      eventsPerReporter: 1, duplicatesPercent: 0, latePercent: 0
    ).series
    series = (0..<count).map { index in
      mixed[index % seriesPerSubscription * subscriptionCount + index / seriesPerSubscription]
    }
    let rowsPerWindow = UInt64(count) + UInt64(count) / UInt64(UsageDataset.lateOneOf)
    windows = (now.index - Int64(aggregates / max(1, rowsPerWindow)))..<now.index
  }

  /// The quantity of a row in billionths.
  @inline(__always)
  func nanos(window: Int64, series: Int64, lag: Int64) -> Int64 {
    (window * 31 + series * 17 + lag) % 1000 * 1_000_000_000
      + (series * 7919 + window) % 1_000_000_000
  }

  @inline(__always)
  func isLate(window: Int64, series: Int64) -> Bool {
    (window + series) % UsageDataset.lateOneOf == 0
  }

  /// What of some rows is compared: how many there are, and their sum in billionths.
  struct Answer: Equatable, Sendable {
    var rows = 0
    var nanos: Int128 = 0

    mutating func add(_ nanos: Int64) {
      rows += 1
      self.nanos += Int128(nanos)
    }
  }

  /// The series of a subscription, of all where it is nil.
  func seriesRange(_ subscription: Int?) -> Range<Int64> {
    guard let subscription else { return 0..<Int64(series.count) }
    let first = Int64(subscription * seriesPerSubscription)
    return first..<first + Int64(seriesPerSubscription)
  }

  /// The first rows of windows.
  func page(_ windows: Range<Int64>, _ subscription: Int?, limit: Int) -> Answer {
    var answer = Answer()
    for window in windows.clamped(to: self.windows) {
      for series in seriesRange(subscription) {
        for lag in isLate(window: window, series: series) ? [UsageDataset.lateHours, 0] : [0] {
          if answer.rows == limit { return answer }
          answer.add(nanos(window: window, series: series, lag: lag))
        }
      }
    }
    return answer
  }

  /// The sum of usage hours.
  func total(_ hours: Range<Int64>, _ subscription: Int?) -> Int128 {
    var total: Int128 = 0
    for window in windows {
      for series in seriesRange(subscription) {
        if hours.contains(window) {
          total += Int128(nanos(window: window, series: series, lag: 0))
        }
        let lag = UsageDataset.lateHours
        if hours.contains(window - lag), isLate(window: window, series: series) {
          total += Int128(nanos(window: window, series: series, lag: lag))
        }
      }
    }
    return total
  }

  /// Writes all rows to a new usage database, window by window, each closed and hashed. Blocks.
  func write(to path: String) throws {
    let store = try SQLiteUsageStore(path: path)
    try store.begin()
    let first = Hour(index: windows.lowerBound)
    let numbers = try store.intern(
      series.map { NewSeries($0, firstWindow: first, firstPosition: 1) }
    ).map { $0! }
    try store.put(
      rules: Set(series.map(\.meter)).sorted().map {
        MeterRule(meter: $0, fromPosition: 1, aggregation: .sum)
      })
    for window in windows {
      try Interruption.check()
      if window != windows.lowerBound { try store.begin() }
      var rows: [(key: SeriesHour, quantity: Quantity)] = []
      rows.reserveCapacity(numbers.count + numbers.count / 10)
      for (index, number) in numbers.enumerated() {
        let isLate = isLate(window: window, series: Int64(index))
        for lag in isLate ? [UsageDataset.lateHours, 0] : [0] {
          let nanos = nanos(window: window, series: Int64(index), lag: lag)
          rows.append(
            (
              SeriesHour(series: number, usageHour: Hour(index: window - lag)),
              Quantity(attos: Int128(nanos) * 1_000_000_000)!
            ))
        }
      }
      try store.put(aggregates: rows, of: Hour(index: window))
      let position = UInt64(window - windows.lowerBound) + 2
      try store.close(
        Hour(index: window), endPosition: position, journalID: UsageDataset.journalID)
      try store.commit(
        PipelinePosition(
          nextPosition: position, reportedTime: Hour(index: window + 1).start,
          openWindow: Hour(index: window + 1), journalID: UsageDataset.journalID))
    }
  }
}
