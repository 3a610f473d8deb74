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
      // Usage is never reported before the window of its hour, but for what lies just ahead of the clock.
      let first = usageHour.index - 1
      guard first >= position.retainedFrom.index || position.retainedFrom.index == 0 else {
        throw StoreError(
          .removed,
          "usage before \(position.retainedFrom.next.start) is no longer kept; "
            + "ask for what comes after")
      }
      // Where the positions of a window begin is where the window before it ended.
      let rows = try connection.query(
        """
        SELECT a.reporting_window, sum(a.quantity),
          coalesce((SELECT max(c.end_position) FROM closed_window c
            WHERE c.cell = $1::bigint AND c.reporting_window < a.reporting_window), 1),
          coalesce((SELECT c.end_position FROM closed_window c
            WHERE c.cell = $1::bigint AND c.reporting_window = a.reporting_window), 0)
        FROM subscription n
          JOIN series s ON s.cell = n.cell AND s.subscription = n.id
          JOIN aggregate a ON a.cell = s.cell AND a.subscription = s.subscription AND a.series = s.id
        WHERE n.cell = $1::bigint AND n.name = $2::text AND lower(s.meter) = lower($3::text)
          AND a.reporting_window >= $4::bigint AND a.usage_hour = $5::bigint
          AND \(resourceURI == nil ? "true" : "s.resource_uri = $6::text")
        GROUP BY a.reporting_window ORDER BY a.reporting_window
        """,
        [
          PostgreSQLParameter(cell), PostgreSQLParameter(subscription), PostgreSQLParameter(meter),
          PostgreSQLParameter(first), PostgreSQLParameter(usageHour.index),
        ] + (resourceURI.map { [PostgreSQLParameter($0)] } ?? []))
      var windows: [UsageBasis.Window] = []
      for row in 0..<rows.count {
        let window = Hour(index: rows.integer(row, 0))
        let isOpen = window == position.openWindow
        let start = UInt64(bitPattern: rows.integer(row, 2))
        let end = isOpen ? position.nextPosition : UInt64(bitPattern: rows.integer(row, 3))
        windows.append(
          UsageBasis.Window(
            window: window, attos: try rows.quantity(row, 1).attos,
            positions: start..<max(start, end), isOpen: isOpen))
      }
      guard !windows.isEmpty else { return nil }
      return UsageBasis(
        aggregation: rule.aggregation, isRestated: rule.restatement != nil,
        journalID: position.journalID, windows: windows)
    }
  }
}
