internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// How budgets stand, as the aggregator has written it down when windows were closed.
extension Rating {
  package func listBudgets(
    _ request: ListBudgetsRequest
  ) async throws(QueryError) -> ListBudgetsResponse {
    guard request.pageSize <= ListBudgetsRequest.pageSizeMax else {
      throw .invalid(field: "page_size", problem: "at most \(ListBudgetsRequest.pageSizeMax)")
    }
    let limit = request.pageSize == 0 ? ListBudgetsRequest.pageSizeMax : Int(request.pageSize)
    let period = request.period.isEmpty ? nil : try period(request.period).start
    var place: BudgetPlace?
    if !request.after.isEmpty {
      place = BudgetPlace(request.after)
      guard place != nil else {
        throw .invalid(field: "after", problem: "must be the next_after of another answer")
      }
    }
    // A budget says who may see it: whose own it is. One of several subscriptions tells of all of them.
    let owners: [String]?
    switch request.caller {
    case .operator: owners = nil
    case .tenant(let own): owners = own.sorted()
    case .provider, .reporter: return ListBudgetsResponse(budgets: [])
    }
    let after = place
    let isOperator = request.caller == .operator
    return try await query.readers.read { (reader) throws(StoreError) in
      let found = try reader.budgets(
        of: period, ownedBy: owners, after: after, limit: limit + 1)
      var response = ListBudgetsResponse(budgets: [])
      var bytes = 0
      for (index, budget) in found.enumerated() {
        guard index < limit, bytes < UsagePage.bytesMax else {
          response.nextAfter = found[index - 1].place.text
          break
        }
        var entry = BudgetEntry()
        entry.document = budget.document
        entry.alerts = try reader.alerts(of: budget.place).map {
          BudgetEntry.Alert($0, showsProblem: isOperator)
        }
        bytes += entry.alerts.reduce(budget.document.count + 256) { $0 + $1.event.count + 1024 }
        response.budgets.append(entry)
      }
      return response
    }
  }
}

extension BudgetPlace {
  /// Reads `2026-11/platform`.
  fileprivate init?(_ text: String) {
    guard let slash = text.firstIndex(of: "/"),
      let period = BillingPeriod(parsing: text[..<slash])
    else { return nil }
    self.init(period: period.start, name: String(text[text.index(after: slash)...]))
  }

  fileprivate var text: String { "\(BillingPeriod(containing: period))/\(name)" }
}

extension BudgetEntry.Alert {
  fileprivate init(_ stored: StoredAlert, showsProblem: Bool) {
    self.init()
    id = stored.id
    event = stored.event
    raised = stored.raised
    delivered = stored.delivered
    attempts = UInt64(clamping: stored.attempts)
    problem = showsProblem ? stored.problem : ""
  }
}
