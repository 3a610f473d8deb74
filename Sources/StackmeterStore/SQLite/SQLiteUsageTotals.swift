internal import StackmeterCore

/// Exact totals: one pass over the rows that the question is about, added up here.
///
/// Each window that may have them is looked at, only where the asked series lie in it. Adding up in SQL would sort all
/// rows of the question first.
struct SQLiteUsageTotals {
  private let connection: SQLite
  private let scan: TotalsScan
  private let position: PipelinePosition
  private let hours: Range<Int64>
  private let granularity: Granularity?
  /// Past so many totals the rest need not be read.
  private let limit: Int
  private let series: SQLiteSeriesTable
  private var place: SQLiteSeriesPlace
  private let selectDirectory: Statement

  /// What rows are told apart by, beside the period.
  private struct Group: Hashable {
    let values: [ExactText?]
    let meter: ExactText
  }

  private struct Total {
    let group: Int
    let period: Int64
    var attos: Int128 = 0
    var isProvisional = false
  }

  private struct PeriodGroup: Hashable {
    let group: Int
    let period: Int64
  }

  private var groups: [Group] = []
  private var groupNumbers: [Group: Int] = [:]
  /// The group of a series; nil where the question is not about it.
  private var groupsOfSeries: [Int64: Int?] = [:]
  private var totals: [Total] = []
  private var totalNumbers: [PeriodGroup: Int] = [:]
  private var directory: [ExactText: Subscription] = [:]

  init(
    _ connection: SQLite, _ series: SQLiteSeriesTable, _ scan: TotalsScan,
    _ position: PipelinePosition, limit: Int
  ) throws(StoreError) {
    self.connection = connection
    self.series = series
    self.scan = scan
    self.position = position
    self.limit = limit
    hours = scan.hours.lowerBound.index..<scan.hours.upperBound.index
    granularity = scan.granularity
    place = try SQLiteSeriesPlace(connection, scan.filter)
    selectDirectory = try connection.prepare(
      "SELECT owner, cost_center, tags FROM directory WHERE name = ?")
  }

  /// In the order of period, groups and meter; where there are more than `limit`, any of them.
  mutating func read() throws(StoreError) -> [UsageTotal] {
    let asked = scan.rows.windows
    let windows = try connection.prepare(
      """
      SELECT window FROM closed_window WHERE window >= ?1 AND window < ?2 AND oldest_usage < ?3
      UNION ALL SELECT open_window FROM pipeline WHERE open_window >= ?1 AND open_window < ?2
      """)
    windows.bind(1, max(asked.lowerBound, position.retainedFrom.index))
    windows.bind(2, asked.upperBound)
    windows.bind(3, scan.axis == .usage ? hours.upperBound : .max)
    defer { windows.reset() }
    let rows = try connection.prepare(
      """
      SELECT series, lag, units, attos FROM aggregate
      WHERE window = ? AND series >= ? AND series < ?
      """)
    while totals.count <= limit, try windows.step() {
      let window = windows.integer(0)
      for range in place.ranges {
        rows.bind(1, window)
        rows.bind(2, range.lowerBound)
        rows.bind(3, range.upperBound)
        while try rows.step() { try add(rows, window) }
      }
    }
    return try sorted()
  }

  private mutating func add(_ row: Statement, _ window: Int64) throws(StoreError) {
    let usageHour = window - row.integer(1)
    let hour = scan.axis == .usage ? usageHour : window
    guard hours.contains(hour), place.holds(row.integer(0), usageHour),
      let group = try group(ofSeries: row.integer(0))
    else { return }
    let index = number(
      of: PeriodGroup(group: group, period: granularity.map { $0.period(ofHour: hour) } ?? 0))
    let (sum, overflow) = totals[index].attos.addingReportingOverflow(
      try connection.quantity(row, 2).attos)
    guard !overflow else { throw SQLiteUsageTotals.overflow }
    totals[index].attos = sum
    if window >= position.openWindow.index { totals[index].isProvisional = true }
  }

  private mutating func number(of key: PeriodGroup) -> Int {
    if let known = totalNumbers[key] { return known }
    totalNumbers[key] = totals.count
    totals.append(Total(group: key.group, period: key.period))
    return totals.count - 1
  }

  private mutating func group(ofSeries number: Int64) throws(StoreError) -> Int? {
    if let known = groupsOfSeries[number] { return known }
    var found: Int?
    if try place.contains(number, series) {
      let series = try series.series(number)
      var values: [ExactText?] = []
      for grouping in scan.names {
        values.append(try value(of: grouping, series).map { ExactText($0) })
      }
      let group = Group(values: values, meter: ExactText(series.meter))
      found = groupNumbers[group] ?? groups.count
      if found == groups.count {
        groups.append(group)
        groupNumbers[group] = found
      }
    }
    groupsOfSeries[number] = .some(found)
    return found
  }

  private mutating func value(
    of grouping: Grouping, _ series: Series
  ) throws(StoreError) -> String? {
    if grouping == .subscription { return series.subscription }
    guard grouping.isOfDirectory else { return series.resource.value(of: grouping) }
    let name = ExactText(series.subscription)
    if directory[name] == nil {
      selectDirectory.bind(1, series.subscription)
      defer { selectDirectory.reset() }
      directory[name] =
        try selectDirectory.step()
        ? Subscription(
          id: series.subscription, owner: selectDirectory.text(0),
          costCenter: selectDirectory.text(1), tags: selectDirectory.text(2), state: .active)
        : Subscription(id: series.subscription, state: .unassigned)
    }
    return directory[name]?.value(of: grouping)
  }

  private func sorted() throws(StoreError) -> [UsageTotal] {
    var answer: [UsageTotal] = []
    for total in totals.prefix(limit) {
      let group = groups[total.group]
      guard let quantity = Quantity(attos: total.attos) else { throw SQLiteUsageTotals.overflow }
      answer.append(
        UsageTotal(
          by: scan.groupings,
          period: granularity.map { Hour(index: $0.firstHour(ofPeriod: total.period)) },
          groups: group.values.map { $0?.text }, meter: group.meter.text, quantity: quantity,
          isProvisional: total.isProvisional))
    }
    return answer.sorted { $0.precedes($1) }
  }

  private static let overflow = StoreError(
    .overflow, "a total is too large; ask for a shorter time")
}
