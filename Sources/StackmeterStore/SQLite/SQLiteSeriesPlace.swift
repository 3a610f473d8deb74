internal import StackmeterCore

/// Where the series lie that a question is about.
///
/// Where they are few, they are looked up first and read one by one; where they are many, or one must look at too many
/// to find them, every row of the subscriptions is read and its series asked.
struct SQLiteSeriesPlace {
  /// In order. Whole subscriptions, or single series.
  private(set) var ranges: [Range<Int64>]
  private let filter: UsageFilter
  private let meters: Set<ExactText>?
  /// The usage hours that the question is about, by the numbers of its subscriptions; nil for all.
  private let usageHours: [Int64: [Range<Int64>]]?
  /// False where every series of the ranges belongs.
  private var looksAtEach = false
  private var known: [Int64: Bool] = [:]
  /// What is remembered of which series belong; past it, all is forgotten.
  private static let knownMax = 100_000

  init(_ connection: SQLite, _ filter: UsageFilter) throws(StoreError) {
    self.filter = filter
    meters = filter.meters.map { Set($0.map { ExactText($0) }) }
    usageHours = try connection.usageHours(of: filter)
    ranges = try connection.seriesRanges(of: filter.subscriptions)
    guard !filter.isOfAllSeries else { return }
    if let found = try SQLiteSeriesPlace.find(connection, ranges, filter, meters) {
      ranges = found
    } else {
      looksAtEach = true
    }
  }

  /// Whether the question is about a series of the ranges.
  mutating func contains(_ number: Int64, _ table: SQLiteSeriesTable) throws(StoreError) -> Bool {
    guard looksAtEach else { return true }
    if let belongs = known[number] { return belongs }
    let belongs = SQLiteSeriesPlace.matches(try table.series(number), filter, meters)
    if known.count >= SQLiteSeriesPlace.knownMax { known = [:] }
    known[number] = belongs
    return belongs
  }

  /// Whether the question is about a usage hour of a series of the ranges. Every row that is read must be asked for.
  func holds(_ number: Int64, _ usageHour: Int64) -> Bool {
    guard let usageHours else { return true }
    return usageHours[SeriesNumbers.subscription(ofSeries: number)]?
      .contains { $0.contains(usageHour) } ?? false
  }

  private static func matches(
    _ series: Series, _ filter: UsageFilter, _ meters: Set<ExactText>?
  ) -> Bool {
    (meters?.contains(ExactText(series.meter.asciiLowercased)) ?? true)
      && filter.series.matches(series.resource)
  }

  /// The series that match; nil where they are too many, or must be looked for among too many.
  private static func find(
    _ connection: SQLite, _ ranges: [Range<Int64>], _ filter: UsageFilter,
    _ meters: Set<ExactText>?
  ) throws(StoreError) -> [Range<Int64>]? {
    let count = try connection.prepare(
      "SELECT count(*) FROM (SELECT 1 FROM series WHERE id >= ? AND id < ? LIMIT ?)")
    var room = Int64(UsagePage.seriesLookedThroughMax)
    for range in ranges {
      count.bind(1, range.lowerBound)
      count.bind(2, range.upperBound)
      count.bind(3, room + 1)
      _ = try count.step()
      room -= count.integer(0)
      count.reset()
      guard room >= 0 else { return nil }
    }
    // What SQL can say is asked there; the rest of the answer is looked at here.
    let select = try connection.prepare(
      """
      SELECT '', meter, resource_uri, location, tags, '', id FROM series
      WHERE id >= ?1 AND id < ?2
        AND (?3 IS NULL OR lower(meter) IN (SELECT value FROM json_each(?3)))
        AND (?4 IS NULL OR location IN (SELECT value FROM json_each(?4)))
        AND (?5 IS NULL OR resource_uri IN (SELECT value FROM json_each(?5)))
      """)
    bind(select, 3, filter.meters)
    bind(select, 4, filter.series.locations)
    bind(
      select, 5, filter.series.resourceURIPrefixes.isEmpty ? filter.series.resourceURIs : nil)
    var found: [Range<Int64>] = []
    for range in ranges {
      select.bind(1, range.lowerBound)
      select.bind(2, range.upperBound)
      while try select.step() {
        guard matches(select.series(0), filter, meters) else { continue }
        let number = select.integer(6)
        if let last = found.last, last.upperBound == number {
          found[found.count - 1] = last.lowerBound..<number + 1
        } else if found.count < UsagePage.seriesSoughtMax {
          found.append(number..<number + 1)
        } else {
          select.reset()
          return nil
        }
      }
    }
    return found
  }

  /// A list as a JSON array; NULL where it says nothing.
  private static func bind(_ statement: Statement, _ index: Int32, _ texts: [String]?) {
    guard let texts, !texts.isEmpty else {
      statement.bindNull(index)
      return
    }
    var writer = JSONWriter()
    writer.array { writer in for text in texts { writer.string(text) } }
    statement.bind(index, String(decoding: writer.bytes, as: UTF8.self))
  }
}

extension SQLite {
  /// The usage hours of a filter's tenancies by the numbers of their subscriptions; nil where it is about all hours.
  fileprivate func usageHours(
    of filter: UsageFilter
  ) throws(StoreError) -> [Int64: [Range<Int64>]]? {
    guard let tenancies = filter.tenancies else { return nil }
    let select = try prepare("SELECT id FROM subscription WHERE name = ?")
    var hours: [Int64: [Range<Int64>]] = [:]
    for tenancy in tenancies {
      select.bind(1, tenancy.subscription)
      if try select.step() {
        hours[select.integer(0), default: []].append(
          tenancy.hours.lowerBound.index..<tenancy.hours.upperBound.index)
      }
      select.reset()
    }
    return hours
  }

  /// The numbers that series of these subscriptions may have, in order; of all where it is nil.
  func seriesRanges(of subscriptions: [String]?) throws(StoreError) -> [Range<Int64>] {
    guard let subscriptions else { return [0..<Int64.max] }
    let select = try prepare("SELECT id FROM subscription WHERE name = ?")
    var ids: Set<Int64> = []
    for name in subscriptions {
      select.bind(1, name)
      if try select.step() { ids.insert(select.integer(0)) }
      select.reset()
    }
    return ids.sorted().map { SeriesNumbers.range(ofSubscription: $0) }
  }
}
