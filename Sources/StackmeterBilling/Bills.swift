package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// The bills of some subscriptions for one billing period, one after the other. What is cheaper to read for all of them
/// is read together.
package struct Bills {
  private let cards: RateCards
  private let period: BillingPeriod
  private let openWindow: Hour
  private let subscriptions: [Subscription]
  /// By subscription.
  private var closed: [ExactText: StoredStatement] = [:]
  /// Of those that are not closed, where they could be made together.
  private var drafts: [ExactText: Result<StatementDraft, BillingProblem>] = [:]

  /// - Parameter openWindow: What was closed when the walk began.
  package init(
    _ cards: RateCards, of subscriptions: [Subscription], period: BillingPeriod,
    _ reader: any UsageReader, openWindow: Hour
  ) throws(BillingProblem) {
    self.cards = cards
    self.period = period
    self.openWindow = openWindow
    self.subscriptions = subscriptions
    do throws(StoreError) {
      try reader.snapshot { (reader) throws(StoreError) in try read(reader) }
    } catch { throw .store(error) }
  }

  private mutating func read(_ reader: any UsageReader) throws(StoreError) {
    let found = try reader.statements(
      StatementFilter(subscriptions: subscriptions.map(\.id), period: period.start), after: nil,
      limit: subscriptions.count)
    for stored in found { closed[ExactText(stored.subscription)] = stored }
    let open = subscriptions.filter { closed[ExactText($0.id)] == nil }
    let biller: Biller
    do throws(BillingProblem) {
      biller = try Biller(cards, subscriptions: open, period: period)
    } catch { return }
    let made: [Result<StatementDraft, BillingProblem>]
    do throws(StoreError) {
      made = try biller.drafts(reader, closedOnly: true, openWindow: openWindow)
    } catch {
      // One of them may be to blame: that one says so where it is asked for by itself.
      guard error.kind == .removed || error.kind == .overflow else { throw error }
      return
    }
    for (subscription, draft) in zip(open, made) { drafts[ExactText(subscription.id)] = draft }
  }

  /// The bill of one of the subscriptions; nil where nothing is on it.
  package func bill(
    of subscription: Subscription, _ reader: any UsageReader
  ) throws(BillingProblem) -> Bill? {
    let id = ExactText(subscription.id)
    if let stored = closed[id] {
      do throws(StoreError) {
        guard let statement = try Statement.closed(stored, reader) else { return nil }
        return Bill(statement, cards, subscription, openWindow: openWindow)
      } catch { throw .store(error) }
    }
    guard let draft = try drafts[id]?.get() else {
      return try Bill(
        cards, subscription: subscription, period: period, reader, openWindow: openWindow)
    }
    return draft.isEmpty
      ? nil : Bill(draft.statement, cards, subscription, openWindow: openWindow)
  }
}

/// The aggregates of closed windows that charges of some subscriptions are made of, read together.
package struct ChargeRows: Sendable {
  package let windows: Range<Hour>
  private let rows: [ExactText: [UsageAggregate]]

  /// Nil where there are more than `limit`.
  package init?(
    of subscriptions: [String], period: BillingPeriod, openWindow: Hour, _ reader: any UsageReader,
    limit: Int
  ) throws(StoreError) {
    windows = period.firstWindow..<max(period.firstWindow, openWindow)
    guard
      let found = try reader.aggregates(of: subscriptions, windows: windows, limit: limit)
    else { return nil }
    rows = Dictionary(
      zip(subscriptions.map { ExactText($0) }, found), uniquingKeysWith: { $1 })
  }

  /// What windows have of a subscription, among others; nil where it was not read.
  func rows(of subscription: String, _ windows: Range<Hour>) -> [UsageAggregate]? {
    guard self.windows.lowerBound <= windows.lowerBound,
      windows.upperBound <= self.windows.upperBound
    else { return nil }
    return rows[ExactText(subscription)]
  }

  package func has(_ subscription: String) -> Bool { rows[ExactText(subscription)] != nil }
}
