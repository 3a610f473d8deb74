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
      do throws(ChargeList.Problem) {
        while statements.count < most {
          var some: [ChargedStatement] = []
          while some.count < min(BillsLimits.subscriptionsAtOnce, most - statements.count) {
            guard let bill = try walk.next(reader) else {
              let after = walk.isLate ? walk.after : ""
              statements += try ReconciledStatement.all(some, reader)
              return ReconcileResponse(statements: statements, nextAfter: after)
            }
            some.append(
              try ChargedStatement(bill.statement, try walk.charges(of: bill, reader)))
          }
          statements += try ReconciledStatement.all(some, reader)
        }
      } catch { throw .list(walk.after, error) }
      return ReconcileResponse(statements: statements, nextAfter: walk.after)
    }
  }
}

/// A statement and what its charges come to; nil where that fits no cost.
private struct ChargedStatement {
  let statement: Statement
  /// Where the windows end that it covers.
  let openWindow: Hour
  let charged: Cost?

  init(_ statement: Statement, _ charges: ChargeList) throws(ChargeList.Problem) {
    self.statement = statement
    openWindow = charges.openWindow
    var charged: Cost? = .zero
    try charges.visit { charge, _ in charged = charged?.adding(charge.cost) }
    self.charged = charged
  }
}

extension ReconciledStatement {
  /// Usage is added up anew, by its meters, from the windows that the statements cover; not by what rated it.
  fileprivate static func all(
    _ statements: [ChargedStatement], _ reader: any UsageReader
  ) throws(ChargeList.Problem) -> [ReconciledStatement] {
    var used: [ExactText: [String: Quantity]] = [:]
    // Most were closed at the same time.
    for (openWindow, some) in Dictionary(grouping: statements, by: \.openWindow) {
      do throws(StoreError) { try add(some, openWindow, reader, &used) } catch {
        throw .billing(.store(error))
      }
    }
    return statements.map { of in
      ReconciledStatement(of, usage: used[ExactText(of.statement.subscription.id)] ?? [:])
    }
  }

  private static func add(
    _ statements: [ChargedStatement], _ openWindow: Hour, _ reader: any UsageReader,
    _ used: inout [ExactText: [String: Quantity]]
  ) throws(StoreError) {
    guard let first = statements.first else { return }
    let scan = TotalsScan(
      hours: first.statement.period.hours, groupings: [.subscription],
      filter: UsageFilter(
        subscriptions: statements.map(\.statement.subscription.id), meters: nil), asOf: openWindow)
    // One more than there may be tells that there are more.
    let limit = SummarizeResponse.totalsMax
    let totals = try reader.totals(scan, limit: limit + 1)
    guard totals.count <= limit || statements.count == 1 else {
      for statement in statements { try add([statement], openWindow, reader, &used) }
      return
    }
    for total in totals {
      guard let id = total.subscription.map({ ExactText($0) }) else { continue }
      let meter = total.meter.asciiLowercased
      let sum = (used[id]?[meter] ?? .zero).adding(total.quantity)
      guard let sum else { throw StoreError(.overflow, "the usage of meter \(meter) is too large") }
      used[id, default: [:]][meter] = sum
    }
  }

  private init(_ of: ChargedStatement, usage: [String: Quantity]) {
    let statement = of.statement
    self.init()
    subscription = statement.subscription.id
    number = statement.number ?? ""
    total = statement.total?.amountText ?? ""
    currency = statement.currency.code
    guard let charged = of.charged else {
      checks = [Check(name: "the charges sum up", holds: false, text: "to nothing that fits")]
      return
    }
    checks = Reconciliation(statement, usage: usage, charged: charged).checks.map {
      Check(name: $0.name, holds: $0.holds, text: $0.text)
    }
  }
}
