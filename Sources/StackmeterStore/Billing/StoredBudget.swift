package import StackmeterCore

/// How a budget stood in a billing period when windows were closed last.
package struct StoredBudget: Hashable, Sendable {
  package let name: String
  /// The first day of the period.
  package let period: Day
  /// The hour that ends the closed windows which were counted.
  package let closedBefore: Hour
  /// Whose own budget it is, in lower case; empty for one of several.
  package let subscription: String
  /// JSON.
  package let document: [UInt8]

  package init(
    name: String, period: Day, closedBefore: Hour, subscription: String, document: [UInt8]
  ) {
    self.name = name
    self.period = period
    self.closedBefore = closedBefore
    self.subscription = subscription
    self.document = document
  }

  package var place: BudgetPlace { BudgetPlace(period: period, name: name) }
}

/// Where a budget stands among all: lists go by it.
package struct BudgetPlace: Hashable, Sendable {
  package let period: Day
  package let name: String

  package init(period: Day, name: String) {
    self.period = period
    self.name = name
  }
}

/// A threshold of a budget that was reached: written down once, and then told once.
package struct StoredAlert: Hashable, Sendable {
  package let id: String
  package let budget: String
  /// The first day of the period.
  package let period: Day
  /// The event that tells of it, byte by byte.
  package let event: [UInt8]
  package let raised: Instant
  /// How often it was tried to tell somebody.
  package var attempts: Int64 = 0
  /// When that is tried next.
  package var nextTry: Instant
  /// When somebody has taken it; nil for not yet.
  package var delivered: Instant?
  /// Why the last try has failed; empty where none has.
  package var problem = ""

  package init(id: String, budget: String, period: Day, event: [UInt8], raised: Instant) {
    self.id = id
    self.budget = budget
    self.period = period
    self.event = event
    self.raised = raised
    nextTry = raised
  }
}

/// The writing half of budgets. Each call is a transaction of its own.
package protocol BudgetStore: AnyObject {
  /// Writes how budgets stand, in the place of all that stood for these periods, and the alerts that are not there
  /// yet; how many those were. What an earlier look at closed windows says has no effect after a later one.
  func put(
    budgets: [StoredBudget], of periods: [Day], alerts: [StoredAlert]
  ) throws(StoreError) -> Int

  /// Takes alerts that are due, and puts their next try off to `lease`: whoever takes one tells of it, and nobody else
  /// meanwhile. Counts the try.
  func takeAlerts(
    due now: Instant, until lease: Instant, limit: Int
  ) throws(StoreError) -> [StoredAlert]

  /// Writes down what became of a try. What was delivered stays so.
  func note(
    alert id: String, delivered: Instant?, nextTry: Instant, problem: String
  ) throws(StoreError)
}

/// The reading half of budgets.
package protocol BudgetReader: AnyObject {
  /// At most `limit` budgets after one, the latest period first and by name in it: all, or only those of a period or
  /// those that are some subscriptions' own.
  func budgets(
    of period: Day?, ownedBy subscriptions: [String]?, after place: BudgetPlace?, limit: Int
  ) throws(StoreError) -> [StoredBudget]

  /// The alerts of a budget in a period, or all, in the order of their ids.
  func alerts(of place: BudgetPlace?) throws(StoreError) -> [StoredAlert]
}
