internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore

/// The limits of questions about the statements of many subscriptions.
package struct BillsLimits: Sendable {
  /// No further subscription is begun after this time; what was found until then is answered. One always is.
  package var time: Duration = .seconds(3)
  /// A part of a FOCUS file is full when it has so many bytes; the last row may have a few thousand more.
  package var focusBytes = 3 << 20
  /// A showback that has so many bytes has no further subscription, and one that has more than may be is refused.
  package var showbackBytes = 1 << 20
  package var showbackBytesMax = 3 << 20
  /// Statements that one reconciliation has at most.
  package var reconciledMax = 500
  /// Subscriptions whose bills are looked up together.
  static let subscriptionsAtOnce = 64
  /// The most whose usage is read together, and the most rows of it that are held.
  static let rowsOfSubscriptionsMax = 1_000
  static let rowsMax = 100_000

  package init() {}
}

/// Walks through the subscriptions that a caller may see, statement by statement.
struct BillWalk {
  let cards: RateCards
  let period: BillingPeriod
  let scope: UsageFilter
  /// What was closed when the walk began.
  let openWindow: Hour
  private let end: ContinuousClock.Instant
  private let rows: ChargeRowsMemory
  private var isBegun = false
  private var waiting: ArraySlice<Subscription> = []
  private var bills: Bills?
  /// The subscriptions up to this one are behind the walk.
  private(set) var after: String

  init(
    _ cards: RateCards, _ period: BillingPeriod, _ scope: UsageFilter, openWindow: Hour,
    after: String, time: Duration, rows: ChargeRowsMemory
  ) {
    end = .now + time
    self.cards = cards
    self.period = period
    self.scope = scope
    self.openWindow = openWindow
    self.after = after
    self.rows = rows
  }

  /// No further subscription is begun. Never before the first one, so that whoever goes on gets further.
  var isLate: Bool { isBegun && ContinuousClock.now >= end }

  /// The next subscription that has a statement or a draft which the caller may see all of, with its bill; nil where
  /// there is none. Subscriptions on the way that have none are passed; where that takes too long, `isLate` says so.
  mutating func next(
    _ reader: any UsageReader
  ) throws(ChargeList.Problem) -> Bill? {
    while !isLate {
      do throws(BillingProblem) { try look(reader) } catch { throw .billing(error) }
      guard let subscription = waiting.popFirst() else { return nil }
      after = subscription.id
      isBegun = true
      if let bill = try bill(subscription, reader) { return bill }
    }
    return nil
  }

  /// Looks the next subscriptions up, where none is left.
  private mutating func look(_ reader: any UsageReader) throws(BillingProblem) {
    guard waiting.isEmpty else { return }
    do throws(StoreError) {
      waiting = try reader.subscriptions(
        ids: scope.subscriptions, after: after, limit: BillsLimits.subscriptionsAtOnce)[...]
    } catch { throw .store(error) }
    guard !waiting.isEmpty else { return }
    bills = try Bills(
      cards, of: Array(waiting), period: period, reader, openWindow: openWindow)
  }

  /// The bill of one subscription; nil where there is none, or the caller may not see all of it.
  func bill(
    _ subscription: Subscription, _ reader: any UsageReader
  ) throws(ChargeList.Problem) -> Bill? {
    do throws(StoreError) {
      if let tenancies = scope.tenancies {
        let hours: [Range<Hour>]? = tenancies.filter {
          $0.subscription.hasSameBytes(as: subscription.id)
        }.map(\.hours)
        let first = try Rating.firstHour(of: subscription.id, period, reader)
        guard hours.covers(first..<period.hours.upperBound) else { return nil }
      }
    } catch { throw .billing(.store(error)) }
    do throws(BillingProblem) {
      if let bills { return try bills.bill(of: subscription, reader) }
      return try Bill(
        cards, subscription: subscription, period: period, reader, openWindow: openWindow)
    } catch { throw .billing(error) }
  }

  /// The charges of a bill of this walk. Usage of those that come next is read with it.
  func charges(
    of bill: Bill, _ reader: any UsageReader
  ) throws(ChargeList.Problem) -> ChargeList {
    let id = bill.statement.subscription.id
    let known: ChargeRows?
    do throws(StoreError) {
      known = try rows.rows(of: id, period, openWindow) { (count) throws(StoreError) in
        guard count > 1 else { return [id] }
        let next = try reader.subscriptions(ids: scope.subscriptions, after: id, limit: count - 1)
        return [id] + next.map(\.id)
      } _: { (subscriptions) throws(StoreError) in
        try ChargeRows(
          of: subscriptions, period: period, openWindow: openWindow, reader,
          limit: BillsLimits.rowsMax)
      }
    } catch { throw .billing(.store(error)) }
    return try bill.charges(reader, rows: known)
  }
}

extension Rating {
  /// Answers a question about the statements of many subscriptions.
  func bills<Answer: Sendable>(
    _ period: BillingPeriod, _ scope: UsageFilter, openWindow: Hour? = nil, after: String,
    _ body: @escaping @Sendable (inout BillWalk, any UsageReader) throws(BillsProblem) -> Answer
  ) async throws(QueryError) -> Answer {
    let answer = try await query.readers.read {
      [self] (reader) throws(StoreError) -> Result<Answer, BillsProblem> in
      guard let cards = try rateCards(reader) else {
        return .failure(.list("", .billing(.noCard(name: card, period: period))))
      }
      let open = try reader.openWindow()
      var walk = BillWalk(
        cards, period, scope, openWindow: openWindow ?? open, after: after, time: limits.time,
        rows: chargeRows)
      do throws(BillsProblem) { return .success(try body(&walk, reader)) } catch {
        if case .list(_, .billing(.store(let error))) = error { throw error }
        return .failure(error)
      }
    }
    switch answer {
    case .success(let answer): return answer
    case .failure(let problem): throw problem.queryError
    }
  }
}

/// Why a question about many statements has no answer.
enum BillsProblem: Error {
  /// The charges of a subscription.
  case list(String, ChargeList.Problem)
  case focus(FocusError)
  /// An amount does not fit, or is of another currency.
  case sum(String)

  var queryError: QueryError {
    switch self {
    case .list(let subscription, .tooMany):
      .tooWide(
        "the period has more than \(ChargeList.aggregatesMax) aggregates of subscription \(subscription); "
          + "its statement has the sums")
    case .list(_, .billing(let problem)): QueryError(problem)
    case .focus(let error): .tooWide("\(error)")
    case .sum(let problem): .tooWide(problem)
    }
  }
}
