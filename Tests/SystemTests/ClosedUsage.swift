import StackmeterCore
import StackmeterStore

/// A usage database with closed windows, as an aggregator would have written it days ago: the clock of the real
/// processes is that of the host, so no test can wait until a window of theirs closes.
struct ClosedUsage {
  struct Row {
    let window: Hour
    let series: Series
    let usageHour: Hour
    let quantity: Quantity
  }

  private static let journalID: UInt64 = 77
  let path: String

  /// Counts rows in the order of their windows, and closes these and all before `open`.
  func write(_ rows: [Row], open: Hour, directory: SubscriptionDirectory = .empty) throws {
    let store = try SQLiteUsageStore(path: path)
    defer { store.close() }
    if !directory.subscriptions.isEmpty { try store.replaceDirectory(directory) }
    let windows = Dictionary(grouping: rows, by: \.window).sorted { $0.key < $1.key }
    for (window, rows) in windows {
      let position = try store.position().nextPosition + 1
      try store.begin()
      let numbers = try store.intern(
        rows.map { NewSeries($0.series, firstWindow: window, firstPosition: position) }
      ).map { $0! }
      let known = Set(try store.rules().map(\.meter))
      try store.put(
        rules: Set(rows.map(\.series.meter)).subtracting(known).sorted().map {
          MeterRule(meter: $0, fromPosition: 1, aggregation: .sum)
        })
      let aggregates = zip(numbers, rows).map { number, row in
        (key: SeriesHour(series: number, usageHour: row.usageHour), quantity: row.quantity)
      }
      try store.put(aggregates: aggregates.sorted { $0.key < $1.key }, of: window)
      try store.close(window, endPosition: position, journalID: ClosedUsage.journalID)
      try store.commit(
        PipelinePosition(
          nextPosition: position, reportedTime: window.end,
          openWindow: window == windows.last?.key ? open : window.next,
          journalID: ClosedUsage.journalID))
    }
  }
}
