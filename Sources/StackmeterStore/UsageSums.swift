package import StackmeterCore

/// What sums are asked for: those of all resources of a subscription and meter, one for each usage period, over all
/// reporting windows of the question together.
package struct SumsQuestion: Hashable, Sendable {
  package var windows: Range<Hour>
  package var granularity: Granularity
  package var filter: UsageFilter

  package init(windows: Range<Hour>, granularity: Granularity, filter: UsageFilter) {
    self.windows = windows
    self.granularity = granularity
    self.filter = filter
  }
}

extension SumsQuestion {
  /// The usage hours of a subscription that the question is about; nil for all: both stores read by it.
  func usageHours(of subscription: String) -> [Range<Int64>]? {
    filter.usageHours(of: subscription)
  }
}

/// A reporting window of such a question that may have usage.
struct SumsWindow {
  let hour: Int64
  /// The earliest usage hour in it, or one that is earlier still.
  let oldestUsage: Int64
}

/// What a usage database must be able to say for sums.
protocol SumsSource {
  /// How many windows are added up together: one where reading a window costs no more than its rows.
  var windowsAtOnce: Int { get }

  var openWindow: Int64 { get }

  /// The windows of a question that are kept, in order.
  func sumsWindows(_ windows: Range<Hour>) throws(StoreError) -> [SumsWindow]

  /// The first subscriptions behind a name, of some or of all, in the order of their names, and which of them may have
  /// usage in windows.
  func candidates(
    behind name: String, of some: [String]?, in windows: [SumsWindow], limit: Int
  ) throws(StoreError) -> [(name: String, mayHaveUsage: Bool)]

  /// Adds up what some windows have of a subscription in some usage hours, in all where it is nil: calls `add` with a
  /// meter, the number of a period of so many hours, and a part of its sum.
  func addUp(
    _ subscription: String, _ windows: ArraySlice<SumsWindow>, _ usageHours: [Range<Int64>]?,
    hoursPerPeriod: Int64,
    _ add: (_ meter: String, _ period: Int64, _ attos: Int128) throws(StoreError) -> Void
  ) throws(StoreError)

  /// The cell and the number of a series of a subscription and meter; of the subscription alone, where `meter` is nil,
  /// the number that is in front of all its series.
  func number(
    of subscription: String, meter: String?
  ) throws(StoreError) -> (cell: Int64, series: Int64)

  /// The other way round. The meter is that of the series, where there is one of this number.
  func names(
    cell: Int64, series: Int64
  ) throws(StoreError) -> (subscription: String, meter: String)
}

/// One page of sums, in the order of subscription, usage period and meter.
///
/// A subscription's windows are read in the order of time and only as far as they can have what the page shows: a
/// window has no usage behind its own hour, but for what lies just ahead of the clock, and none before its oldest. So
/// a page costs what the subscriptions on it have reported in the time that it shows and the lateness behind it,
/// however long the question is.
struct UsageSums<Source: SumsSource> {
  /// Subscriptions that are looked for at once.
  private static var candidatesMax: Int { 64 }

  private let source: Source
  private let question: SumsQuestion
  private let hoursPerPeriod: Int64
  private let limit: Int
  private let deadline: ContinuousClock.Instant
  private let windows: [SumsWindow]
  private let meters: Set<ExactText>?

  private var aggregates: [UsageAggregate] = []

  /// Behind which line of a subscription a page begins.
  private struct Place {
    let period: Int64
    let meter: String
  }

  /// No further subscription is begun after `deadline`.
  init(
    _ source: Source, _ question: SumsQuestion, limit: Int, deadline: ContinuousClock.Instant
  ) throws(StoreError) {
    self.source = source
    self.question = question
    precondition(question.granularity != .monthly, "sums are by hour or day")
    hoursPerPeriod = question.granularity == .daily ? 24 : 1
    self.limit = limit
    self.deadline = deadline
    windows = try source.sumsWindows(question.windows)
    meters = question.filter.meters.map { Set($0.map { ExactText($0) }) }
  }

  /// Where the time was up, the page may be short, or have nothing, and yet not be the last.
  mutating func read(
    after cursor: UsageCursor?
  ) throws(StoreError) -> (aggregates: [UsageAggregate], next: UsageCursor?) {
    guard !windows.isEmpty else { return ([], nil) }
    var last = ""
    if let cursor {
      let names = try source.names(cell: cursor.cell, series: cursor.series)
      last = names.subscription
      let place =
        cursor.usage == .max ? nil : Place(period: cursor.usage, meter: names.meter)
      if let place, let next = try addLines(of: last, behind: place) { return (aggregates, next) }
    }
    while true {
      let found = try source.candidates(
        behind: last, of: question.filter.subscriptions, in: windows, limit: Self.candidatesMax)
      guard !found.isEmpty else { return (aggregates, nil) }
      for (name, mayHaveUsage) in found {
        if mayHaveUsage, let next = try addLines(of: name, behind: nil) {
          return (aggregates, next)
        }
        last = name
        if ContinuousClock.now >= deadline {
          let number = try source.number(of: name, meter: nil)
          return (
            aggregates,
            UsageCursor(window: 0, cell: number.cell, series: number.series, usage: .max)
          )
        }
      }
    }
  }

