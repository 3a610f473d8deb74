package import StackmeterCore

extension SQLiteUsageReader {
  package func locatedUsage(
    of subscriptions: [String], windows: Range<Hour>, hours: Range<Hour>
  ) throws(StoreError) -> [[LocatedUsage]] {
    let position = try position()
    let asked = try LocatedSums.windows(
      windows, hours, retainedFrom: position.retainedFrom, openWindow: position.openWindow)
    let select = try connection.prepare("SELECT meter, location FROM series WHERE id = ?")
    var sums = Array(repeating: LocatedSums(), count: subscriptions.count)
    var places: [Int64: Int] = [:]
    let rows = try SQLiteSubscriptionRows(connection, subscriptions)
    try rows.read(asked, usedBefore: hours.upperBound) { (row) throws(StoreError) in
      guard hours.contains(row.usageHour) else { return true }
      let place: Int
      if let known = places[row.series] {
        place = known
      } else {
        select.bind(1, row.series)
        defer { select.reset() }
        guard try select.step() else { throw SQLiteSubscriptionRows.damage(row.series) }
        place = sums[row.index].place(meter: select.text(0), location: select.text(1))
        places[row.series] = place
      }
      try sums[row.index].add(row.quantity, place, row.usageHour.day)
      return true
    }
    return try sums.map { (sums) throws(StoreError) in try sums.sorted() }
  }

  package func aggregates(
    of subscriptions: [String], windows: Range<Hour>, limit: Int
  ) throws(StoreError) -> [[UsageAggregate]]? {
    try connection.transaction("BEGIN") { () throws(StoreError) in
      let position = try position()
      let first = max(windows.lowerBound, position.retainedFrom)
      let table = try tablesOfPages().series
      var found = Array(repeating: [UsageAggregate](), count: subscriptions.count)
      var count = 0
      let rows = try SQLiteSubscriptionRows(connection, subscriptions)
      try rows.read(first..<max(first, windows.upperBound), usedBefore: nil) {
        (row) throws(StoreError) in
        count += 1
        guard count <= limit else { return false }
        found[row.index].append(
          UsageAggregate(
            series: try table.series(row.series), usageStart: row.usageHour.start,
            usageEnd: row.usageHour.end, quantity: row.quantity, window: row.window,
            isProvisional: row.window >= position.openWindow))
        return true
      }
      return count <= limit ? found : nil
    }
  }
}

/// Reads what some subscriptions have in some windows.
///
/// One statement reads all of it, window by window. In each of them either every subscription is looked up, or, where
/// that is more work, all rows are read and those of others passed.
struct SQLiteSubscriptionRows {
  struct Row {
    /// Of the subscription in the list that was asked for.
    let index: Int
    let series: Int64
    let window: Hour
    let usageHour: Hour
    let quantity: Quantity
  }

  /// Rows that are read in the time in which one subscription is looked up in one window, about.
  private static let rowsPerLookUp: Int64 = 3

  private let connection: SQLite
  /// By the number that the database gives the subscription.
  private let indices: [Int64: Int]

  init(_ connection: SQLite, _ subscriptions: [String]) throws(StoreError) {
    self.connection = connection
    let select = try connection.prepare("SELECT id FROM subscription WHERE name = ?")
    var indices: [Int64: Int] = [:]
    for (index, name) in subscriptions.enumerated() {
      select.bind(1, name)
      if try select.step() { indices[select.integer(0)] = index }
      select.reset()
    }
    self.indices = indices
  }

  /// The windows that may have rows, and the numbers of the subscriptions.
  private static let asked = """
    w (hour, count) AS MATERIALIZED (
      SELECT window, row_count FROM closed_window
      WHERE window >= ?1 AND window < ?2 AND oldest_usage < ?3
      UNION ALL
      SELECT open_window, 0 FROM pipeline WHERE open_window >= ?1 AND open_window < ?2),
    s (number) AS MATERIALIZED (SELECT value FROM json_each(?4) ORDER BY value)
    """

  private static let allRows = """
    WITH \(asked)
    SELECT a.window, a.series, a.lag, a.units, a.attos FROM w CROSS JOIN aggregate a
    WHERE a.window = w.hour
      AND a.series >= (SELECT min(number) FROM s) << \(SeriesNumbers.bitsWithinSubscription)
      AND a.series < (SELECT max(number) + 1 FROM s) << \(SeriesNumbers.bitsWithinSubscription)
    """

  private static let lookUps = """
    WITH \(asked)
    SELECT a.window, a.series, a.lag, a.units, a.attos FROM w CROSS JOIN s CROSS JOIN aggregate a
    WHERE a.window = w.hour
      AND a.series >= s.number << \(SeriesNumbers.bitsWithinSubscription)
      AND a.series < (s.number + 1) << \(SeriesNumbers.bitsWithinSubscription)
    """

  /// Calls `body` with each row until it says that it is enough. The rows of a subscription come by window, series and
  /// usage hour. What windows have of usage from `usedBefore` on may be left out.
  func read(
    _ windows: Range<Hour>, usedBefore: Hour?, _ body: (Row) throws(StoreError) -> Bool
  ) throws(StoreError) {
    guard !indices.isEmpty, !windows.isEmpty else { return }
    let count = try prepare(
      "WITH \(SQLiteSubscriptionRows.asked) SELECT count(*), coalesce(sum(count), 0) FROM w",
      windows, usedBefore)
    _ = try count.step()
    let lookUps = count.integer(0) * Int64(indices.count)
    let readsAll = count.integer(1) <= lookUps * SQLiteSubscriptionRows.rowsPerLookUp
    count.reset()
    let select = try prepare(
      readsAll ? SQLiteSubscriptionRows.allRows : SQLiteSubscriptionRows.lookUps, windows,
      usedBefore)
    defer { select.reset() }
    while try select.step() {
      let series = select.integer(1)
      guard let index = indices[SeriesNumbers.subscription(ofSeries: series)] else { continue }
      let window = select.integer(0)
      let row = Row(
        index: index, series: series, window: Hour(index: window),
        usageHour: Hour(index: window - select.integer(2)),
        quantity: try connection.quantity(select, 3))
      guard try body(row) else { return }
    }
  }

  private func prepare(
    _ sql: String, _ windows: Range<Hour>, _ usedBefore: Hour?
  ) throws(StoreError) -> Statement {
    let statement = try connection.prepare(sql)
    statement.bind(1, windows.lowerBound.index)
    statement.bind(2, windows.upperBound.index)
    statement.bind(3, usedBefore?.index ?? .max)
    var writer = JSONWriter()
    writer.array { writer in for number in indices.keys { writer.raw(String(number)) } }
    statement.bind(4, String(decoding: writer.bytes, as: UTF8.self))
    return statement
  }

  static func damage(_ series: Int64) -> StoreError {
    StoreError(.system, "the usage database is damaged: there is no series \(series)")
  }
}
