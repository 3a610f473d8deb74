package import CStackmeterProto
package import StackmeterCore

/// `Rating.TryRateCard`.
package struct TryRateCardRequest: WireMessage, Hashable {
  package static let pageSizeMax = 200

  package var caller: Caller
  package var text: [UInt8]
  /// `2026-11`.
  package var period: String
  /// In lower case; empty for all.
  package var subscriptions: [String]
  /// 0 for the most.
  package var pageSize: UInt32
  /// Those after this one.
  package var after: String

  package init(
    caller: Caller, text: [UInt8], period: String, subscriptions: [String] = [],
    pageSize: UInt32 = 0, after: String = ""
  ) {
    self.caller = caller
    self.text = text
    self.period = period
    self.subscriptions = subscriptions.map(\.asciiLowercased)
    self.pageSize = pageSize
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__TryRateCardRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), text: StackmeterWire.bytes(raw.text),
      period: StackmeterWire.text(raw.period),
      subscriptions: try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions"),
      pageSize: raw.page_size, after: StackmeterWire.text(raw.after))
  }

  package func fill(_ raw: inout Stackmeter__V1__TryRateCardRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.text = packer.arena.bytes(text)
    raw.period = packer.arena.text(period)
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.page_size = pageSize
    raw.after = packer.arena.text(after)
  }
}

/// What a subscription owes by the cards in force, and what it would by the one that is tried.
package struct TriedStatement: Hashable, Sendable {
  /// What one meter costs by both, or what a commitment does.
  package struct Line: Hashable, Sendable {
    /// Empty for what is of no meter.
    package var meter = ""
    package var title = ""
    package var current = "0"
    package var tried = "0"
    /// There is usage that the card does not price.
    package var isCurrentUnrated = false
    package var isTriedUnrated = false

    package init() {}
  }

  package var subscription = ""
  package var displayName = ""
  package var current = "0"
  package var tried = "0"
  /// Those that differ.
  package var lines: [Line] = []

  package init() {}

  init(_ raw: borrowing Stackmeter__V1__TriedStatement) throws(WireError) {
    subscription = text(raw.subscription)
    displayName = text(raw.display_name)
    current = text(raw.current)
    tried = text(raw.tried)
    lines = try elements(raw.lines, raw.n_lines) { (raw) throws(WireError) in
      var line = Line()
      line.meter = text(raw.meter)
      line.title = text(raw.title)
      line.current = text(raw.current)
      line.tried = text(raw.tried)
      line.isCurrentUnrated = raw.current_unrated != 0
      line.isTriedUnrated = raw.tried_unrated != 0
      return line
    }
  }

  func fill(_ raw: inout Stackmeter__V1__TriedStatement, _ arena: borrowing Arena) {
    raw.subscription = arena.text(subscription)
    raw.display_name = arena.text(displayName)
    raw.current = arena.text(current)
    raw.tried = arena.text(tried)
    raw.n_lines = lines.count
    raw.lines = arena.messages(lines) { (line, raw: inout Stackmeter__V1__TriedLine) in
      raw.meter = arena.text(line.meter)
      raw.title = arena.text(line.title)
      raw.current = arena.text(line.current)
      raw.tried = arena.text(line.tried)
      raw.current_unrated = line.isCurrentUnrated ? 1 : 0
      raw.tried_unrated = line.isTriedUnrated ? 1 : 0
    }
  }
}

/// A page of what a card would change.
package struct TryRateCardResponse: WireMessage, Hashable {
  /// Everything that is wrong; nothing else is said then.
  package var problems: [ApplyRateCardResponse.Problem] = []
  /// Nil where there are problems.
  package var version: RateCardVersion?
  package var currency = ""
  package var statements: [TriedStatement] = []
  /// Empty on the last page.
  package var nextAfter = ""
  /// There may be more usage.
  package var isProvisional = false

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__TryRateCardResponse) throws(WireError) {
    problems = try elements(raw.problems, raw.n_problems) { (raw) throws(WireError) in
      ApplyRateCardResponse.Problem(line: raw.line, column: raw.column, message: text(raw.message))
    }
    version = RateCardVersion(wire: raw.version)
    currency = text(raw.currency)
    statements = try elements(raw.statements, raw.n_statements) { (raw) throws(WireError) in
      try TriedStatement(raw)
    }
    nextAfter = text(raw.next_after)
    isProvisional = raw.provisional != 0
  }

  package func fill(_ raw: inout Stackmeter__V1__TryRateCardResponse, _ packer: borrowing Packer) {
    raw.n_problems = problems.count
    raw.problems = packer.arena.messages(problems) {
      (problem, raw: inout Stackmeter__V1__RateCardProblem) in
      raw.line = problem.line
      raw.column = problem.column
      raw.message = packer.arena.text(problem.message)
    }
    if let version { raw.version = packer.arena.message { version.fill(&$0, packer.arena) } }
    raw.currency = packer.arena.text(currency)
    raw.n_statements = statements.count
    raw.statements = packer.arena.messages(statements) {
      (statement, raw: inout Stackmeter__V1__TriedStatement) in statement.fill(&raw, packer.arena)
    }
    raw.next_after = packer.arena.text(nextAfter)
    raw.provisional = isProvisional ? 1 : 0
  }
}
