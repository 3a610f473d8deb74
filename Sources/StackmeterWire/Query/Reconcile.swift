package import CStackmeterProto
package import StackmeterCore

/// `Rating.Reconcile`: whether the statements of a billing period tie.
package struct ReconcileRequest: WireMessage, Hashable {
  package var caller: Caller
  /// `2026-11`.
  package var period: String
  /// In lower case; empty for all that the caller may see.
  package var subscriptions: [String]
  /// Subscriptions after this one.
  package var after: String

  package init(
    caller: Caller, period: String, subscriptions: [String] = [], after: String = ""
  ) {
    self.caller = caller
    self.period = period
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__ReconcileRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), period: text(raw.period),
      subscriptions: try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions"),
      after: text(raw.after))
  }

  package func fill(_ raw: inout Stackmeter__V1__ReconcileRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.period = packer.arena.text(period)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.after = packer.arena.text(after)
  }
}

/// A statement and what was found of it.
package struct ReconciledStatement: Hashable, Sendable {
  package struct Check: Hashable, Sendable {
    package var name: String
    package var holds: Bool
    /// Both sides.
    package var text: String

    package init(name: String, holds: Bool, text: String) {
      self.name = name
      self.holds = holds
      self.text = text
    }
  }

  package var subscription = ""
  /// Empty for a draft.
  package var number = ""
  package var total = ""
  package var currency = ""
  package var checks: [Check] = []

  package init() {}

  /// Whether all of it ties.
  package var holds: Bool { checks.allSatisfy(\.holds) }

  fileprivate init(_ raw: borrowing Stackmeter__V1__ReconciledStatement) throws(WireError) {
    subscription = text(raw.subscription)
    number = text(raw.number)
    total = text(raw.total)
    currency = text(raw.currency)
    checks = try elements(raw.checks, raw.n_checks) { (raw) throws(WireError) in
      Check(name: text(raw.name), holds: raw.holds != 0, text: text(raw.text))
    }
  }

  fileprivate func fill(_ raw: inout Stackmeter__V1__ReconciledStatement, _ arena: borrowing Arena)
  {
    raw.subscription = arena.text(subscription)
    raw.number = arena.text(number)
    raw.total = arena.text(total)
    raw.currency = arena.text(currency)
    raw.n_checks = checks.count
    raw.checks = arena.messages(checks) {
      (check, raw: inout Stackmeter__V1__ReconciliationCheck) in
      raw.name = arena.text(check.name)
      raw.holds = check.holds ? 1 : 0
      raw.text = arena.text(check.text)
    }
  }
}

/// The statements of some subscriptions, in their order.
package struct ReconcileResponse: WireMessage, Hashable {
  package var statements: [ReconciledStatement]
  /// Empty where nothing is left.
  package var nextAfter: String

  package init(statements: [ReconciledStatement], nextAfter: String = "") {
    self.statements = statements
    self.nextAfter = nextAfter
  }

  package init(wire raw: borrowing Stackmeter__V1__ReconcileResponse) throws(WireError) {
    statements = try elements(raw.statements, raw.n_statements) { (raw) throws(WireError) in
      try ReconciledStatement(raw)
    }
    nextAfter = text(raw.next_after)
  }

  package func fill(_ raw: inout Stackmeter__V1__ReconcileResponse, _ packer: borrowing Packer) {
    raw.n_statements = statements.count
    raw.statements = packer.arena.messages(statements) {
      (statement, raw: inout Stackmeter__V1__ReconciledStatement) in
      statement.fill(&raw, packer.arena)
    }
    raw.next_after = packer.arena.text(nextAfter)
  }
}
