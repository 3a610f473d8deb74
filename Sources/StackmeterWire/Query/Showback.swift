package import CStackmeterProto
package import StackmeterCore

/// `Rating.Showback`: what statements come to, by something that usage or subscriptions say.
package struct ShowbackRequest: WireMessage, Hashable {
  package var caller: Caller
  /// `2026-11`.
  package var period: String
  /// In lower case; empty for all that the caller may see.
  package var subscriptions: [String]
  /// `resourceGroup`, `tag:NAME`, `costCenter` and others.
  package var groupBy: String
  /// Subscriptions after this one.
  package var after: String

  package init(
    caller: Caller, period: String, subscriptions: [String] = [], groupBy: String,
    after: String = ""
  ) {
    self.caller = caller
    self.period = period
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.groupBy = groupBy
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__ShowbackRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), period: text(raw.period),
      subscriptions: try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions"),
      groupBy: text(raw.group_by), after: text(raw.after))
  }

  package func fill(_ raw: inout Stackmeter__V1__ShowbackRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.period = packer.arena.text(period)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.group_by = packer.arena.text(groupBy)
    raw.after = packer.arena.text(after)
  }
}

/// A part of what some subscriptions owe.
package struct ShowbackPart: Hashable, Sendable {
  /// A statement that is a part of it.
  package struct Statement: Hashable, Sendable {
    package var subscription: String
    /// Empty for a draft.
    package var number: String
    package var amount: String

    package init(subscription: String, number: String, amount: String) {
      self.subscription = subscription
      self.number = number
      self.amount = amount
    }
  }

  /// Empty for what has none.
  package var name: String
  /// usage, or the kind of lines that are of no usage.
  package var kind: String
  package var amount: String
  package var statements: [Statement]

  package init(name: String, kind: String, amount: String, statements: [Statement] = []) {
    self.name = name
    self.kind = kind
    self.amount = amount
    self.statements = statements
  }

  fileprivate init(_ raw: borrowing Stackmeter__V1__ShowbackPart) throws(WireError) {
    name = text(raw.name)
    kind = text(raw.kind)
    amount = text(raw.amount)
    statements = try elements(raw.statements, raw.n_statements) { (raw) throws(WireError) in
      Statement(
        subscription: text(raw.subscription), number: text(raw.number), amount: text(raw.amount))
    }
  }

  fileprivate func fill(_ raw: inout Stackmeter__V1__ShowbackPart, _ arena: borrowing Arena) {
    raw.name = arena.text(name)
    raw.kind = arena.text(kind)
    raw.amount = arena.text(amount)
    raw.n_statements = statements.count
    raw.statements = arena.messages(statements) {
      (statement, raw: inout Stackmeter__V1__ShowbackStatement) in
      raw.subscription = arena.text(statement.subscription)
      raw.number = arena.text(statement.number)
      raw.amount = arena.text(statement.amount)
    }
  }
}

/// The parts of some subscriptions: those of all answers with one name and kind are one.
package struct ShowbackResponse: WireMessage, Hashable {
  package var parts: [ShowbackPart]
  package var currency = ""
  package var total = ""
  package var statements: UInt32 = 0
  package var drafts: UInt32 = 0
  /// Empty where nothing is left.
  package var nextAfter = ""

  package init(parts: [ShowbackPart]) {
    self.parts = parts
  }

  package init(wire raw: borrowing Stackmeter__V1__ShowbackResponse) throws(WireError) {
    parts = try elements(raw.parts, raw.n_parts) { (raw) throws(WireError) in
      try ShowbackPart(raw)
    }
    currency = text(raw.currency)
    total = text(raw.total)
    statements = raw.statements
    drafts = raw.drafts
    nextAfter = text(raw.next_after)
  }

  package func fill(_ raw: inout Stackmeter__V1__ShowbackResponse, _ packer: borrowing Packer) {
    raw.n_parts = parts.count
    raw.parts = packer.arena.messages(parts) {
      (part, raw: inout Stackmeter__V1__ShowbackPart) in part.fill(&raw, packer.arena)
    }
    raw.currency = packer.arena.text(currency)
    raw.total = packer.arena.text(total)
    raw.statements = statements
    raw.drafts = drafts
    raw.next_after = packer.arena.text(nextAfter)
  }
}
