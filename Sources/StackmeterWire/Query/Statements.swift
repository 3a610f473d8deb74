package import CStackmeterProto
package import StackmeterCore

/// A closed statement without its document.
package struct StatementEntry: Hashable, Sendable {
  package var number = ""
  package var subscription = ""
  /// `2026-11`.
  package var period = ""
  /// The reporting windows that it covers.
  package var windows = Hour(index: 0)..<Hour(index: 0)
  package var card = ""
  package var currency = ""
  package var total = ""
  /// SHA-256 of the document.
  package var hash: [UInt8] = []

  package init() {}

  init(_ raw: borrowing Stackmeter__V1__StatementEntry) throws(WireError) {
    number = text(raw.number)
    subscription = text(raw.subscription)
    period = text(raw.period)
    windows = try hours(from: raw.from_window, to: raw.to_window, "from_window", "to_window")
    card = text(raw.card)
    currency = text(raw.currency)
    total = text(raw.total)
    hash = bytes(raw.sha256)
  }

  func fill(_ raw: inout Stackmeter__V1__StatementEntry, _ arena: borrowing Arena) {
    raw.number = arena.text(number)
    raw.subscription = arena.text(subscription)
    raw.period = arena.text(period)
    raw.from_window = windows.lowerBound.index
    raw.to_window = windows.upperBound.index
    raw.card = arena.text(card)
    raw.currency = arena.text(currency)
    raw.total = arena.text(total)
    raw.sha256 = arena.bytes(hash)
  }
}

/// `Rating.ListStatements`.
package struct ListStatementsRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000

  package var caller: Caller
  /// In lower case; empty for all that the caller may see.
  package var subscriptions: [String]
  /// Empty for all.
  package var period: String
  package var pageSize: UInt32
  /// Those after this number.
  package var after: String

  package init(
    caller: Caller, subscriptions: [String] = [], period: String = "", pageSize: UInt32 = 0,
    after: String = ""
  ) {
    self.caller = caller
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.period = period
    self.pageSize = pageSize
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__ListStatementsRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller),
      subscriptions: try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions"),
      period: text(raw.period), pageSize: raw.page_size, after: text(raw.after))
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListStatementsRequest, _ packer: borrowing Packer
  ) {
    raw.caller = caller.wire(packer.arena)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.period = packer.arena.text(period)
    raw.page_size = pageSize
    raw.after = packer.arena.text(after)
  }
}

/// Closed statements, by number.
package struct ListStatementsResponse: WireMessage, Hashable {
  package var statements: [StatementEntry]
  /// Empty on the last page.
  package var nextAfter: String

  package init(statements: [StatementEntry], nextAfter: String = "") {
    self.statements = statements
    self.nextAfter = nextAfter
  }

  package init(wire raw: borrowing Stackmeter__V1__ListStatementsResponse) throws(WireError) {
    statements = try elements(raw.statements, raw.n_statements) { (raw) throws(WireError) in
      try StatementEntry(raw)
    }
    nextAfter = text(raw.next_after)
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListStatementsResponse, _ packer: borrowing Packer
  ) {
    raw.n_statements = statements.count
    raw.statements = packer.arena.messages(statements) {
      (entry, raw: inout Stackmeter__V1__StatementEntry) in entry.fill(&raw, packer.arena)
    }
    raw.next_after = packer.arena.text(nextAfter)
  }
}

/// `Rating.GetStatement`.
package struct GetStatementRequest: WireMessage, Hashable {
  package var caller: Caller
  /// Empty where subscription and period say which.
  package var number: String
  /// In lower case.
  package var subscription: String
  package var period: String

  package init(
    caller: Caller, number: String = "", subscription: String = "", period: String = ""
  ) {
    self.caller = caller
    self.number = number
    self.subscription = subscription.asciiLowercased
    self.period = period
  }

  package init(wire raw: borrowing Stackmeter__V1__GetStatementRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), number: text(raw.number),
      subscription: text(raw.subscription), period: text(raw.period))
  }

  package func fill(_ raw: inout Stackmeter__V1__GetStatementRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.number = packer.arena.text(number)
    raw.subscription = packer.arena.text(subscription)
    raw.period = packer.arena.text(period)
  }
}

/// A statement as JSON.
package struct GetStatementResponse: WireMessage, Hashable {
  /// Nil for a draft.
  package var statement: StatementEntry?
  package var document: [UInt8]

  package init(statement: StatementEntry?, document: [UInt8]) {
    self.statement = statement
    self.document = document
  }

  package init(wire raw: borrowing Stackmeter__V1__GetStatementResponse) throws(WireError) {
    if let entry = raw.statement { statement = try StatementEntry(entry.pointee) }
    document = bytes(raw.document)
  }

  package func fill(_ raw: inout Stackmeter__V1__GetStatementResponse, _ packer: borrowing Packer) {
    if let statement { raw.statement = packer.arena.message { statement.fill(&$0, packer.arena) } }
    raw.document = packer.arena.bytes(document)
  }
}
