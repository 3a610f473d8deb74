package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// How budgets stand by what closed windows have: of the billing period that these have reached, and of the one before,
/// whose usage may still come late.
///
/// It is a function of the closed windows, the card and the directory. So it says the same however often it is asked,
/// and in each cell of a database that several write.
package struct BudgetEvaluation: Sendable {
  private static let subscriptionsPerRead = 1_000

  /// The first days of the periods.
  package private(set) var periods: [Day] = []
  package private(set) var budgets: [StoredBudget] = []
  package private(set) var alerts: [StoredAlert] = []

  package enum Problem: Error, Equatable, CustomStringConvertible {
    case store(StoreError)
    case budget(BudgetError)
    case rating(RatingError)

    package var description: String {
      switch self {
      case .store(let error): error.message
      case .budget(let error): "\(error)"
      case .rating(let error): "\(error)"
      }
    }
  }

  /// - Parameters:
  ///   - source: Names the installation in the events of alerts.
  ///   - now: When alerts are raised that were not before.
  package init(
    _ budgets: [Budget], _ cards: RateCards, _ reader: any UsageReader, source: String, now: Instant
  ) throws(Problem) {
    let open: Hour
    let members: [Subscription]
    do throws(StoreError) {
      open = try reader.openWindow()
      members = try BudgetEvaluation.members(of: budgets, reader)
    } catch { throw .store(error) }
    let last = BillingPeriod(containing: Hour(index: open.index - 1).day)
    let earlier = BillingPeriod(containing: Day(index: last.start.index - 1))
    let rater = Rater(cards.book, subscriptions: members)
    for period in [earlier, last] where !cards.book.indices(in: period).isEmpty {
      var ledger: BudgetLedger
      do throws(BudgetError) { ledger = try BudgetLedger(budgets, rater) } catch {
        throw .budget(error)
      }
      var rest = members[...]
      while !rest.isEmpty {
        let some = rest.prefix(BillingLimits.draftsAtOnce)
        rest = rest.dropFirst(some.count)
        try BudgetEvaluation.count(some, period, rater, reader, open, &ledger)
      }
      do throws(BudgetError) {
        for state in try ledger.states(of: period, closedBefore: open) { take(state, source, now) }
      } catch { throw .budget(error) }
      periods.append(period.start)
    }
  }

  /// Those that some budget counts.
  private static func members(
    of budgets: [Budget], _ reader: any UsageReader
  ) throws(StoreError) -> [Subscription] {
    var members: [Subscription] = []
    var after = ""
    while true {
      let page = try reader.subscriptions(ids: nil, after: after, limit: subscriptionsPerRead)
      members += page.filter { subscription in budgets.contains { $0.contains(subscription) } }
      guard page.count == subscriptionsPerRead, let last = page.last else { return members }
      after = last.id
    }
  }

  private static func count(
    _ members: ArraySlice<Subscription>, _ period: BillingPeriod, _ rater: Rater,
    _ reader: any UsageReader, _ open: Hour, _ ledger: inout BudgetLedger
  ) throws(Problem) {
    let first = period.firstWindow
    let usage: [[UsageAggregate]]
    do throws(StoreError) {
      usage = try reader.snapshot { (reader) throws(StoreError) in
        try reader.sums(
          of: members.map(\.id), first..<max(first, open), period.hours, isProvisional: false)
      }
    } catch { throw .store(error) }
    var failure: BudgetError?
    for used in usage {
      var state = RatingState()
      do throws(RatingError) {
        try rater.rate(
          used, carried: &state, settled: open >= period.end.firstHour ? period : nil, closed: nil
        ) { charge in
          guard failure == nil else { return }
          do throws(BudgetError) { try ledger.add(charge) } catch { failure = error }
        }
      } catch { throw .rating(error) }
    }
    if let failure { throw .budget(failure) }
  }

  private mutating func take(_ state: BudgetState, _ source: String, _ now: Instant) {
    let budget = state.budget
    budgets.append(
      StoredBudget(
        name: budget.name, period: state.period.start, closedBefore: state.closedBefore,
        subscription: budget.scope == .subscription ? budget.member.asciiLowercased : "",
        document: state.document))
    alerts += state.alerts.map {
      StoredAlert(
        id: $0.id, budget: budget.name, period: state.period.start,
        event: $0.cloudEvent(source: source), raised: now)
    }
  }
}
