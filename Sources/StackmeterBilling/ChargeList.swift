package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// The charges of one subscription for one billing period, aggregate by aggregate: those that its statement sums up.
///
/// What closed windows have comes first, in the order of meters and usage time, and never changes; what the open one
/// has comes behind it, as more usage that is rated with what was carried. So whoever reads on from a number of charges
/// reads on where they were.
package struct ChargeList {
  /// Aggregates that are rated at once; more are refused. Statements have no such limit.
  package static let aggregatesMax = 250_000
  private static let rowsPerRead = 10_000

  package enum Problem: Error, Equatable {
    case billing(BillingProblem)
    case tooMany
  }

  /// The number of the closed statement; nil for a draft.
  package let statement: String?
  /// Where the closed windows end.
  package let openWindow: Hour
  fileprivate let rater: Rater
  private let subscription: String
  fileprivate let period: BillingPeriod
  fileprivate let history: StatementHistory
  /// By meter in lower case.
  fileprivate var closed: [(meter: String, rows: [UsageAggregate])] = []
  fileprivate var open: [(meter: String, rows: [UsageAggregate])] = []

  /// - Parameters:
  ///   - openWindow: What was closed when the walk began; nil for one that begins.
  ///   - rows: What was read of some subscriptions before, this one perhaps among them.
  package init(
    _ cards: RateCards, subscription: Subscription, period: BillingPeriod,
    _ reader: any UsageReader, openWindow: Hour?, closedOnly: Bool,
    rows: ChargeRows? = nil, aggregatesMax: Int = ChargeList.aggregatesMax
  ) throws(Problem) {
    guard !cards.book.indices(in: period).isEmpty else {
      throw .billing(.noCard(name: cards.book.name, period: period))
    }
    let id = subscription.id
    do throws(StoreError) {
      let found = try reader.snapshot {
        (reader) throws(StoreError) -> (StatementHistory, StoredStatement?) in
        let statement = try reader.statements(
          StatementFilter(subscriptions: [id], period: period.start), after: nil, limit: 1
        ).first
        return (
          try StatementHistory(
            reader, id, cards, period, until: statement?.windows.upperBound,
            openWindow: openWindow),
          statement
        )
      }
      (history, statement) = (found.0, found.1?.number)
    } catch { throw .billing(.store(error)) }
    self.openWindow = min(openWindow ?? history.openWindow, history.openWindow)
    self.subscription = id
    self.period = period
    rater = Rater(cards.book, subscriptions: [subscription])
    try read(reader, rows, closedOnly: closedOnly, aggregatesMax)
  }

  private mutating func read(
    _ reader: any UsageReader, _ known: ChargeRows?, closedOnly: Bool, _ aggregatesMax: Int
  ) throws(Problem) {
    var first = history.ownWindows.lowerBound
    if !history.lateWindows.isEmpty { first = min(first, history.lateWindows.lowerBound) }
    let end = closedOnly ? openWindow : history.ownWindows.upperBound
    guard first < end else { return }
    var groups = Groups()
    if let known = known?.rows(of: subscription, first..<end) {
      for row in known where row.window < end && isAsked(row) {
        groups.add(row, isOpen: row.window >= openWindow)
      }
      guard groups.count <= aggregatesMax else { throw .tooMany }
    } else {
      try read(first..<end, reader, aggregatesMax, &groups)
    }
    let sorted = groups.sorted()
    closed = sorted.map { ($0.meter, $0.closed) }
    open = sorted.filter { !$0.open.isEmpty }.map { ($0.meter, $0.open) }
  }

  private func read(
    _ windows: Range<Hour>, _ reader: any UsageReader, _ aggregatesMax: Int, _ groups: inout Groups
  ) throws(Problem) {
    let filter = UsageFilter(subscriptions: [subscription], meters: nil)
    var cursor: UsageCursor?
    repeat {
      let page: (aggregates: [UsageAggregate], next: UsageCursor?)
      do throws(StoreError) {
        page = try reader.aggregates(
          windows: windows, granularity: .hourly, filter: filter, after: cursor,
          limit: ChargeList.rowsPerRead)
      } catch { throw .billing(.store(error)) }
      for row in page.aggregates where isAsked(row) {
        groups.add(row, isOpen: row.window >= openWindow)
        guard groups.count <= aggregatesMax else { throw .tooMany }
      }
      cursor = page.next
    } while cursor != nil
  }

  /// Rows by their meters.
  private struct Groups {
    private(set) var count = 0
    private var places: [ExactText: Int] = [:]
    private var placesOfSeries: [Series: Int] = [:]
    private var groups: [(meter: String, closed: [UsageAggregate], open: [UsageAggregate])] = []

    mutating func add(_ row: UsageAggregate, isOpen: Bool) {
      count += 1
      let place = place(of: row.series)
      if isOpen {
        var provisional = row
        provisional.isProvisional = true
        groups[place].open.append(provisional)
      } else {
        groups[place].closed.append(row)
      }
    }

    private mutating func place(of series: Series) -> Int {
      if let known = placesOfSeries[series] { return known }
      let meter = series.meter.asciiLowercased
      let place = places[ExactText(meter)] ?? groups.count
      if place == groups.count {
        places[ExactText(meter)] = place
        groups.append((meter, [], []))
      }
      placesOfSeries[series] = place
      return place
    }

    func sorted() -> [(meter: String, closed: [UsageAggregate], open: [UsageAggregate])] {
      groups.sorted { $0.meter.utf8.lexicographicallyPrecedes($1.meter.utf8) }
    }
  }

  /// Usage of the period, or late usage of one that was closed before.
  private func isAsked(_ row: UsageAggregate) -> Bool {
    let hour = row.usageStart.hour
    return (period.hours.contains(hour) && history.ownWindows.contains(row.window))
      || (history.lateHours.contains(hour) && history.lateWindows.contains(row.window))
  }

  /// Tells of every charge, in their order; those of the open window are marked.
  package func visit(_ body: (_ charge: Charge, _ isOpen: Bool) -> Void) throws(Problem) {
    var stream = stream()
    while try stream.next(body) {}
  }

  /// The charges in their order, to be read in steps.
  package func stream() -> ChargeStream { ChargeStream(self) }

  /// What earlier statements have rated of a meter.
  fileprivate func carried(_ meter: String) -> RatingState {
    var state = RatingState()
    for (key, carried) in history.rated.meters where key.meter.hasSameBytes(as: meter) {
      state[key] = carried
    }
    return state
  }
}

