internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// Whether the statements of a period tie: lines = total = usage × prices.
extension Rating {
  package func reconcile(
    _ request: ReconcileRequest
  ) async throws(QueryError) -> ReconcileResponse {
    let period = try period(request.period)
    guard let scope = try await query.filter(request.caller, request.subscriptions, []) else {
      return ReconcileResponse(statements: [])
    }
    let most = limits.reconciledMax
    return try await bills(period, scope, after: request.after) {
      (walk, reader) throws(BillsProblem) in
      var statements: [ReconciledStatement] = []
      while statements.count < most {
        do throws(ChargeList.Problem) {
          guard let bill = try walk.next(reader) else {
            return ReconcileResponse(
              statements: statements, nextAfter: walk.isLate ? walk.after : "")
          }
          statements.append(
            try ReconciledStatement(bill, try walk.charges(of: bill, reader), reader))
        } catch { throw .list(walk.after, error) }
      }
      return ReconcileResponse(statements: statements, nextAfter: walk.after)
    }
  }
}

extension ReconciledStatement {
  /// Usage is added up anew, by its meters, from the windows that the statement covers; not by what rated it.
  fileprivate init(
    _ bill: Bill, _ charges: ChargeList, _ reader: any UsageReader
  ) throws(ChargeList.Problem) {
    let statement = bill.statement
    var charged: Cost? = .zero
    try charges.visit { charge, _ in charged = charged?.adding(charge.cost) }
    var used: [String: Quantity] = [:]
    do throws(StoreError) {
      let scan = TotalsScan(
        hours: statement.period.hours, groupings: [],
        filter: UsageFilter(subscriptions: [statement.subscription.id], meters: nil),
        asOf: charges.openWindow)
      for total in try reader.totals(scan, limit: SummarizeResponse.totalsMax) {
        used[total.meter.asciiLowercased] = total.quantity
      }
    } catch { throw .billing(.store(error)) }
    self.init()
    subscription = statement.subscription.id
    number = statement.number ?? ""
    total = statement.total?.amountText ?? ""
    currency = statement.currency.code
    guard let charged else {
      checks = [Check(name: "the charges sum up", holds: false, text: "to nothing that fits")]
      return
    }
    checks = Reconciliation(statement, usage: used, charged: charged).checks.map {
      Check(name: $0.name, holds: $0.holds, text: $0.text)
    }
  }
}
