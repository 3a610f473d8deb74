internal import StackmeterCore
internal import StackmeterJournal
package import StackmeterStore
package import StackmeterWire

/// Compares what the journal accepted with what the usage database counts, window by window, while both grow.
///
/// For every meter that is a sum, what the events and corrections of a window come to must be what its aggregates
/// come to. It adds up events as they stand in the journal, by nothing that the aggregator counts with. Each round
/// reads what the journal has got since the last one; the first round begins with the newest closed window. Windows of
/// which something was kept aside are passed over: that has a problem of its own.
///
/// A round is `begin`, `take` for what the journal has from there on, `finish`. Not safe for threads.
package struct UsageAudit {
  /// Where a round would have to read more events, the next one begins with the window that is not open yet.
  package static let eventsMax: UInt64 = 200_000_000
  /// An open window with more aggregates is looked at only once it is closed.
  package static let openRowsMax = 1_000_000
  /// Differences of closed windows that are remembered; more are not told.
  static let differencesMax = 10
  /// More windows that closed within one round are not looked at.
  static let windowsMax = 1000
  private static let rowsPerRead = 5000
  private static let seriesPerRead = 1000
  private static let asideMax = 10_000

  /// What the usage database had when the round began.
  private struct Present {
    let position: PipelinePosition
    /// Of the open window; nil where it has too many aggregates.
    let open: AuditTotals?
    /// The meters that were sums all the time.
    let meters: Set<ExactText>
    /// Windows that are not comparable; nil where these are too many.
    let aside: Set<Hour>?
  }

  private var present: Present?
  /// The first journal position that is not added up yet, and the first window that was not compared as a closed one.
  private var next: (position: UInt64, window: Hour)?
  /// What the journal makes of the windows from `next.window` on.
  private var journal: [Hour: AuditTotals] = [:]
  private var differences: [String] = []

  private let eventsMax: UInt64
  private let openRowsMax: Int

  package init(
    eventsMax: UInt64 = UsageAudit.eventsMax, openRowsMax: Int = UsageAudit.openRowsMax
  ) {
    self.eventsMax = eventsMax
    self.openRowsMax = openRowsMax
  }

  /// Begins anew with the newest closed window, where a round was not finished.
  package mutating func forget() {
    (present, next, journal) = (nil, nil, [:])
  }

  /// Where to read the journal, and which; nil where there is nothing to compare.
  package mutating func begin(
    _ reader: any UsageReader
  ) throws(StoreError) -> (positions: Range<UInt64>, journalID: UInt64)? {
    let found = try present(reader)
    let position = found.position
    guard position.journalID != 0 else { return nil }
    if next.map({ $0.position > position.nextPosition }) ?? true {
      journal = [:]
      next = try start(reader, position)
    }
    guard var next else { return nil }
    if position.nextPosition - next.position > eventsMax {
      journal = [:]
      next = (position.nextPosition, position.openWindow.next)
      self.next = next
    }
    present = found
    return (next.position..<position.nextPosition, position.journalID)
  }

  /// Where the newest closed window begins; nil where that was not written down.
  private func start(
    _ reader: any UsageReader, _ position: PipelinePosition
  ) throws(StoreError) -> (position: UInt64, window: Hour)? {
    let closed = try reader.closedWindows(before: position.openWindow, limit: 2)
    switch closed.count {
    case 0: return (1, position.openWindow)
    case 1: return closed[0].endPosition == 0 ? nil : (1, closed[0].window)
    default: return closed[1].endPosition == 0 ? nil : (closed[1].endPosition, closed[0].window)
    }
  }

  private func present(_ reader: any UsageReader) throws(StoreError) -> Present {
    try reader.snapshot { (reader) throws(StoreError) in
      let position = try reader.position()
      var kinds: [ExactText: Set<Aggregation>] = [:]
      for rule in try reader.rules() {
        kinds[ExactText(rule.meter), default: []].insert(rule.aggregation)
      }
      let aside = try reader.unapplied(limit: UsageAudit.asideMax)
      return Present(
        position: position,
        open: try UsageAudit.totals(reader, of: position.openWindow, rowsMax: openRowsMax),
        meters: Set(kinds.filter { $0.value == [.sum] }.keys),
        aside: aside.count < UsageAudit.asideMax ? Set(aside.map(\.window)) : nil)
    }
  }

  /// What a window's aggregates come to; nil where they are more than `rowsMax`.
  private static func totals(
    _ reader: any UsageReader, of window: Hour, rowsMax: Int
  ) throws(StoreError) -> AuditTotals? {
    var totals = AuditTotals()
    var (after, rowCount): (SeriesHour?, Int) = (nil, 0)
    // Both are in the order of the series' numbers.
    var series: ArraySlice<StoredSeries> = []
    while true {
      let page = try reader.rows(of: window, after: after, limit: rowsPerRead)
      guard let last = page.last else { return totals }
      rowCount += page.count
      guard rowCount <= rowsMax else { return nil }
      for row in page {
        while let first = series.first, first.number < row.key.series { series.removeFirst() }
        if series.first?.number != row.key.series {
          series = try reader.series(after: row.key.series - 1, limit: seriesPerRead)[...]
        }
        guard let stored = series.first, stored.number == row.key.series else {
          throw StoreError(.system, "window \(window): series \(row.key.series) is missing")
        }
        totals.add(
          row.quantity.attos, of: ExactText(stored.series.meter),
          share: AuditTotals.share(of: stored.series.subscription))
      }
      after = last.key
    }
  }
}

