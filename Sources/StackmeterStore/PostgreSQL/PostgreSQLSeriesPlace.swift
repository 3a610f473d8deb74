internal import StackmeterCore

/// Where the series lie that a question is about, as ranges of the numbers of each cell's subscriptions.
///
/// Where they are few, they are looked up first and read one by one; where they are many, or one must look at too many
/// to find them, every row of the subscriptions is read and its series asked.
struct PostgreSQLSeriesPlace {
  private struct Range {
    let cell: Int64
    let subscription: Int64
    let first: Int64
    let last: Int64
    /// The usage hours that the question is about.
    var from = Int64.min
    var until = Int64.max
  }

  private struct Subscription: Hashable {
    let cell: Int64
    let id: Int64
  }

  /// Nil for all series of all subscriptions.
  private let ranges: [Range]?
  /// Whether the ranges are single series.
  private let isExact: Bool
  /// Whether each range is of some usage hours only. Then a place stands once for each tenancy; they do not overlap.
  private let isTimed: Bool
  private let filter: UsageFilter
  private let meters: Set<ExactText>?

  init(_ connection: PostgreSQL, _ filter: UsageFilter) throws(StoreError) {
    self.filter = filter
    meters = filter.meters.map { Set($0.map { ExactText($0) }) }
    isTimed = filter.tenancies != nil
    var subscriptions: [Range]?
    var hours: [Subscription: [Swift.Range<Int64>]] = [:]
    if let names = filter.subscriptions {
      let rows = try connection.query(
        "SELECT cell, id, name FROM subscription WHERE name = ANY ($1::text[])",
        [PostgreSQLParameter(texts: names)])
      subscriptions = (0..<rows.count).map {
        Range(
          cell: rows.integer($0, 0), subscription: rows.integer($0, 1), first: 0,
          last: SeriesNumbers.seriesMax)
      }
      if filter.tenancies != nil {
        for row in 0..<rows.count {
          hours[Subscription(cell: rows.integer(row, 0), id: rows.integer(row, 1))] =
            filter.usageHours(of: rows.text(row, 2)) ?? []
        }
      }
    }
    /// Each range once for each of the times that the question is about.
    func timed(_ ranges: [Range]) -> [Range] {
      guard filter.tenancies != nil else { return ranges }
      return ranges.flatMap { range in
        (hours[Subscription(cell: range.cell, id: range.subscription)] ?? []).map { time in
          Range(
            cell: range.cell, subscription: range.subscription, first: range.first,
            last: range.last, from: time.lowerBound, until: time.upperBound)
        }
      }
    }
    guard !filter.isOfAllSeries,
      let found = try PostgreSQLSeriesPlace.find(connection, subscriptions, filter, meters)
    else {
      ranges = subscriptions.map(timed)
      isExact = false
      return
    }
    ranges = timed(found)
    isExact = true
  }

  /// All series of all subscriptions are read.
  var isAll: Bool { ranges == nil }
  /// There is nothing to be found.
  var isEmpty: Bool { ranges?.isEmpty == true }
  /// How many places one looks at in each window.
  var count: Int { ranges?.count ?? 1 }

  /// Whether the question is about a series of the ranges.
  func contains(_ series: Series) -> Bool {
    if isExact || filter.isOfAllSeries { return true }
    return (meters?.contains(ExactText(series.meter.asciiLowercased)) ?? true)
      && filter.series.matches(series.resource)
  }

  /// Joins the ranges to the windows `w` of their cells; they are the parameters from `$number` on.
  func join(_ number: Int) -> String {
    guard ranges != nil else { return "" }
    let lists = (number..<number + 6).map { "$\($0)::bigint[]" }.joined(separator: ", ")
    return "JOIN unnest(\(lists)) q (cell, subscription, first, last, from_hour, until_hour) "
      + "ON q.cell = w.cell"
  }

  /// What then holds for the aggregates of a table of this name.
  func condition(of table: String = "a") -> String {
    guard ranges != nil else { return "" }
    return "AND \(table).subscription = q.subscription"
      + (isExact ? " AND \(table).series >= q.first AND \(table).series <= q.last" : "")
      + (isTimed
        ? " AND \(table).usage_hour >= q.from_hour AND \(table).usage_hour < q.until_hour" : "")
  }

  var parameters: [PostgreSQLParameter] {
    guard let ranges else { return [] }
    return [
      PostgreSQLParameter(bigints: ranges.map(\.cell)),
      PostgreSQLParameter(bigints: ranges.map(\.subscription)),
      PostgreSQLParameter(bigints: ranges.map(\.first)),
      PostgreSQLParameter(bigints: ranges.map(\.last)),
      PostgreSQLParameter(bigints: ranges.map(\.from)),
      PostgreSQLParameter(bigints: ranges.map(\.until)),
    ]
  }

