package import StackmeterCore

/// A closed statement, without its document.
package struct StoredStatement: Hashable, Sendable {
  /// The year of its period, and its place in the sequence of that year, from 1.
  package let year: Int64
  package let sequence: Int64
  /// Both, as people write them: `2026-000001`.
  package let number: String
  /// In lower case.
  package let subscription: String
  /// The days of its billing period.
  package let period: Range<Day>
  /// The reporting windows that it covers; later ones are of later statements.
  package let windows: Range<Hour>
  /// The name of the rate card.
  package let card: String
  package let currency: String
  /// A decimal with the digits of the currency.
  package let total: String
  /// SHA-256 of the document.
  package let hash: [UInt8]

  package init(
    year: Int64, sequence: Int64, number: String, subscription: String, period: Range<Day>,
    windows: Range<Hour>, card: String, currency: String, total: String, hash: [UInt8]
  ) {
    self.year = year
    self.sequence = sequence
    self.number = number
    self.subscription = subscription
    self.period = period
    self.windows = windows
    self.card = card
    self.currency = currency
    self.total = total
    self.hash = hash
  }

  package var place: StatementPlace { StatementPlace(year: year, sequence: sequence) }
}

/// Where a statement stands among all: lists go by it.
package struct StatementPlace: Hashable, Sendable {
  package let year: Int64
  package let sequence: Int64

  package init(year: Int64, sequence: Int64) {
    self.year = year
    self.sequence = sequence
  }
}

/// A statement to be written, with all that goes with it.
package struct NewStatement: Hashable, Sendable {
  package let statement: StoredStatement
  package let document: [UInt8]
  /// What later statements of the subscription go on with.
  package let states: [RatedState]
  package let uses: [PostingUse]

  package init(
    _ statement: StoredStatement, document: [UInt8], states: [RatedState], uses: [PostingUse] = []
  ) {
    self.statement = statement
    self.document = document
    self.states = states
    self.uses = uses
  }
}

/// What was rated of one meter of a subscription in one billing period, or of its commitment, up to a statement.
package struct RatedState: Hashable, Sendable {
  /// The first day of the period.
  package let period: Day
  /// In lower case; empty for the commitment.
  package let meter: String
  /// As `StackmeterRating` writes it.
  package let state: String

  package init(period: Day, meter: String, state: String) {
    self.period = period
    self.meter = meter
    self.state = state
  }
}

/// An amount that an operator has written down for a subscription, to stand on its next statement.
package struct Posting: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    /// Used up by as many statements as it takes.
    case credit
    /// Charged, or given back, by one statement.
    case adjustment
    /// A share of a cost that several bear, charged by one statement.
    case shared
  }

  package let id: Int64
  package let kind: Kind
  package let subscription: String
  package let amount: String
  package let currency: String
  /// What the statement says.
  package let reason: String
  /// The first day that it may be used on.
  package let granted: Day
  /// The first day on which a credit is worth nothing; nil for never.
  package let expires: Day?

  package init(
    id: Int64, kind: Kind, subscription: String, amount: String, currency: String, reason: String,
    granted: Day, expires: Day?
  ) {
    self.id = id
    self.kind = kind
    self.subscription = subscription
    self.amount = amount
    self.currency = currency
    self.reason = reason
    self.granted = granted
    self.expires = expires
  }
}

/// How much of a posting a statement has used.
package struct PostingUse: Hashable, Sendable {
  package let posting: Int64
  package let amount: String

  package init(posting: Int64, amount: String) {
    self.posting = posting
    self.amount = amount
  }
}

/// Which statements a question is about.
package struct StatementFilter: Hashable, Sendable {
  /// In lower case; nil for all.
  package var subscriptions: [String]?
  /// The first day of the period; nil for all.
  package var period: Day?

  package init(subscriptions: [String]? = nil, period: Day? = nil) {
    self.subscriptions = subscriptions
    self.period = period
  }
}

/// What was used of one meter at one place on one day, in some reporting windows.
package struct LocatedUsage: Hashable, Sendable {
  package let meter: String
  package let location: String
  package let day: Day
  package let quantity: Quantity

  package init(meter: String, location: String, day: Day, quantity: Quantity) {
    self.meter = meter
    self.location = location
    self.day = day
    self.quantity = quantity
  }
}
