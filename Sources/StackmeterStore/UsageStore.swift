package import StackmeterCore

/// The writing half of a usage database: what `UsageWriter` needs of SQLite, PostgreSQL, ….
///
/// It stores and finds; what is counted and when a window closes is the writer's business. All calls between `begin`
/// and `commit` are one transaction. Lists are sorted by their keys and have no key twice, so that rows are touched
/// in one order by everyone. Not safe for threads: its owner calls it from one task at a time. The first error leaves
/// the database at the last commit, once `rollback` was called.
package protocol UsageStore: BillingStore {
  /// The name of the part of the installation whose journal is counted here; in every window's hash.
  var cell: String { get }

  func position() throws(StoreError) -> PipelinePosition

  /// Makes the catalog in the database equal to `catalog`. A meter that left the catalog keeps its row where usage
  /// speaks of it, and a meter that has a rule keeps the rule's aggregation. In a transaction of its own.
  func replaceCatalog(_ catalog: MeterCatalog) throws(StoreError)

  /// Makes the directory of subscriptions in the database equal to `directory`. Changes no number of a subscription.
  /// In a transaction of its own.
  func replaceDirectory(_ directory: SubscriptionDirectory) throws(StoreError)

  /// Every rule, by meter and number: the last one of a meter is in force.
  func rules() throws(StoreError) -> [MeterRule]

  /// Ends the use of the database, in order. Nothing may be called afterwards.
  func close()

  func begin() throws(StoreError)
  func rollback()

  /// Moves the position and ends the transaction. `retainedFrom` is not written.
  func commit(_ position: PipelinePosition) throws(StoreError)

  func put(rules: [MeterRule]) throws(StoreError)

  /// The numbers of series, given to them now, in this order, where they have none. Nil where the subscription has
  /// no number left.
  func intern(_ series: [NewSeries]) throws(StoreError) -> [Int64?]

  /// What aggregates of one window hold; nil for those that are not there.
  func aggregates(
    of window: Hour, _ keys: [SeriesHour]
  ) throws(StoreError) -> [Quantity?]

  /// Writes aggregates of one window, whether they are there or not.
  func put(aggregates: [(key: SeriesHour, quantity: Quantity)], of window: Hour)
    throws(StoreError)

  /// The quantity of the greatest sample of each key: by quantity for `max`, by usage end, usage start and position
  /// for `latest`. Nil where there is none.
  func greatestSamples(
    _ keys: [SeriesHour], of kind: Aggregation
  ) throws(StoreError) -> [Quantity?]

  /// Whether there is a sample with this quantity.
  func hasSamples(_ values: [SampleValue]) throws(StoreError) -> [Bool]

  /// Removes samples; false for those that are not there.
  func remove(samples: [UsageSample]) throws(StoreError) -> [Bool]
  func insert(samples: [UsageSample]) throws(StoreError)

  func keepAside(_ quantities: [UnappliedQuantity]) throws(StoreError)

  /// The hash of the last closed window; nil before the first.
  func lastWindowHash() throws(StoreError) -> [UInt8]?

  /// At most `limit` rows of one window, in the order of their keys, after one.
  func rows(
    of window: Hour, after key: SeriesHour?, limit: Int
  ) throws(StoreError) -> [WindowRow]

  func put(window: ClosedWindow) throws(StoreError)

  /// The declared sources, by name.
  func sources() throws(StoreError) -> [ReportingSource]

  /// Writes declared sources, whether they are there or not, and removes others by name.
  func put(sources: [ReportingSource], removing: [String]) throws(StoreError)

  /// Notes the sources that were behind when a window with rows was closed. In the transaction that ends it.
  func put(missing: MissingSources, of window: Hour) throws(StoreError)

  /// Says that windows before `window` need not be kept any longer. Never goes back. In a transaction of its own.
  func retain(from window: Hour) throws(StoreError)

  /// Removes at most `limit` aggregates of windows that need not be kept; how many it was. In a transaction of its
  /// own.
  func removeAggregates(limit: Int) throws(StoreError) -> Int

  /// Removes at most `limit` samples of usage hours before the position's `samplesFrom`; how many it was. In a
  /// transaction of its own.
  func removeSamples(limit: Int) throws(StoreError) -> Int
}

extension UsageStore {
  /// A server has nothing to tidy up.
  package func close() {}

  /// Rows that are hashed at a time when a window closes.
  private var rowsPerRead: Int { 10_000 }

  /// Hashes a window and writes that down, together with the sources that were behind, if it has rows. In the
  /// transaction that ends the window.
  package func close(
    _ window: Hour, endPosition: UInt64, journalID: UInt64, missing: MissingSources = .none
  ) throws(StoreError) {
    var page = try rows(of: window, after: nil, limit: rowsPerRead)
    guard !page.isEmpty else { return }
    if !missing.isEmpty { try put(missing: missing, of: window) }
    var hasher = WindowHasher(
      previous: try lastWindowHash(), journalID: journalID, cell: cell, window: window,
      endPosition: endPosition)
    while let last = page.last {
      for row in page { hasher.add(row) }
      page = try rows(of: window, after: last.key, limit: rowsPerRead)
    }
    try put(window: hasher.finish())
  }
}

