import StackmeterCore

@testable import StackmeterRating

/// What a script speaks to: something that rates usage and makes statements, in this process or behind sockets.
protocol RatingSystem: Sendable {
  /// Adds a version of the card; throws `RateCardError` where it is wrong.
  mutating func add(card: String) async throws
  /// Says who a subscription is, from now on.
  mutating func describe(_ subscription: Subscription) async throws
  mutating func use(_ usage: ScriptUsage) async throws
  mutating func grant(_ credit: Credit, to subscription: String) async throws
  mutating func adjust(_ subscription: String, by amount: String, reason: String) async throws
  mutating func share(
    _ description: String, _ amount: String, by key: SharedCost.Key, payer: String?)
    async throws
  /// Makes and closes the statements of a period.
  mutating func close(_ period: BillingPeriod) async throws
  /// The text of a statement: a draft of what is known so far where the period is not closed.
  mutating func statement(of subscription: String, _ period: BillingPeriod) async throws -> [String]
  /// The charges of a closed statement, as lines.
  mutating func charges(of subscription: String, _ period: BillingPeriod) async throws -> [String]
  /// What the closed statements of a period come to together, as lines.
  mutating func totals(of period: BillingPeriod, by grouping: StatementGrouping) async throws
    -> [String]
  /// The currency of amounts.
  var currency: Currency { get async throws }
}

/// So much used in an hour.
struct ScriptUsage {
  let hour: Hour
  let subscription: String
  let meter: String
  let quantity: Quantity
  let location: String
  let resource: String
}

/// Where a script is wrong, or the system is.
struct ScriptFailure: Error, CustomStringConvertible {
  let line: Int
  let message: String

  var description: String { "line \(line): \(message)" }
}
