internal import StackmeterCore

/// Exact totals by usage time: one pass over the rows that the question is about, added up here.
///
/// Each window from the first usage hour on that has usage before the last one is looked at, only where the asked
/// subscriptions lie in it. Adding up in SQL would sort all rows of the question first.
struct SQLiteUsageTotals {
  private let connection: SQLite
  private let hours: Range<Int64>
  private let byDay: Bool
  private let bySubscription: Bool
  private let meters: Set<ExactText>?
  private let openWindow: Int64
  /// Past so many totals the rest need not be read.
  private let limit: Int
  private let selectMeter: Statement

  /// What rows are told apart by, beside the day.
  private struct Group: Hashable {
    /// 0 for all.
    let subscription: Int64
    let meter: Int
  }

  private struct Total {
    let group: Int
    let day: Int64
    var attos: Int128 = 0
    var isProvisional = false
  }

  private struct DayGroup: Hashable {
    let group: Int
    let day: Int64
  }

  private var meterNames: [String] = []
  private var meterNumbers: [ExactText: Int] = [:]
  private var groups: [Group] = []
  private var groupNumbers: [Group: Int] = [:]
  /// The group of a series; nil where the question is not about its meter.
  private var groupsOfSeries: [Int64: Int?] = [:]
  private var totals: [Total] = []
  private var totalNumbers: [DayGroup: Int] = [:]

  init(
    _ connection: SQLite, hours: Range<Hour>, byDay: Bool, bySubscription: Bool,
    filter: UsageFilter, openWindow: Hour, limit: Int
  ) throws(StoreError) {
    self.connection = connection
    self.hours = hours.lowerBound.index..<hours.upperBound.index
    self.byDay = byDay
    self.bySubscription = bySubscription
    meters = filter.meters.map { Set($0.map { ExactText($0) }) }
    self.openWindow = openWindow.index
    self.limit = limit
    selectMeter = try connection.prepare("SELECT meter FROM series WHERE id = ?")
  }

  /// At most `limit` totals, in the order of day, subscription and meter; where there are more, any of them.
  mutating func read(
    from firstWindow: Int64, _ scopes: [SQLiteSeriesScope]
  ) throws(StoreError) -> [UsageTotal] {
    let windows = try connection.prepare(
      """
      SELECT window FROM closed_window WHERE window >= ?1 AND oldest_usage < ?2
      UNION ALL SELECT open_window FROM pipeline WHERE open_window >= ?1
      """)
    windows.bind(1, firstWindow)
    windows.bind(2, hours.upperBound)
    defer { windows.reset() }
    let rows = try connection.prepare(
      """
      SELECT series, lag, units, attos FROM aggregate
      WHERE window = ? AND series >= ? AND series < ?
      """)
    while totals.count <= limit, try windows.step() {
      let window = windows.integer(0)
      for scope in scopes {
        rows.bind(1, window)
        rows.bind(2, scope.series.lowerBound)
        rows.bind(3, scope.series.upperBound)
        while try rows.step() { try add(rows, window, scope) }
      }
    }
    return try sorted()
  }

  private mutating func add(
    _ row: Statement, _ window: Int64, _ scope: SQLiteSeriesScope
  ) throws(StoreError) {
    let usageHour = window - row.integer(1)
    guard hours.contains(usageHour), scope.holds(usageHour),
      let group = try group(ofSeries: row.integer(0))
    else { return }
    let index = number(
      of: DayGroup(group: group, day: byDay ? usageHour.flooredDivision(by: 24) : 0))
    let (sum, overflow) = totals[index].attos.addingReportingOverflow(
      try connection.quantity(row, 2).attos)
    guard !overflow else { throw SQLiteUsageTotals.overflow }
    totals[index].attos = sum
    if window >= openWindow { totals[index].isProvisional = true }
  }

  private mutating func number(of key: DayGroup) -> Int {
    if let known = totalNumbers[key] { return known }
    totalNumbers[key] = totals.count
    totals.append(Total(group: key.group, day: key.day))
    return totals.count - 1
  }

  private mutating func group(ofSeries series: Int64) throws(StoreError) -> Int? {
    if let known = groupsOfSeries[series] { return known }
    selectMeter.bind(1, series)
    guard try selectMeter.step() else {
      throw StoreError(.system, "the usage database is damaged: there is no series \(series)")
    }
    let name = selectMeter.text(0)
    selectMeter.reset()
    var found: Int?
    if meters?.contains(ExactText(name.asciiLowercased)) ?? true {
      let meter = meterNumbers[ExactText(name)] ?? meterNames.count
      if meter == meterNames.count {
        meterNames.append(name)
        meterNumbers[ExactText(name)] = meter
      }
      let group = Group(
        subscription: bySubscription ? SeriesNumbers.subscription(ofSeries: series) : 0,
        meter: meter)
      found = groupNumbers[group] ?? groups.count
      if found == groups.count {
        groups.append(group)
        groupNumbers[group] = found
      }
    }
    groupsOfSeries[series] = .some(found)
    return found
  }

  private func sorted() throws(StoreError) -> [UsageTotal] {
    let selectName = try connection.prepare("SELECT name FROM subscription WHERE id = ?")
    var names: [Int64: String] = [:]
    var answer: [UsageTotal] = []
    for total in totals.prefix(limit) {
      let group = groups[total.group]
      if bySubscription, names[group.subscription] == nil {
        selectName.bind(1, group.subscription)
        names[group.subscription] = try selectName.step() ? selectName.text(0) : ""
        selectName.reset()
      }
      guard let quantity = Quantity(attos: total.attos) else { throw SQLiteUsageTotals.overflow }
      answer.append(
        UsageTotal(
          day: byDay ? Day(index: total.day) : nil, subscription: names[group.subscription],
          meter: meterNames[group.meter], quantity: quantity, isProvisional: total.isProvisional))
    }
    return answer.sorted { left, right in
      if left.day != right.day { return (left.day?.index ?? 0) < (right.day?.index ?? 0) }
      let (mine, other) = (left.subscription ?? "", right.subscription ?? "")
      if !mine.hasSameBytes(as: other) {
        return mine.utf8.lexicographicallyPrecedes(other.utf8)
      }
      return left.meter.utf8.lexicographicallyPrecedes(right.meter.utf8)
    }
  }

  private static let overflow = StoreError(
    .overflow, "a total is too large; ask for a shorter time")
}
