package import StackmeterCore

extension SQLiteUsageReader {
  package func basis(
    subscription: String, meter: String, resourceURI: String?, usageHour: Hour
  ) throws(StoreError) -> UsageBasis? {
    try snapshot { (_) throws(StoreError) in
      let rule = try rules().last {
        $0.meter.asciiLowercased.hasSameBytes(as: meter.asciiLowercased)
      }
      guard let rule, let id = try subscriptionNumber(subscription) else { return nil }
      let range = SeriesNumbers.range(ofSubscription: id)
      let series = try seriesNumbers(range, meter: meter, resourceURI: resourceURI)
      guard !series.isEmpty else { return nil }
      let position = try position()
      // Usage is never reported before the window of its hour, but for what lies just ahead of the clock.
      let first = usageHour.index - 1
      guard first >= position.retainedFrom.index || position.retainedFrom.index == 0 else {
        throw StoreError(
          .removed,
          "usage before \(position.retainedFrom.next.start) is no longer kept; "
            + "ask for what comes after")
      }
      let select = try connection.prepare(
        """
        SELECT series, units, attos FROM aggregate
        WHERE window = ? AND series >= ? AND series < ? AND lag = ?
        """)
      var windows: [UsageBasis.Window] = []
      for (window, positions) in try positions(of: first, position) {
        select.bind(1, window.index)
        select.bind(2, range.lowerBound)
        select.bind(3, range.upperBound)
        select.bind(4, window.index - usageHour.index)
        var (attos, count): (Int128, Int) = (0, 0)
        while try select.step() {
          guard series.contains(select.integer(0)) else { continue }
          let (sum, overflow) = attos.addingReportingOverflow(
            try connection.quantity(select, 1).attos)
          guard !overflow else {
            throw StoreError(.overflow, "a total is too large; ask for a shorter time")
          }
          attos = sum
          count += 1
        }
        guard count > 0 else { continue }
        windows.append(
          UsageBasis.Window(
            window: window, attos: attos, positions: positions,
            isOpen: window == position.openWindow))
      }
      guard !windows.isEmpty else { return nil }
      return UsageBasis(
        aggregation: rule.aggregation, isRestated: rule.restatement != nil,
        journalID: position.journalID, windows: windows)
    }
  }

  private func subscriptionNumber(_ name: String) throws(StoreError) -> Int64? {
    let select = try connection.prepare("SELECT id FROM subscription WHERE name = ?")
    select.bind(1, name)
    defer { select.reset() }
    return try select.step() ? select.integer(0) : nil
  }

  private func seriesNumbers(
    _ range: Range<Int64>, meter: String, resourceURI: String?
  ) throws(StoreError) -> Set<Int64> {
    let select = try connection.prepare(
      """
      SELECT id FROM series WHERE id >= ?1 AND id < ?2 AND lower(meter) = lower(?3)
        AND (?4 IS NULL OR resource_uri = ?4)
      """)
    select.bind(1, range.lowerBound)
    select.bind(2, range.upperBound)
    select.bind(3, meter)
    if let resourceURI { select.bind(4, resourceURI) }
    var numbers: Set<Int64> = []
    while try select.step() { numbers.insert(select.integer(0)) }
    return numbers
  }

  /// The windows from one on and the journal's positions of each, in order, the open one last.
  private func positions(
    of first: Int64, _ position: PipelinePosition
  ) throws(StoreError) -> [(Hour, Range<UInt64>)] {
    let select = try connection.prepare(
      """
      SELECT window, end_position FROM closed_window
      WHERE window >= coalesce((SELECT max(window) FROM closed_window WHERE window < ?1), ?1)
      ORDER BY window
      """)
    select.bind(1, first)
    var windows: [(Hour, Range<UInt64>)] = []
    // Where a window of an older schema ended was not written down: then more is looked through than is needed.
    var start: UInt64 = 1
    while try select.step() {
      let (window, end) = (select.integer(0), UInt64(bitPattern: select.integer(1)))
      if window >= first, end > 0 { windows.append((Hour(index: window), start..<max(start, end))) }
      start = max(start, end)
    }
    windows.append((position.openWindow, start..<max(start, position.nextPosition)))
    return windows
  }
}