  /// Adds lines of a subscription until the page is full: then what follows its last one is the next page.
  private mutating func addLines(
    of subscription: String, behind place: Place?
  ) throws(StoreError) -> UsageCursor? {
    // One more than there is room for tells that there are more.
    var lines = SumLines(room: limit - aggregates.count + 1)
    let usageHours = question.usageHours(of: subscription)
    let first = place?.period ?? .min
    let firstHour = place.map { $0.period * hoursPerPeriod - 1 } ?? .min
    var rest = windows[...].drop { $0.hour < firstHour }
    while !rest.isEmpty {
      let some = rest.prefix(source.windowsAtOnce).filter {
        $0.oldestUsage.flooredDivision(by: hoursPerPeriod) <= lines.lastPeriod
      }
      rest = rest.dropFirst(source.windowsAtOnce)
      guard !some.isEmpty else { continue }
      try source.addUp(subscription, some[...], usageHours, hoursPerPeriod: hoursPerPeriod) {
        (meter, period, attos) throws(StoreError) in
        guard period >= first else { return }
        if let place, period == place.period,
          !place.meter.utf8.lexicographicallyPrecedes(meter.utf8)
        {
          return
        }
        if let meters, !meters.contains(ExactText(meter.asciiLowercased)) { return }
        try lines.add(meter, period, attos)
      }
    }
    for line in lines.sorted() {
      guard aggregates.count < limit else {
        guard let last = aggregates.last else { return nil }
        let series = last.series
        let number = try source.number(of: series.subscription, meter: series.meter)
        return UsageCursor(
          window: 0, cell: number.cell, series: number.series,
          usage: last.usageStart.hour.index.flooredDivision(by: hoursPerPeriod))
      }
      try append(line, subscription)
    }
    return nil
  }

  private mutating func append(
    _ line: SumLines.Line, _ subscription: String
  ) throws(StoreError) {
    guard let quantity = Quantity(attos: line.attos) else { throw SumLines.overflow }
    let start = Hour(index: line.period * hoursPerPeriod)
    aggregates.append(
      UsageAggregate(
        series: Series(
          subscription: subscription, meter: line.meter, resource: Resource(uri: "")),
        usageStart: start.start, usageEnd: Hour(index: start.index + hoursPerPeriod).start,
        quantity: quantity, window: question.windows.lowerBound,
        isProvisional: question.windows.upperBound.index > source.openWindow))
  }
}

/// The first lines of a subscription by period and meter, as far as there is room for them, however many are added up.
struct SumLines {
  struct Line {
    let period: Int64
    let meter: String
    let attos: Int128
  }

  static let overflow = StoreError(
    .overflow, "a total is too large; ask for hours instead of days")
  /// Lines that are kept at least, so that few of them are not sorted again and again.
  private static let leastKept = 512

  private struct Key: Hashable {
    let period: Int64
    let meter: ExactText
  }

  private let room: Int
  private var sums: [Key: Int128] = [:]
  /// What is behind this period has no room any more.
  private(set) var lastPeriod = Int64.max

  init(room: Int) {
    self.room = room
  }

  mutating func add(_ meter: String, _ period: Int64, _ attos: Int128) throws(StoreError) {
    guard period <= lastPeriod else { return }
    let (sum, overflow) = sums[Key(period: period, meter: ExactText(meter)), default: 0]
      .addingReportingOverflow(attos)
    guard !overflow else { throw SumLines.overflow }
    sums[Key(period: period, meter: ExactText(meter))] = sum
    if sums.count > max(2 * room, SumLines.leastKept) { forgetWhatHasNoRoom() }
  }

  /// A line that is forgotten has as many in front of it as there is room for, and keeps them, whatever is added
  /// later: should a part of it be added again, it is forgotten again, and never shown.
  private mutating func forgetWhatHasNoRoom() {
    let kept = sortedKeys().prefix(room)
    lastPeriod = kept.last?.period ?? lastPeriod
    sums = Dictionary(uniqueKeysWithValues: kept.map { ($0, sums[$0] ?? 0) })
  }

  private func sortedKeys() -> [Key] {
    sums.keys.sorted { left, right in
      left.period != right.period
        ? left.period < right.period
        : left.meter.text.utf8.lexicographicallyPrecedes(right.meter.text.utf8)
    }
  }

  /// The first ones.
  func sorted() -> [Line] {
    sortedKeys().prefix(room).map {
      Line(period: $0.period, meter: $0.meter.text, attos: sums[$0] ?? 0)
    }
  }
}