  /// The series that match; nil where they are too many, or must be looked for among too many.
  private static func find(
    _ connection: PostgreSQL, _ subscriptions: [Range]?, _ filter: UsageFilter,
    _ meters: Set<ExactText>?
  ) throws(StoreError) -> [Range]? {
    let join =
      subscriptions == nil
      ? ""
      : "JOIN unnest($2::bigint[], $3::bigint[]) q (cell, subscription) USING (cell, subscription)"
    let asked: [PostgreSQLParameter] =
      subscriptions.map {
        [
          PostgreSQLParameter(bigints: $0.map(\.cell)),
          PostgreSQLParameter(bigints: $0.map(\.subscription)),
        ]
      } ?? []
    let count = try connection.query(
      "SELECT count(*) FROM (SELECT 1 FROM series \(join) LIMIT $1::bigint) s",
      [PostgreSQLParameter(Int64(UsagePage.seriesLookedThroughMax + 1))] + asked)
    guard count.integer(0, 0) <= Int64(UsagePage.seriesLookedThroughMax) else { return nil }
    let match = SeriesMatch(filter, firstParameter: subscriptions == nil ? 2 : 4)
    let rows = try connection.query(
      """
      SELECT cell, subscription, s.id FROM series s \(join) WHERE \(match.sql)
      ORDER BY cell, subscription, s.id LIMIT $1::bigint
      """,
      [PostgreSQLParameter(Int64(UsagePage.seriesSoughtMax + 1))] + asked + match.parameters)
    guard rows.count <= UsagePage.seriesSoughtMax else { return nil }
    return (0..<rows.count).map {
      Range(
        cell: rows.integer($0, 0), subscription: rows.integer($0, 1), first: rows.integer($0, 2),
        last: rows.integer($0, 2))
    }
  }
}

/// What a question asks of a series, in SQL: the same as `SeriesSelection.matches`.
struct SeriesMatch {
  private(set) var sql = "true"
  private(set) var parameters: [PostgreSQLParameter] = []
  private var next: Int

  /// For `series s`; parameters begin with `$firstParameter`.
  init(_ filter: UsageFilter, firstParameter: Int) {
    next = firstParameter
    let series = filter.series
    if let meters = filter.meters { add("lower(s.meter) = ANY (\(list(meters)))") }
    if !series.resourceURIs.isEmpty || !series.resourceURIPrefixes.isEmpty {
      add(
        """
        (s.resource_uri = ANY (\(list(series.resourceURIs))) OR EXISTS (
          SELECT 1 FROM unnest(\(list(series.resourceURIPrefixes))) p (text)
          WHERE starts_with(s.resource_uri, p.text)))
        """)
    }
    if !series.resourceGroups.isEmpty {
      add("\(SeriesMatch.resourceGroup) = ANY (\(list(series.resourceGroups)))")
    }
    if !series.locations.isEmpty { add("s.location = ANY (\(list(series.locations)))") }
    var names: [ExactText] = []
    for tag in series.tags where !names.contains(ExactText(tag.name)) {
      names.append(ExactText(tag.name))
      let values = series.tags.filter { $0.name.hasSameBytes(as: tag.name) }.map(\.value)
      let value = "\(SeriesMatch.tags) ->> \(text(tag.name))"
      if values.contains(where: { $0 == nil }) {
        add("(\(value)) IS NOT NULL")
      } else {
        add("(\(value)) = ANY (\(list(values.compactMap { $0 })))")
      }
    }
  }

  /// The resource group of `series s` in lower case; NULL without one.
  static let resourceGroup = {
    let uri = "'/' || lower(s.resource_uri) || '/'"
    let place = "position('/resourcegroups/' IN \(uri))"
    return "nullif(CASE WHEN \(place) > 0 "
      + "THEN split_part(substr(\(uri), \(place) + 16), '/', 1) END, '')"
  }()

  /// The tags of `series s` as an object.
  static let tags = "nullif(s.tags, '')::jsonb"

  private mutating func add(_ condition: String) {
    sql += " AND \(condition)"
  }

  private mutating func list(_ texts: [String]) -> String {
    parameters.append(PostgreSQLParameter(texts: texts))
    next += 1
    return "$\(next - 1)::text[]"
  }

  private mutating func text(_ text: String) -> String {
    parameters.append(PostgreSQLParameter(text))
    next += 1
    return "$\(next - 1)::text"
  }
}
