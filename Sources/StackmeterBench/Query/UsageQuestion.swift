internal import StackmeterCore

/// A question of a run, for us and for PostgreSQL.
enum UsageQuestion: Hashable, Sendable {
  /// The first thousand aggregates of some windows.
  case page(Range<Int64>, subscription: Int?)
  /// The totals of usage hours, by meter; and by subscription where it is about all.
  case summary(Range<Int64>, subscription: Int?)

  static let pageSize = 1000
  static let monthHours: Int64 = 720

  /// The questions of each kind. Months and days begin anywhere in the windows.
  static func all(
    _ dataset: UsageDataset, _ options: QueryOptions
  ) -> [(name: String, questions: [UsageQuestion])] {
    var random = SplitMix(seed: options.seed)
    func hours(_ count: Int64) -> Range<Int64> {
      let count = min(count, Int64(dataset.windows.count))
      let last = dataset.windows.upperBound - count
      let first = Int64.random(in: dataset.windows.lowerBound...last, using: &random)
      return first..<first + count
    }
    func subscription() -> Int {
      Int.random(in: 0..<dataset.subscriptionCount, using: &random)
    }
    return [
      (
        "tenant page",
        (0..<options.pages).map { _ in .page(hours(monthHours), subscription: subscription()) }
      ),
      ("operator page", (0..<options.pages).map { _ in .page(hours(24), subscription: nil) }),
      (
        "month of a subscription",
        (0..<options.summaries).map { _ in
          .summary(hours(monthHours), subscription: subscription())
        }
      ),
      ("month of all", (0..<3).map { _ in .summary(hours(monthHours), subscription: nil) }),
    ]
  }

  /// What the answer must be.
  func expected(_ dataset: UsageDataset) -> UsageDataset.Answer {
    switch self {
    case .page(let windows, let subscription):
      return dataset.page(windows, subscription, limit: UsageQuestion.pageSize)
    case .summary(let hours, let subscription):
      let range = dataset.seriesRange(subscription)
      let series = dataset.series[Int(range.lowerBound)..<Int(range.upperBound)]
      let totals = Set(series.map { [$0.meter, subscription == nil ? $0.subscription : ""] })
      return UsageDataset.Answer(rows: totals.count, nanos: dataset.total(hours, subscription))
    }
  }
}
