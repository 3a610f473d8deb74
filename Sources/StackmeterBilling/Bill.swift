package import StackmeterCore
package import StackmeterRating
package import StackmeterStore

/// The statement of one subscription for one billing period, closed or a draft; and, where they are asked for, the
/// charges that its lines sum up.
package struct Bill {
  package let statement: Statement
  private let cards: RateCards
  private let subscription: Subscription
  private let openWindow: Hour?

  /// Reads the closed statement as it was closed, or makes the draft. Nil where nothing is on it.
  ///
  /// A draft is without what the open window has: only so do statement and charges tie, which are not read in one
  /// snapshot.
  ///
  /// - Parameter openWindow: What was closed when a walk began; nil for now.
  package init?(
    _ cards: RateCards, subscription: Subscription, period: BillingPeriod,
    _ reader: any UsageReader, openWindow: Hour? = nil
  ) throws(BillingProblem) {
    let found: Result<Statement?, BillingProblem>
    do throws(StoreError) {
      found = try reader.snapshot {
        (reader) throws(StoreError) -> Result<Statement?, BillingProblem> in
        if let closed = try Statement.closed(of: subscription.id, period, reader) {
          return .success(closed)
        }
        do throws(BillingProblem) {
          let draft = try Biller(cards, subscription: subscription, period: period)
            .draft(reader, closedOnly: true, openWindow: openWindow)
          return .success(draft.isEmpty ? nil : draft.statement)
        } catch { return .failure(error) }
      }
    } catch { throw .store(error) }
    guard let statement = try found.get() else { return nil }
    self.init(statement, cards, subscription, openWindow: openWindow)
  }

  init(
    _ statement: Statement, _ cards: RateCards, _ subscription: Subscription, openWindow: Hour?
  ) {
    self.statement = statement
    self.cards = cards
    self.subscription = subscription
    self.openWindow = openWindow
  }

  /// - Parameter rows: What was read of some subscriptions before, this one perhaps among them.
  package func charges(
    _ reader: any UsageReader, rows: ChargeRows? = nil
  ) throws(ChargeList.Problem) -> ChargeList {
    let charges = try ChargeList(
      cards, subscription: subscription, period: statement.period, reader, openWindow: openWindow,
      closedOnly: true, rows: rows)
    guard charges.statement == statement.number else {
      // It was closed in between: whoever asks again finds it so.
      throw .billing(
        .store(
          StoreError(.interrupted, "the statement of \(subscription.id) was closed meanwhile")))
    }
    return charges
  }
}

extension Statement {
  /// A closed statement by its document; nil where the period is not closed.
  package static func closed(
    of subscription: String, _ period: BillingPeriod, _ reader: any UsageReader
  ) throws(StoreError) -> Statement? {
    let stored = try reader.statements(
      StatementFilter(subscriptions: [subscription], period: period.start), after: nil, limit: 1
    ).first
    return try stored.map { (stored) throws(StoreError) in try closed(stored, reader) } ?? nil
  }

  /// One that there is.
  static func closed(
    _ stored: StoredStatement, _ reader: any UsageReader
  ) throws(StoreError) -> Statement? {
    guard let found = try reader.statement(stored.place) else { return nil }
    do throws(StatementDocumentError) { return try Statement(parsing: found.document) } catch {
      throw StoreError(.system, "statement \(stored.number): \(error)")
    }
  }
}
