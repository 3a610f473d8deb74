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
  private let rater: Rater
  private let subscription: String
  private let period: BillingPeriod
  private let history: StatementHistory
  /// By meter in lower case.
  private var closed: [(meter: String, rows: [UsageAggregate])] = []
  private var open: [(meter: String, rows: [UsageAggregate])] = []

  /// - Parameter openWindow: What was closed when the walk began; nil for one that begins.
  package init(
    _ cards: RateCards, subscription: Subscription, period: BillingPeriod,
    _ reader: any UsageReader, openWindow: Hour?, closedOnly: Bool,
    aggregatesMax: Int = ChargeList.aggregatesMax
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
    try read(reader, closedOnly: closedOnly, aggregatesMax)
  }

  private mutating func read(_ reader: any UsageReader, closedOnly: Bool, _ aggregatesMax: Int)
    throws(Problem)
  {
    var first = history.ownWindows.lowerBound
    if !history.lateWindows.isEmpty { first = min(first, history.lateWindows.lowerBound) }
    let end = closedOnly ? openWindow : history.ownWindows.upperBound
    guard first < end else { return }
    let filter = UsageFilter(subscriptions: [subscription], meters: nil)
    var places: [ExactText: Int] = [:]
    var groups: [(meter: String, closed: [UsageAggregate], open: [UsageAggregate])] = []
    var count = 0
    var cursor: UsageCursor?
    repeat {
      let page: (aggregates: [UsageAggregate], next: UsageCursor?)
      do throws(StoreError) {
        page = try reader.aggregates(
          windows: first..<end, granularity: .hourly, filter: filter, after: cursor,
          limit: ChargeList.rowsPerRead)
      } catch { throw .billing(.store(error)) }
      for row in page.aggregates where isAsked(row) {
        count += 1
        guard count <= aggregatesMax else { throw .tooMany }
        let meter = row.series.meter.asciiLowercased
        let place = places[ExactText(meter)] ?? groups.count
        if place == groups.count {
          places[ExactText(meter)] = place
          groups.append((meter, [], []))
        }
        if row.window < openWindow {
          groups[place].closed.append(row)
        } else {
          var provisional = row
          provisional.isProvisional = true
          groups[place].open.append(provisional)
        }
      }
      cursor = page.next
    } while cursor != nil
    groups.sort { $0.meter.utf8.lexicographicallyPrecedes($1.meter.utf8) }
    closed = groups.map { ($0.meter, $0.closed) }
    open = groups.filter { !$0.open.isEmpty }.map { ($0.meter, $0.open) }
  }

  /// Usage of the period, or late usage of one that was closed before.
  private func isAsked(_ row: UsageAggregate) -> Bool {
    let hour = row.usageStart.hour
    return (period.hours.contains(hour) && history.ownWindows.contains(row.window))
      || (history.lateHours.contains(hour) && history.lateWindows.contains(row.window))
  }

  /// Tells of every charge, in their order; those of the open window are marked.
  package func visit(_ body: (_ charge: Charge, _ isOpen: Bool) -> Void) throws(Problem) {
    var states: [ExactText: RatingState] = [:]
    for (groups, isOpen) in [(closed, false), (open, true)] {
      for (meter, rows) in groups {
        var state = states[ExactText(meter)] ?? carried(meter)
        do throws(RatingError) {
          try rater.rate(
            rows, carried: &state, settled: history.isEnded ? period : history.last,
            closed: history.last
          ) { body($0, isOpen) }
        } catch { throw .billing(.rating(error)) }
        states[ExactText(meter)] = state
      }
    }
  }

  /// What earlier statements have rated of a meter.
  private func carried(_ meter: String) -> RatingState {
    var state = RatingState()
    for (key, carried) in history.rated.meters where key.meter.hasSameBytes(as: meter) {
      state[key] = carried
    }
    return state
  }
}
