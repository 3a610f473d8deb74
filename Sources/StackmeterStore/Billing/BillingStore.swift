package import StackmeterCore

/// The writing half of rate cards and statements. Each call is a transaction of its own: all of it is there, or
/// nothing. What is written stays as it is.
package protocol BillingStore: BudgetStore {
  /// Adds a version. Its number and its day are behind those of all others of the name, and its day is in no period
  /// that a statement was closed for; else the database refuses it.
  func put(rateCard: StoredRateCard, text: [UInt8]) throws(StoreError)

  /// The last number that a statement of a year has; 0 where there is none.
  func lastStatement(of year: Int64) throws(StoreError) -> Int64

  /// Adds statements. Their numbers go on without a gap, each covers closed windows from where the last one of the
  /// subscription has ended, and none is of a period before that one's; else the database refuses all of them.
  func put(statements: [NewStatement]) throws(StoreError)

  /// Writes amounts down, each under its number, or under the next one where that is 0; which ones they have.
  func put(postings: [Posting]) throws(StoreError) -> [Int64]
}

/// The reading half of rate cards and statements.
package protocol BillingReader: BudgetReader {
  /// The versions of a card, or of all, by name and version.
  func rateCards(named name: String?) throws(StoreError) -> [StoredRateCard]

  /// The text of a version, byte by byte as it was loaded; nil where there is no such version.
  func rateCardText(_ name: String, _ version: Int64) throws(StoreError) -> [UInt8]?

  /// At most `limit` closed statements after one, by year and number.
  func statements(
    _ filter: StatementFilter, after place: StatementPlace?, limit: Int
  ) throws(StoreError) -> [StoredStatement]

  /// A closed statement and its document, byte by byte.
  func statement(
    _ place: StatementPlace
  ) throws(StoreError) -> (statement: StoredStatement, document: [UInt8])?

  /// The last closed statement of a subscription, of a period before one; nil where there is none.
  func lastStatement(
    of subscription: String, before period: Day
  ) throws(StoreError) -> StoredStatement?

  /// The first day behind all periods that statements by a card were closed for; nil where there is none.
  func closedUntil(card: String) throws(StoreError) -> Day?

  /// What the statements of a subscription of periods before one have rated: the last state of each period and meter,
  /// by period and meter.
  func ratedStates(
    of subscription: String, before period: Day
  ) throws(StoreError) -> [RatedState]

  /// What one statement has left.
  func ratedStates(
    of subscription: String, ofStatementOf period: Day
  ) throws(StoreError) -> [RatedState]

  /// What was written down for a subscription, with what statements of periods before one have used of each, oldest
  /// first.
  func postings(
    of subscription: String?, usedBefore period: Day?
  ) throws(StoreError) -> [(posting: Posting, used: [PostingUse])]

  /// What a statement has used of postings.
  func uses(_ place: StatementPlace) throws(StoreError) -> [PostingUse]

  /// Exact sums of what each of some subscriptions used in some usage hours, as some reporting windows have it: by
  /// meter, location and day. In a snapshot, as all of them must be of one instant. Throws `removed` where some of the
  /// windows may no longer be kept.
  ///
  /// Windows are read one after the other, each for all of the subscriptions: many of them together cost little more
  /// than few.
  func locatedUsage(
    of subscriptions: [String], windows: Range<Hour>, hours: Range<Hour>
  ) throws(StoreError) -> [[LocatedUsage]]
}

extension BillingReader {
  /// The same of one.
  package func locatedUsage(
    of subscription: String, windows: Range<Hour>, hours: Range<Hour>
  ) throws(StoreError) -> [LocatedUsage] {
    try locatedUsage(of: [subscription], windows: windows, hours: hours)[0]
  }
}

/// The limits of what is stored for bills.
package enum BillingLimits {
  /// The bytes of a statement's document.
  package static let documentBytesMax = 4 << 20
  /// Subscriptions whose usage is summed up together.
  package static let draftsAtOnce = 1_000
  /// Statements that one transaction writes.
  package static let statementsAtOnce = 100
  /// What is written down for one subscription.
  package static let postingsMax = 10_000
  package static let reasonBytesMax = 256
  /// Subscriptions that bear one cost together: what one answer can name.
  package static let bearersMax = 10_000
}
