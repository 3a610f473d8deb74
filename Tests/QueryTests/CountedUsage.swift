import StackmeterCore
import StackmeterStore
import StackmeterTesting
import Testing

/// A row of usage: its window, its series, its usage hour, and how much.
typealias CountedRow = (window: Int64, series: Series, hour: Int64, quantity: Quantity)

extension UsageStore {
  /// Counts rows, and closes the windows before `open`. No two rows have the same window, series and hour.
  func count(_ rows: [CountedRow], next: UInt64, open: Int64) throws {
    let writer = try UsageWriter(store: self, latenessLimitDays: 7)
    try writer.begin()
    var windows: [Int64: WindowChange] = [:]
    for (window, series, hour, quantity) in rows.sorted(by: { $0.window < $1.window }) {
      let new = NewSeries(series, firstWindow: Hour(index: window), firstPosition: next - 1)
      let number = try #require(try writer.intern([new]) { _ in .sum }[0])
      windows[
        window,
        default: WindowChange(
          window: Hour(index: window), endPosition: window < open ? next : nil)
      ].sums.append(
        SumDelta(
          key: SeriesHour(series: number, usageHour: Hour(index: hour)), sum: quantity.attos,
          least: min(0, quantity.attos), greatest: max(0, quantity.attos), position: next - 1))
    }
    let changes = windows.sorted { $0.key < $1.key }.map { _, change in
      var change = change
      change.sums.sort { $0.key < $1.key }
      return change
    }
    _ = try writer.count(changes, from: position(), in: 9, .bulk)
    try writer.commit(
      PipelinePosition(
        nextPosition: next, reportedTime: Hour(index: open).start, openWindow: Hour(index: open),
        journalID: 9))
  }
}

/// Lends a new database.
func withUsageDatabase(
  _ engine: Engine, _ body: (UsageDatabase) async throws -> Void
) async throws {
  switch engine {
  case .sqlite:
    try await withTemporaryDirectory { directory in
      try await body(.sqlite(path: "\(directory)/usage.sqlite", cell: "local"))
    }
  case .postgresql:
    try await body(.postgresql(try await TestPostgreSQL.database(), cell: "local"))
  }
}
