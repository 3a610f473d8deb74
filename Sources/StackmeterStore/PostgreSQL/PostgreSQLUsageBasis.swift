package import StackmeterCore

extension PostgreSQLUsageReader {
  /// That of the own cell, whose journal the positions are of.
  package func basis(
    subscription: String, meter: String, resourceURI: String?, usageHour: Hour
  ) throws(StoreError) -> UsageBasis? {
    try snapshot { (_) throws(StoreError) in
      let rule = try rules().last {
        $0.meter.asciiLowercased.hasSameBytes(as: meter.asciiLowercased)
      }
      guard let rule else { return nil }
      let (cell, position) = (try ownNumber(), try position())
      let series = try series(
        of: subscription, cell: cell, meter: meter, resourceURI: resourceURI)
      guard !series.isEmpty else { return nil }
      // Usage is never reported before the window of its hour, but for what lies just ahead of the clock.
      let first = usageHour.index - 1
      guard first >= position.retainedFrom.index || position.retainedFrom.index == 0 else {
        throw StoreError(
          .removed,
          "usage before \(position.retainedFrom.next.start) is no longer kept; "
            + "ask for what comes after")
      }
      let positions = try positions(of: first, cell: cell, position)
      let rows = try connection.query(
        PostgreSQLUsageReader.basisSQL,
        [
          PostgreSQLParameter(cell), PostgreSQLParameter(bigints: positions.map(\.window.index)),
          PostgreSQLParameter(bigints: series.map(SeriesNumbers.subscription(ofSeries:))),
          PostgreSQLParameter(bigints: series.map(SeriesNumbers.withinSubscription)),
          PostgreSQLParameter(usageHour.index),
        ])
      var windows: [UsageBasis.Window] = []
      for row in 0..<rows.count {
        let (window, positions) = positions[Int(rows.integer(row, 0)) - 1]
        windows.append(
          UsageBasis.Window(
            window: window, attos: try rows.attos(row, 1), positions: positions,
            isOpen: window == position.openWindow))
      }
      guard !windows.isEmpty else { return nil }
      return UsageBasis(
        aggregation: rule.aggregation, isRestated: rule.restatement != nil,
        journalID: position.journalID, windows: windows)
    }
  }

  /// The sums of usage hour `$5` of some series, by the place of the window in `$2`. A window is looked at on its own:
  /// each series is one look at the primary key.
  static let basisSQL = """
    SELECT w.place, f.quantity
    FROM unnest($2::bigint[]) WITH ORDINALITY w (hour, place)
      CROSS JOIN LATERAL (
        SELECT sum(a.quantity) AS quantity
        FROM unnest($3::bigint[], $4::bigint[]) k (subscription, series)
          JOIN aggregate a ON a.reporting_window = w.hour AND a.cell = $1::bigint
            AND a.subscription = k.subscription AND a.series = k.series
            AND a.usage_hour = $5::bigint) f
    WHERE f.quantity IS NOT NULL ORDER BY w.place
    """

  private func series(
    of subscription: String, cell: Int64, meter: String, resourceURI: String?
  ) throws(StoreError) -> [Int64] {
    let rows = try connection.query(
      """
      SELECT s.subscription, s.id
      FROM subscription n JOIN series s ON s.cell = n.cell AND s.subscription = n.id
      WHERE n.cell = $1::bigint AND n.name = $2::text AND lower(s.meter) = lower($3::text)
        AND \(resourceURI == nil ? "true" : "s.resource_uri = $4::text")
      ORDER BY s.id
      """,
      [
        PostgreSQLParameter(cell), PostgreSQLParameter(subscription), PostgreSQLParameter(meter),
      ] + (resourceURI.map { [PostgreSQLParameter($0)] } ?? []))
    return (0..<rows.count).map {
      SeriesNumbers.number(rows.integer($0, 0), rows.integer($0, 1))
    }
  }

  /// The windows from one on that may have aggregates, and the journal's positions of each, in order, the open one
  /// last.
  private func positions(
    of first: Int64, cell: Int64, _ position: PipelinePosition
  ) throws(StoreError) -> [(window: Hour, positions: Range<UInt64>)] {
    let rows = try connection.query(
      """
      SELECT reporting_window, end_position FROM closed_window
      WHERE cell = $1::bigint AND reporting_window >= coalesce(
        (SELECT max(reporting_window) FROM closed_window
          WHERE cell = $1::bigint AND reporting_window < $2::bigint), $2::bigint)
      ORDER BY reporting_window
      """, [PostgreSQLParameter(cell), PostgreSQLParameter(first)])
    var windows: [(window: Hour, positions: Range<UInt64>)] = []
    // Where the positions of a window begin is where the one before it ended.
    var start: UInt64 = 1
    for row in 0..<rows.count {
      let window = rows.integer(row, 0)
      let end = max(start, UInt64(bitPattern: rows.integer(row, 1)))
      if window >= first { windows.append((Hour(index: window), start..<end)) }
      start = end
    }
    windows.append((position.openWindow, start..<max(start, position.nextPosition)))
    return windows
  }
}
