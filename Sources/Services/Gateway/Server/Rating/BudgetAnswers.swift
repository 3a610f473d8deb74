internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/budgets`: how budgets stand, all of them for operators, their own for tenants.
struct BudgetAnswers: Sendable {
  let query: QueryClient

  var routes: [Route] { [Route(.get, "/v1/budgets", .caller, .budgets, list)] }

  private func list(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    let page = try await query.listBudgets(
      ListBudgetsRequest(
        caller: request.caller, period: reader.text("period") ?? "", pageSize: UInt32(pageSize),
        after: reader.text("after") ?? ""))
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in for entry in page.budgets { writer.budgetEntry(entry) } })
      if !page.nextAfter.isEmpty { writer.member("nextAfter", string: page.nextAfter) }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func budgetEntry(_ entry: BudgetEntry) {
    object { writer in
      writer.member("budget", raw: String(decoding: entry.document, as: UTF8.self))
      writer.member(
        "alerts",
        array: { writer in
          for alert in entry.alerts {
            writer.object { writer in
              writer.member("id", string: alert.id)
              writer.member("raised", string: alert.raised.description)
              if let delivered = alert.delivered {
                writer.member("delivered", string: delivered.description)
              }
              writer.member("attempts", alert.attempts)
              if !alert.problem.isEmpty { writer.member("problem", string: alert.problem) }
              writer.member("event", raw: String(decoding: alert.event, as: UTF8.self))
            }
          }
        })
    }
  }
}

extension RouteDescription {
  static let budgets = RouteDescription(
    name: "listBudgets",
    summary:
      "How budgets stand by closed windows, the latest period first: all for operators, their own for tenants.",
    parameters: [
      Parameter("period", .text, "A month of UTC such as 2026-11; all by default."),
      Parameter("after", .text, "The `nextAfter` of the page before."),
      .pageSize(max: ListBudgetsRequest.pageSizeMax),
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            [
              "value": .list(
                .object(["budget": .budget, "alerts": .list(.alert)]))
            ], optional: ["nextAfter": .text])))
    ])
}

extension Schema {
  fileprivate static let budget = Schema.object(
    [
      "budget": .text, "scope": .choice(["subscription", "cost-center", "owner", "tag"]),
      "member": .text, "period": .text, "amount": .text, "currency": .text, "spent": .text,
      "closedBefore": .time,
      "thresholds": .list(
        .object([
          "basis": .choice(["actual", "forecast"]), "percent": .text, "reached": .flag,
        ])),
    ], optional: ["tag": .text, "forecast": .text])

  fileprivate static let alert = Schema.object(
    [
      "id": .text, "raised": .time, "attempts": .integer(),
      "event": .object([
        "specversion": .text, "type": .text, "source": .text, "id": .text, "time": .time,
        "subject": .text, "datacontenttype": .text, "data": .anything,
      ]),
    ], optional: ["delivered": .time, "problem": .text])
}
