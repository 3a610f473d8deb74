package import CStackmeterProto
package import StackmeterCore

/// `Billing.CloseStatements`.
package struct CloseStatementsRequest: WireMessage, Hashable {
  /// `2026-11`.
  package var period: String
  /// In lower case; empty for all.
  package var subscriptions: [String]
  package var acceptsUnrated: Bool
  package var isDryRun: Bool
  /// Subscriptions after this one.
  package var after: String
  package var acceptsEstimated: Bool

  package init(
    period: String, subscriptions: [String] = [], acceptsUnrated: Bool = false,
    isDryRun: Bool = false, after: String = "", acceptsEstimated: Bool = false
  ) {
    self.period = period
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.acceptsUnrated = acceptsUnrated
    self.isDryRun = isDryRun
    self.after = after
    self.acceptsEstimated = acceptsEstimated
  }

  package init(wire raw: borrowing Stackmeter__V1__CloseStatementsRequest) throws(WireError) {
    self.init(
      period: text(raw.period),
      subscriptions: try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions"),
      acceptsUnrated: raw.accept_unrated != 0, isDryRun: raw.dry_run != 0, after: text(raw.after),
      acceptsEstimated: raw.accept_estimated != 0)
  }

  package func fill(
    _ raw: inout Stackmeter__V1__CloseStatementsRequest, _ packer: borrowing Packer
  ) {
    raw.period = packer.arena.text(period)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.accept_unrated = acceptsUnrated ? 1 : 0
    raw.dry_run = isDryRun ? 1 : 0
    raw.after = packer.arena.text(after)
    raw.accept_estimated = acceptsEstimated ? 1 : 0
  }
}

/// What was closed, and what not.
package struct CloseStatementsResponse: WireMessage, Hashable {
  package struct Refusal: Hashable, Sendable {
    package var subscription: String
    package var reason: String

    package init(subscription: String, reason: String) {
      self.subscription = subscription
      self.reason = reason
    }
  }

  package var closed: [StatementEntry] = []
  package var refused: [Refusal] = []
  /// Closed before.
  package var known: UInt32 = 0
  /// With nothing on their statement.
  package var empty: UInt32 = 0
  /// Empty where nothing is left.
  package var nextAfter = ""

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__CloseStatementsResponse) throws(WireError) {
    closed = try elements(raw.closed, raw.n_closed) { (raw) throws(WireError) in
      try StatementEntry(raw)
    }
    refused = try elements(raw.refused, raw.n_refused) { (raw) throws(WireError) in
      Refusal(subscription: text(raw.subscription), reason: text(raw.reason))
    }
    known = raw.known
    empty = raw.empty
    nextAfter = text(raw.next_after)
  }

  package func fill(
    _ raw: inout Stackmeter__V1__CloseStatementsResponse, _ packer: borrowing Packer
  ) {
    raw.n_closed = closed.count
    raw.closed = packer.arena.messages(closed) {
      (entry, raw: inout Stackmeter__V1__StatementEntry) in entry.fill(&raw, packer.arena)
    }
    raw.n_refused = refused.count
    raw.refused = packer.arena.messages(refused) {
      (refusal, raw: inout Stackmeter__V1__StatementRefusal) in
      raw.subscription = packer.arena.text(refusal.subscription)
      raw.reason = packer.arena.text(refusal.reason)
    }
    raw.known = known
    raw.empty = empty
    raw.next_after = packer.arena.text(nextAfter)
  }
}

/// `Billing.WritePosting`: a credit or an adjustment.
package struct WritePostingRequest: WireMessage, Hashable {
  package var kind: String
  /// In lower case.
  package var subscription: String
  package var amount: String
  package var reason: String
  package var granted: Day
  /// Nil for never.
  package var expires: Day?

  package init(
    kind: String, subscription: String, amount: String, reason: String, granted: Day,
    expires: Day? = nil
  ) {
    self.kind = kind
    self.subscription = subscription.asciiLowercased
    self.amount = amount
    self.reason = reason
    self.granted = granted
    self.expires = expires
  }

  package init(wire raw: borrowing Stackmeter__V1__WritePostingRequest) throws(WireError) {
    self.init(
      kind: text(raw.kind), subscription: text(raw.subscription), amount: text(raw.amount),
      reason: text(raw.reason), granted: try day(raw.granted_day, "granted_day"),
      expires: raw.expires_day == 0 ? nil : try day(raw.expires_day, "expires_day"))
  }

  package func fill(_ raw: inout Stackmeter__V1__WritePostingRequest, _ packer: borrowing Packer) {
    raw.kind = packer.arena.text(kind)
    raw.subscription = packer.arena.text(subscription)
    raw.amount = packer.arena.text(amount)
    raw.reason = packer.arena.text(reason)
    raw.granted_day = granted.index
    raw.expires_day = expires?.index ?? 0
  }
}

/// The number that it was written down under.
package struct WritePostingResponse: WireMessage, Hashable {
  package var id: Int64
  package var currency: String

  package init(id: Int64, currency: String) {
    self.id = id
    self.currency = currency
  }

  package init(wire raw: borrowing Stackmeter__V1__WritePostingResponse) {
    id = raw.id
    currency = text(raw.currency)
  }

  package func fill(_ raw: inout Stackmeter__V1__WritePostingResponse, _ packer: borrowing Packer) {
    raw.id = id
    raw.currency = packer.arena.text(currency)
  }
}

/// A day from outside.
private func day(_ index: Int64, _ field: String) throws(WireError) -> Day {
  let days: ClosedRange<Int64> = 0...2_932_896
  guard days.contains(index) else {
    throw .invalidField(
      field: field, problem: "is \(index); days since 1970 from 0 to \(days.upperBound) are taken")
  }
  return Day(index: index)
}
