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

  /// What was written down of the same cost for some subscriptions before.
  package func written(
    _ subscriptions: [Subscription], _ reader: any UsageReader
  ) throws(BillingProblem) -> [Posting] {
    let texts = [cost.shareText, cost.payerText]
    var written: [Posting] = []
    do throws(StoreError) {
      for subscription in subscriptions {
        written += try reader.postings(of: subscription.id, usedBefore: nil).map(\.posting).filter {
          posting in
          posting.kind == .shared && posting.granted == day
            && texts.contains { $0.hasSameBytes(as: posting.reason) }
        }
      }
    } catch { throw .store(error) }
    return written
  }

  /// Takes subscriptions in, with closed windows only. In a snapshot of the reader.
  package mutating func add(
    _ subscriptions: [Subscription], _ reader: any UsageReader
  ) throws(BillingProblem) {
    let biller = try Biller(cards, subscriptions: subscriptions, period: period)
    let drafts: [Result<StatementDraft, BillingProblem>]
    do throws(StoreError) { drafts = try biller.drafts(reader, closedOnly: true) } catch {
      throw .store(error)
    }
    for draft in drafts {
      let draft = try draft.get()
      if !draft.isEmpty { try add(draft.statement) }
    }
  }

  private mutating func add(_ statement: Statement) throws(BillingProblem) {
    var usage: Quantity? = .zero
    if let meter = cost.meter?.asciiLowercased { usage = statement.periodUsage[meter] ?? .zero }
    guard let total = statement.total, let usage else { throw .statement(.tooLarge) }
    guard bearers.count < bearersMax else { throw .tooManyBearers(max: bearersMax) }
    bearers.append(
      SharedCost.Bearer(subscription: statement.subscription.id, total: total, usage: usage))
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
