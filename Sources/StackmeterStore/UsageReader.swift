package import StackmeterCore

/// A series as the usage database has it.
package struct StoredSeries: Hashable, Sendable {
  package let number: Int64
  package let series: Series
  package let firstWindow: Hour
  /// Where the journal first counts something for it; 0 where that was not written down.
  package let firstPosition: UInt64

  package init(number: Int64, series: Series, firstWindow: Hour, firstPosition: UInt64) {
    self.number = number
    self.series = series
    self.firstWindow = firstWindow
    self.firstPosition = firstPosition
  }
}

/// The reading half of a usage database. Never blocks its writer.
///
/// Not safe for threads: one task uses it at a time. Every answer is one snapshot. Windows that the retention has
/// removed are in no answer.
package protocol UsageReader: BillingReader {
  /// Asks within `limit`: what takes longer is given up with `tooSlow`.
  func within<Answer>(
    _ limit: Duration, _ ask: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer

  func position() throws(StoreError) -> PipelinePosition

  /// All windows before it are closed, in every cell that still counts.
  func openWindow() throws(StoreError) -> Hour

  /// The windows before it are removed, or are being removed.
  func retainedFrom() throws(StoreError) -> Hour

  /// The first closed window that is kept and has usage; nil where there is none.
  func firstClosedWindow() throws(StoreError) -> Hour?

  func cell() throws(StoreError) -> String

  /// At most `limit` rows in the order of period, cell, series, usage period; and where to go on where more may follow.
  func usage(
    _ scan: UsageScan, after cursor: UsageCursor?, limit: Int
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?)

  /// All that some windows have of each of some subscriptions, in the order of windows and series; nil where that is
  /// more than `limit` rows together.
  func aggregates(
    of subscriptions: [String], windows: Range<Hour>, limit: Int
  ) throws(StoreError) -> [[UsageAggregate]]?

  /// At most `limit` sums, in the order of subscription, usage period and meter; and where the next page begins, where
  /// more may follow. After `deadline` no further subscription is begun, so a page may be short.
  func sums(
    _ question: SumsQuestion, after cursor: UsageCursor?, limit: Int,
    until deadline: ContinuousClock.Instant
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?)

  /// At most `limit` exact totals, in the order of period, groups and meter; where there are more, any of them. Throws
  /// `removed` where usage hours begin before what is kept.
  func totals(_ scan: TotalsScan, limit: Int) throws(StoreError) -> [UsageTotal]

  /// What is to be explained of one subscription, meter and usage hour; nil where there is no such usage. Throws
  /// `removed` where a part of it may no longer be kept.
  func basis(
    subscription: String, meter: String, resourceURI: String?, usageHour: Hour
  ) throws(StoreError) -> UsageBasis?

  func meters() throws(StoreError) -> [Meter]

  /// At most `limit` subscriptions after one, by id: those of the directory, and those that have usage and are
  /// unassigned. `ids`, in lower case, are those that are asked for; nil for all.
  func subscriptions(
    ids: [String]?, after id: String, limit: Int
  ) throws(StoreError) -> [Subscription]

  /// The direct tenants of a provider, by subscription and time. `provider` is in lower case.
  func tenancies(of provider: String) throws(StoreError) -> [Tenancy]

  /// Every rule, by meter and number: the last one of a meter is in force.
  func rules() throws(StoreError) -> [MeterRule]

  /// The reporting windows before `before` that hold usage, and the open one; newest first. With the sources that
  /// were behind when they were closed.
  func windows(before: Hour?, limit: Int) throws(StoreError) -> [ReportingWindow]

  /// The windows before `before` that were closed, newest first, those that the retention has removed among them.
  func closedWindows(before: Hour?, limit: Int) throws(StoreError) -> [ClosedWindow]

  /// At most `limit` rows of one window, in the order of their keys, after one.
  func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow]

  /// The declared sources, by name.
  func sources() throws(StoreError) -> [ReportingSource]

  func unappliedCount() throws(StoreError) -> UInt64

  /// Asks several questions of one snapshot. Short: a long one keeps the writer from tidying up.
  func snapshot<Answer>(
    _ ask: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer

  /// At most `limit` series after a number, in the order of their numbers.
  func series(after number: Int64, limit: Int) throws(StoreError) -> [StoredSeries]

  /// At most `limit` of what was kept aside, in the order in which that happened.
  func unapplied(limit: Int) throws(StoreError) -> [UnappliedQuantity]

  /// What the database itself finds wrong with its files; empty where it is whole.
  func integrityProblems() throws(StoreError) -> [String]
}

extension UsageReader {
  /// Of a database that is one cell's own.
  package func openWindow() throws(StoreError) -> Hour { try position().openWindow }

  /// Of a database that is one cell's own.
  package func retainedFrom() throws(StoreError) -> Hour { try position().retainedFrom }

  /// Totals by usage time, as they are now.
  package func totals(
    hours: Range<Hour>, byDay: Bool, bySubscription: Bool, filter: UsageFilter, limit: Int
  ) throws(StoreError) -> [UsageTotal] {
    try totals(
      TotalsScan(
        hours: hours, groupings: (byDay ? [.day] : []) + (bySubscription ? [.subscription] : []),
        filter: filter), limit: limit)
  }

  /// The same, page by page.
  package func aggregates(
    of subscriptions: [String], windows: Range<Hour>, limit: Int
  ) throws(StoreError) -> [[UsageAggregate]]? {
    let indices = Dictionary(
      subscriptions.enumerated().map { (ExactText($1), $0) }, uniquingKeysWith: { $1 })
    var found = Array(repeating: [UsageAggregate](), count: subscriptions.count)
    var count = 0
    var cursor: UsageCursor?
    repeat {
      let page = try aggregates(
        windows: windows, granularity: .hourly,
        filter: UsageFilter(subscriptions: subscriptions, meters: nil), after: cursor,
        limit: min(limit + 1, UsagePage.rowsMax))
      count += page.aggregates.count
      guard count <= limit else { return nil }
      for row in page.aggregates {
        guard let index = indices[ExactText(row.series.subscription)] else { continue }
        found[index].append(row)
      }
      cursor = page.next
    } while cursor != nil
    return found
  }

  /// Rows by reported time, as they are now.
  package func aggregates(
    windows: Range<Hour>, granularity: Granularity, filter: UsageFilter, after cursor: UsageCursor?,
    limit: Int
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    try usage(
      UsageScan(hours: windows, granularity: granularity, filter: filter), after: cursor,
      limit: limit)
  }
}
