package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// Divides a cost between the subscriptions that have something on their statement of a period, by their drafts.
package struct CostSharing: Sendable {
  private let cost: SharedCost
  private let cards: RateCards
  private let period: BillingPeriod
  private let bearersMax: Int
  private var bearers: [SharedCost.Bearer] = []

  package init(
    _ cost: SharedCost, _ cards: RateCards, period: BillingPeriod,
    bearersMax: Int = BillingLimits.bearersMax
  ) {
    self.cost = cost
    self.cards = cards
    self.period = period
    self.bearersMax = bearersMax
  }

  /// The day that shares are for: the last one of the period, so that its statement takes them up.
  private var day: Day { Day(index: period.end.index - 1) }

  /// What was written down of the same cost for a subscription before.
  package func written(
    _ subscription: Subscription, _ reader: any UsageReader
  ) throws(BillingProblem) -> [Posting] {
    let texts = [cost.shareText, cost.payerText]
    do throws(StoreError) {
      return try reader.postings(of: subscription.id, usedBefore: nil).map(\.posting).filter {
        posting in
        posting.kind == .shared && posting.granted == day
          && texts.contains { $0.hasSameBytes(as: posting.reason) }
      }
    } catch { throw .store(error) }
  }

  /// Takes a subscription in, with closed windows only. In a snapshot of the reader.
  package mutating func add(
    _ subscription: Subscription, _ reader: any UsageReader
  ) throws(BillingProblem) {
    let draft = try Biller(cards, subscription: subscription, period: period)
      .draft(reader, closedOnly: true)
    guard !draft.isEmpty else { return }
    guard let total = draft.statement.total,
      let usage = try usage(draft.history, subscription.id, reader)
    else { throw .statement(.tooLarge) }
    guard bearers.count < bearersMax else { throw .tooManyBearers(max: bearersMax) }
    bearers.append(
      SharedCost.Bearer(subscription: subscription.id, total: total, usage: usage))
  }

  /// What was used in the period of the meter that the cost is shared by; adjustments of other periods do not count.
  /// Nil where the sum is too large.
  private func usage(
    _ history: StatementHistory, _ subscription: String, _ reader: any UsageReader
  ) throws(BillingProblem) -> Quantity? {
    guard let meter = cost.meter?.asciiLowercased else { return .zero }
    let windows = history.ownWindows.clamped(to: Hour.min..<history.openWindow)
    var sum = Quantity.zero
    do throws(StoreError) {
      for row in try reader.sums(of: subscription, windows, period.hours, isProvisional: false)
      where row.series.meter.asciiLowercased.hasSameBytes(as: meter) {
        guard let next = sum.adding(row.quantity) else { return nil }
        sum = next
      }
    } catch { throw .store(error) }
    return sum
  }

  /// The shares of all that were taken in, as they are written down.
  package func postings() throws(SharedCostError) -> [Posting] {
    try cost.shares(of: bearers).map { share in
      Posting(
        id: 0, kind: .shared, subscription: share.subscription, amount: share.amount.amountText,
        currency: share.amount.currency.code, reason: share.text, granted: day, expires: nil)
    }
  }
}
