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
        do throws(ChargeList.Problem) { bill = try walk.next(reader) } catch {
          throw .list(walk.after, error)
        }
        guard let bill else { return page.response(nextAfter: walk.isLate ? walk.after : "") }
        try page.take(bill, by: key)
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

  mutating func take(_ bill: Bill, by key: ShowbackKey) throws(BillsProblem) {
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
      case .usage(let key): try sums.add(statement, try costs(bill, by: key))
      }
    } catch { throw .sum("\(id): \(error)") }
    statementCount += 1
    if !statement.isClosed { draftCount += 1 }
  }

  private func costs(
    _ bill: Bill, by key: CostBreakdown.Key
  ) throws(MoneyError) -> CostBreakdown {
    var costs = CostBreakdown(by: key)
    var failed = false
    do throws(ChargeList.Problem) {
      try bill.charges.visit { charge, _ in
        do throws(StatementError) { try costs.add(charge) } catch { failed = true }
      }
    } catch { failed = true }
    if failed { throw .tooLarge }
    return costs
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