/// The charges of a list, rated as they are asked for: whoever rests goes on where it was.
package struct ChargeStream {
  private let list: ChargeList
  /// How many groups were begun: those of closed windows, then those of the open one.
  private var begun = 0
  private var current: (meter: String, isOpen: Bool, rows: RatedRows)?
  private var states: [ExactText: RatingState] = [:]

  fileprivate init(_ list: ChargeList) {
    self.list = list
  }

  /// Rates a little more, and tells of the charges of that, which may be none; false where nothing is left.
  package mutating func next(
    _ body: (_ charge: Charge, _ isOpen: Bool) -> Void
  ) throws(ChargeList.Problem) -> Bool {
    if let isOpen = current?.isOpen {
      do throws(RatingError) {
        if try current?.rows.next({ body($0, isOpen) }) == true { return true }
      } catch { throw .billing(.rating(error)) }
      if let current { states[ExactText(current.meter)] = current.rows.carried }
      current = nil
    }
    let isOpen = begun >= list.closed.count
    let groups = isOpen ? list.open[...] : list.closed[...]
    let index = isOpen ? begun - list.closed.count : begun
    guard index < groups.count else { return false }
    begun += 1
    let (meter, rows) = groups[index]
    current = (
      meter, isOpen,
      RatedRows(
        list.rater, rows, carried: states[ExactText(meter)] ?? list.carried(meter),
        settled: list.history.isEnded ? list.period : list.history.last, closed: list.history.last)
    )
    return true
  }
}