/// How series are numbered: those of one subscription are neighbours, so that its usage in one window is one range.
package enum SeriesNumbers {
  /// The number of a series is that of its subscription × 2²⁴ + its own within the subscription, from 1.
  package static let bitsWithinSubscription: Int64 = 24
  /// Series of one subscription.
  package static let seriesMax: Int64 = (1 << bitsWithinSubscription) - 1
  /// Keeps the number of a series within 63 bits.
  package static let subscriptionsMax: Int64 = 1 << 38

  package static func range(ofSubscription number: Int64) -> Range<Int64> {
    number << bitsWithinSubscription..<(number + 1) << bitsWithinSubscription
  }

  package static func subscription(ofSeries number: Int64) -> Int64 {
    number >> bitsWithinSubscription
  }
}

/// How far the usage database is: what one transaction moves together with the aggregates.
package struct PipelinePosition: Hashable, Sendable {
  /// The first journal position that is not in the database.
  package var nextPosition: UInt64
  /// The reported time of the last applied record.
  package var reportedTime: Instant
  /// All windows before it are closed.
  package var openWindow: Hour
  /// The journal that all positions are of; 0 before the first record.
  package var journalID: UInt64
  /// The aggregates of windows before it are being removed, or are gone.
  package var retainedFrom: Hour
  /// Samples of usage hours before it are being removed, or are gone.
  package var samplesFrom: Hour

  package init(
    nextPosition: UInt64, reportedTime: Instant, openWindow: Hour, journalID: UInt64 = 0,
    retainedFrom: Hour = Hour(index: 0), samplesFrom: Hour = Hour(index: 0)
  ) {
    self.nextPosition = nextPosition
    self.reportedTime = reportedTime
    self.openWindow = openWindow
    self.journalID = journalID
    self.retainedFrom = retainedFrom
    self.samplesFrom = samplesFrom
  }
}

/// A series that may have no number yet, and where the journal first counts something for it.
package struct NewSeries: Hashable, Sendable {
  package let series: Series
  package let firstWindow: Hour
  package let firstPosition: UInt64

  package init(_ series: Series, firstWindow: Hour, firstPosition: UInt64) {
    self.series = series
    self.firstWindow = firstWindow
    self.firstPosition = firstPosition
  }
}

/// What an aggregate of a window is counted under.
package struct SeriesHour: Hashable, Comparable, Sendable {
  /// The number of the series.
  package let series: Int64
  package let usageHour: Hour

  package init(series: Int64, usageHour: Hour) {
    self.series = series
    self.usageHour = usageHour
  }

  package static func < (left: SeriesHour, right: SeriesHour) -> Bool {
    left.series != right.series
      ? left.series < right.series : left.usageHour.index < right.usageHour.index
  }
}

/// One event in one usage hour that it touches, of a meter that is not a sum.
package struct UsageSample: Hashable, Sendable {
  package var key: SeriesHour
  /// Max, latest or unique count.
  package let kind: Aggregation
  /// The first 16 bytes of SHA-256 over the event's identity: source, id and the hour of its start.
  package let event: SampleID
  package let usageStart: Instant
  package let usageEnd: Instant
  /// Where the event took effect in the journal. Takes no part where a sample is removed.
  package let position: UInt64
  package let quantity: Quantity

  package init(
    key: SeriesHour, kind: Aggregation, event: SampleID, usageStart: Instant, usageEnd: Instant,
    position: UInt64, quantity: Quantity
  ) {
    self.key = key
    self.kind = kind
    self.event = event
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.position = position
    self.quantity = quantity
  }
}

/// A quantity that some sample of a series and usage hour may have.
package struct SampleValue: Hashable, Comparable, Sendable {
  package let key: SeriesHour
  package let quantity: Quantity

  package init(key: SeriesHour, quantity: Quantity) {
    self.key = key
    self.quantity = quantity
  }

  package static func < (left: SampleValue, right: SampleValue) -> Bool {
    left.key != right.key ? left.key < right.key : left.quantity < right.quantity
  }
}

/// A quantity that no aggregate holds, kept aside: with these, the aggregates are the truth.
package struct UnappliedQuantity: Hashable, Sendable {
  package let window: Hour
  /// Nil where the subscription has no number left for the series; the journal's position has its texts.
  package let series: Int64?
  package let usageHour: Hour
  package let quantity: Quantity
  /// Of the event.
  package let position: UInt64
  /// A sentence for people.
  package let reason: String

  package init(
    window: Hour, series: Int64?, usageHour: Hour, quantity: Quantity, position: UInt64,
    reason: String
  ) {
    self.window = window
    self.series = series
    self.usageHour = usageHour
    self.quantity = quantity
    self.position = position
    self.reason = reason
  }
}

/// One aggregate of a window, as its hash covers it.
package struct WindowRow: Hashable, Sendable {
  package let key: SeriesHour
  package let quantity: Quantity
  /// The texts of the series where this window is the first that has it.
  package let newSeries: Series?

  package init(key: SeriesHour, quantity: Quantity, newSeries: Series?) {
    self.key = key
    self.quantity = quantity
    self.newSeries = newSeries
  }
}

/// What is kept of a closed window that has aggregates.
package struct ClosedWindow: Hashable, Sendable {
  package let window: Hour
  /// All positions before it count in this window or in an earlier one, all others in a later one.
  package let endPosition: UInt64
  package let rowCount: UInt64
  /// The earliest usage hour in it: whoever looks for earlier usage need not read the window.
  package let oldestUsage: Hour
  /// 32 bytes, see `WindowHasher`.
  package let hash: [UInt8]

  package init(
    window: Hour, endPosition: UInt64, rowCount: UInt64, oldestUsage: Hour, hash: [UInt8]
  ) {
    self.window = window
    self.endPosition = endPosition
    self.rowCount = rowCount
    self.oldestUsage = oldestUsage
    self.hash = hash
  }
}