extension UsageAudit {
  /// Adds up the events of a chunk that lie in the round. Throws what its records should not be.
  package mutating func take(_ chunk: JournalChunk) throws {
    guard let present, let id = LogID(rawValue: chunk.journalID) else { return }
    for record in Record.all(in: chunk.records, of: id) {
      guard let first = next?.position, record.nextPosition > first,
        record.firstPosition < present.position.nextPosition
      else { continue }
      let end = min(record.nextPosition, present.position.nextPosition)
      switch record.kind {
      case .batch: try add(record, first, end)
      case .correction:
        guard let deltas = record.appliedCorrection?.deltas else {
          throw RollupError.undecodable(position: record.firstPosition)
        }
        for place in 0..<deltas.count {
          let series = deltas.series[Int(deltas.seriesIndex[place])]
          add(deltas.attos[place], series, in: record.firstTime.hour)
        }
      default: break
      }
      next?.position = end
    }
  }

  private mutating func add(_ record: Record, _ first: UInt64, _ end: UInt64) throws {
    guard let columns = EventColumns(journalPayload: record.payload) else {
      throw RollupError.undecodable(position: record.firstPosition)
    }
    let isWhole = columns.withEvents { events in
      var known: [(meter: ExactText, share: Int)?] = Array(
        repeating: nil, count: columns.seriesCount)
      for position in max(first, record.firstPosition)..<end {
        let place = Int(position - record.firstPosition)
        let index = events.seriesIndex(place)
        if known[index] == nil {
          guard let series = Series(journalBytes: events.series(index)) else { return false }
          known[index] = (ExactText(series.meter), AuditTotals.share(of: series.subscription))
        }
        guard let key = known[index] else { return false }
        let window = Instant(nanoseconds: record.firstTime.nanoseconds + Int64(place)).hour
        journal[window, default: AuditTotals()].add(
          events.attos(place), of: key.meter, share: key.share)
      }
      return true
    }
    guard isWhole else { throw RollupError.undecodable(position: record.firstPosition) }
  }

  private mutating func add(_ attos: Int128, _ series: Series, in window: Hour) {
    journal[window, default: AuditTotals()].add(
      attos, of: ExactText(series.meter), share: AuditTotals.share(of: series.subscription))
  }

  /// Compares the windows that have closed since the last round, and the open one as it was when the round began. All
  /// that differs, as sentences: of a closed window it is told for as long as this lives.
  package mutating func finish(_ reader: any UsageReader) throws(StoreError) -> [String] {
    guard let present, let first = next?.window, next?.position == present.position.nextPosition
    else { return differences }
    let open = present.position.openWindow
    let closed = try reader.closedWindows(before: open, limit: UsageAudit.windowsMax)
    let windows = Set(closed.map(\.window)).union(journal.keys).filter { $0 >= first && $0 < open }
    for window in windows.sorted() {
      guard let stored = try UsageAudit.totals(reader, of: window, rowsMax: .max) else { continue }
      // Where the retention has given it up, its rows are being removed.
      guard try reader.position().retainedFrom <= window else { continue }
      if let difference = difference(window, stored), differences.count < UsageAudit.differencesMax
      {
        differences.append(difference)
      }
    }
    journal = journal.filter { $0.key >= open }
    next?.window = max(first, open)
    let openDifference = first > open ? nil : present.open.flatMap { difference(open, $0) }
    return differences + [openDifference].compactMap { $0 }
  }

  private func difference(_ window: Hour, _ stored: AuditTotals) -> String? {
    guard let present, let aside = present.aside, !aside.contains(window) else { return nil }
    let accepted = journal[window] ?? AuditTotals()
    guard
      let (meter, counted, expected) = stored.difference(from: accepted, of: present.meters)
    else { return nil }
    return "window \(window): the usage database counts \(UsageAudit.text(counted)) of meter "
      + "\(meter), but the journal accepted \(UsageAudit.text(expected)), or they are of other "
      + "subscriptions: stackmeter verify says what differs, stackmeter rebuild makes it anew"
  }

  private static func text(_ attos: Int128) -> String {
    Quantity(attos: attos)?.description ?? "\(attos) attos"
  }
}
