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
  func windowRows(
    _ statement: Statement, of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow] {
    statement.bind(1, window.index)
    statement.bind(2, key?.series ?? .min)
    statement.bind(3, key.map { window.index - $0.usageHour.index } ?? .max)
    statement.bind(4, Int64(limit))
    var rows: [WindowRow] = []
    while try statement.step() {
      let series = statement.integer(0)
      let isNew =
        !statement.isNull(4) && statement.integer(4) == window.index
        && rows.last?.key.series != series
      rows.append(
        WindowRow(
          key: SeriesHour(
            series: series, usageHour: Hour(index: window.index - statement.integer(1))),
          quantity: try quantity(statement, 2), newSeries: isNew ? statement.series(5) : nil))
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
