internal import StackmeterCore

extension SQLite {
  /// For `windowRows`.
  func prepareWindowRows() throws(StoreError) -> Statement {
    try prepare(
      """
      SELECT a.series, a.lag, a.units, a.attos, s.first_window, n.name, s.meter, s.resource_uri,
        s.location, s.tags, s.additional_info
      FROM aggregate a LEFT JOIN series s ON s.id = a.series
        LEFT JOIN subscription n ON n.id = a.series >> \(SeriesNumbers.bitsWithinSubscription)
      WHERE a.window = ?1 AND a.series >= ?2 AND (a.series > ?2 OR a.lag < ?3)
      ORDER BY a.series, a.lag DESC LIMIT ?4
      """)
  }

  /// At most `limit` rows of a window after a key, by a statement of `prepareWindowRows`.
  ///
  /// A row that does not come after the one before it is damage, and an error: whoever reads on from such a row would
  /// be given it again, forever. (SQLite orders a key that one flipped bit made a blob behind all numbers, and gives it
  /// as zero.)
  func windowRows(
    _ statement: Statement, of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    statement.bind(1, window.index)
    statement.bind(2, key?.series ?? .min)
    statement.bind(3, key.map { window.index &- $0.usageHour.index } ?? .max)
    statement.bind(4, Int64(limit))
    var rows: [WindowRow] = []
    var last = key
    while try statement.step() {
      let next = SeriesHour(
        series: statement.integer(0), usageHour: Hour(index: window.index &- statement.integer(1)))
      if let last, next <= last {
        statement.reset()
        throw StoreError(.system, "rows of the window \(window.start) are not in order")
      }
      let isNew =
        !statement.isNull(4) && statement.integer(4) == window.index
        && rows.last?.key.series != next.series
      rows.append(
        WindowRow(
          key: next, quantity: try quantity(statement, 2),
          newSeries: isNew ? statement.series(5) : nil))
      last = next
    }
    return rows
  }
}

extension Statement {
  /// A series from six columns.
  func series(_ column: Int32) -> Series {
    Series(
      subscription: text(column), meter: text(column + 1),
      resource: Resource(
        uri: text(column + 2), location: text(column + 3), tags: text(column + 4),
        additionalInfo: text(column + 5)))
  }
}
