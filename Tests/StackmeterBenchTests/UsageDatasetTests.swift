import ArgumentParser
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import Testing

@testable import StackmeterBench

@Suite struct UsageDatasetTests {
  private let dataset = UsageDataset(
    aggregates: 3000, subscriptionCount: 4, seriesPerSubscription: 5, now: Hour(index: 490_000))

  @Test func `the database holds what answers are compared with`() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/usage.sqlite"
    try dataset.write(to: path)
    // Keeps what SQLite needs beside the file while it is only read.
    let store = try SQLiteUsageStore(path: path)
    #expect(try store.position().openWindow == Hour(index: 490_000))
    let reader = try SQLiteUsageReader(path: path)
    for subscription in [nil, 0, 3] {
      let windows = (dataset.windows.upperBound - 70)..<dataset.windows.upperBound
      let names = subscription.map { [dataset.series[$0 * 5].subscription] }
      let range = Hour(index: windows.lowerBound)..<Hour(index: windows.upperBound)
      let page = try reader.aggregates(
        windows: range, granularity: .hourly,
        filter: UsageFilter(subscriptions: names, meters: nil), after: nil, limit: 1000
      ).aggregates
      let expected = UsageQuestion.page(windows, subscription: subscription).expected(dataset)
      #expect(page.count == expected.rows)
      #expect(page.reduce(0) { $0 + $1.quantity.attos } == expected.nanos * 1_000_000_000)
      let totals = try reader.totals(
        hours: range, byDay: false, bySubscription: subscription == nil,
        filter: UsageFilter(subscriptions: names, meters: nil), limit: 1000)
      let sums = UsageQuestion.summary(windows, subscription: subscription).expected(dataset)
      #expect(totals.count == sums.rows)
      #expect(totals.reduce(0) { $0 + $1.quantity.attos } == sums.nanos * 1_000_000_000)
    }
    let size = try reader.aggregateSize()
    #expect(Int(size.rows) == dataset.page(dataset.windows, nil, limit: .max).rows)
    #expect(size.bytes > 0)
  }

  @Test func `a row that was reported late comes in front of the others of its series`() {
    let late = dataset.windows.first { dataset.isLate(window: $0, series: 0) }!
    let first = dataset.page(late..<late + 1, 0, limit: 1)
    #expect(first.nanos == Int128(dataset.nanos(window: late, series: 0, lag: 5)))
    #expect(dataset.page(late..<late + 1, 0, limit: 2).rows == 2)
  }

  @Test(arguments: [
    ["--aggregates", "1k"], ["--subscriptions", "0"], ["--series", "100001"], ["--pages", "0"],
    ["--subscriptions", "100000", "--series", "100"],
  ])
  func `what cannot be asked is refused`(arguments: [String]) {
    #expect(throws: (any Error).self) { try QueryOptions.parse(arguments) }
  }

  @Test(arguments: [
    ["--series", "3M"], ["--hours", "141"], ["--batch", "16385"], ["--subscriptions", "0"],
  ])
  func `what cannot be aggregated is refused`(arguments: [String]) {
    #expect(throws: (any Error).self) { try AggregateOptions.parse(arguments) }
  }
}
