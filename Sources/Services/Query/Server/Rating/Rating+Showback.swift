internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// What statements of a period come to, by something that usage or subscriptions say.
extension Rating {
  package func showback(
    _ request: ShowbackRequest
  ) async throws(QueryError) -> ShowbackResponse {
    let period = try period(request.period)
    guard let key = ShowbackKey(parsing: request.groupBy) else {
      throw .invalid(
        field: "group_by", problem: "must be one of \(ShowbackKey.words.joined(separator: ", "))")
    }
    guard let scope = try await query.filter(request.caller, request.subscriptions, []) else {
      return ShowbackResponse(parts: [])
    }
    let limits = limits
    return try await bills(period, scope, after: request.after) {
      (walk, reader) throws(BillsProblem) in
      var page = ShowbackPage()
      while page.byteCount < limits.showbackBytes {
        let bill: Bill?
        var costs: CostBreakdown?
        do throws(ChargeList.Problem) {
          bill = try walk.next(reader)
          if let bill, case .usage(let key) = key {
            costs = try CostBreakdown(try walk.charges(of: bill, reader), by: key)
          }
        } catch { throw .list(walk.after, error) }
        guard let bill else { return page.response(nextAfter: walk.isLate ? walk.after : "") }
        try page.take(bill, by: key, costs)
        guard page.byteCount <= limits.showbackBytesMax else {
          throw .sum(
            "subscription \(walk.after) has too many parts to be shown one by one; ask by something that has fewer"
          )
        }
      }
      return page.response(nextAfter: walk.after)
    }
  }
}

/// An answer while it is made.
private struct ShowbackPage {
  private var sums = Showback()
  private var statements: [Showback.Key: [ShowbackPart.Statement]] = [:]
  private var statementCount = 0
  private var draftCount = 0

  /// About what it takes as a message.
  var byteCount: Int {
    sums.nameBytes + sums.partCount * 64 + statements.count * 64 + statementCount * 128
  }

  /// `costs` are those of a key that usage says; nil where they do not fit.
  mutating func take(
    _ bill: Bill, by key: ShowbackKey, _ costs: CostBreakdown?
  ) throws(BillsProblem) {
    let statement = bill.statement
    let id = statement.subscription.id
    do throws(MoneyError) {
      switch key {
      case .statement(let grouping):
        let key = try sums.add(statement, by: grouping)
        statements[key, default: []].append(
          ShowbackPart.Statement(
            subscription: id, number: statement.number ?? "",
            amount: statement.total?.amountText ?? ""))
      case .usage:
        guard let costs else { throw .tooLarge }
        try sums.add(statement, costs)
      }
    } catch { throw .sum("\(id): \(error)") }
    statementCount += 1
    if !statement.isClosed { draftCount += 1 }
  }

  func response(nextAfter: String) -> ShowbackResponse {
    var response = ShowbackResponse(
      parts: sums.parts.map { part in
        ShowbackPart(
          name: part.key.name?.text ?? "", kind: part.key.kind, amount: part.amount.amountText,
          statements: statements[part.key] ?? [])
      })
    response.currency = sums.total?.currency.code ?? ""
    response.total = sums.total?.amountText ?? ""
    response.statements = UInt32(statementCount)
    response.drafts = UInt32(draftCount)
    response.nextAfter = nextAfter
    return response
  }
}

extension CostBreakdown {
  /// Of all charges of a bill; nil where they do not fit.
  fileprivate init?(_ charges: ChargeList, by key: Key) throws(ChargeList.Problem) {
    self.init(by: key)
    var costs = self
    var failed = false
    try charges.visit { charge, _ in
      do throws(StatementError) { try costs.add(charge) } catch { failed = true }
    }
    if failed { return nil }
    self = costs
  }
}
