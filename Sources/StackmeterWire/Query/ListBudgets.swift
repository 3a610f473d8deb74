package import CStackmeterProto
package import StackmeterCore

/// `Rating.ListBudgets`.
package struct ListBudgetsRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000

  package var caller: Caller
  /// `2026-11`; empty for all.
  package var period: String
  /// 0 for the most.
  package var pageSize: UInt32
  /// The `nextAfter` of the page before.
  package var after: String

  package init(caller: Caller, period: String = "", pageSize: UInt32 = 0, after: String = "") {
    self.caller = caller
    self.period = period
    self.pageSize = pageSize
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__ListBudgetsRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), period: text(raw.period), pageSize: raw.page_size,
      after: text(raw.after))
  }

  package func fill(_ raw: inout Stackmeter__V1__ListBudgetsRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.period = packer.arena.text(period)
    raw.page_size = pageSize
    raw.after = packer.arena.text(after)
  }
}

/// How a budget stands in a period, and what was told of it.
package struct BudgetEntry: Hashable, Sendable {
  package struct Alert: Hashable, Sendable {
    package var id = ""
    /// The event that tells of it, JSON.
    package var event: [UInt8] = []
    package var raised = Instant(nanoseconds: 0)
    /// Nil where nobody has taken it yet.
    package var delivered: Instant?
    package var attempts: UInt64 = 0
    /// Why the last try has failed; for operators.
    package var problem = ""

    package init() {}
  }

  /// JSON.
  package var document: [UInt8] = []
  package var alerts: [Alert] = []

  package init() {}

  init(_ raw: borrowing Stackmeter__V1__BudgetEntry) throws(WireError) {
    document = bytes(raw.document)
    alerts = try elements(raw.alerts, raw.n_alerts) { (raw) throws(WireError) in
      var alert = Alert()
      alert.id = text(raw.id)
      alert.event = bytes(raw.event)
      alert.raised = Instant(nanoseconds: raw.raised_time)
      alert.delivered =
        raw.delivered_time == 0 ? nil : Instant(nanoseconds: raw.delivered_time)
      alert.attempts = raw.attempts
      alert.problem = text(raw.problem)
      return alert
    }
  }

  func fill(_ raw: inout Stackmeter__V1__BudgetEntry, _ arena: borrowing Arena) {
    raw.document = arena.bytes(document)
    raw.n_alerts = alerts.count
    raw.alerts = arena.messages(alerts) { (alert, raw: inout Stackmeter__V1__BudgetAlert) in
      raw.id = arena.text(alert.id)
      raw.event = arena.bytes(alert.event)
      raw.raised_time = alert.raised.nanoseconds
      raw.delivered_time = alert.delivered?.nanoseconds ?? 0
      raw.attempts = alert.attempts
      raw.problem = arena.text(alert.problem)
    }
  }
}

/// A page of budgets.
package struct ListBudgetsResponse: WireMessage, Hashable {
  package var budgets: [BudgetEntry]
  /// Empty on the last page.
  package var nextAfter: String

  package init(budgets: [BudgetEntry], nextAfter: String = "") {
    self.budgets = budgets
    self.nextAfter = nextAfter
  }

  package init(wire raw: borrowing Stackmeter__V1__ListBudgetsResponse) throws(WireError) {
    budgets = try elements(raw.budgets, raw.n_budgets) { (raw) throws(WireError) in
      try BudgetEntry(raw)
    }
    nextAfter = text(raw.next_after)
  }

  package func fill(_ raw: inout Stackmeter__V1__ListBudgetsResponse, _ packer: borrowing Packer) {
    raw.n_budgets = budgets.count
    raw.budgets = packer.arena.messages(budgets) {
      (entry, raw: inout Stackmeter__V1__BudgetEntry) in entry.fill(&raw, packer.arena)
    }
    raw.next_after = packer.arena.text(nextAfter)
  }
}
