import AggregatorServer
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRating
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import StackmeterBilling

/// Budgets on stored usage, and through the service that shows them.
@Suite(.timeLimit(.minutes(5))) struct BudgetTests {
  private static let file = """
    budget own
      subscription a
      amount 10.00 EUR
      alert 50% actual
      alert 100% actual
      alert 120% forecast
    budget trial
      tag env test
      amount 3.00 EUR
      alert 100% actual
    """

  private let now = Instant(parsing: "2026-11-16T00:00:01Z")!

  private func evaluate(
    _ services: BillingServices, _ text: String = file
  ) throws -> BudgetEvaluation? {
    let reader = try services.database.reader()
    guard let cards = try RateCards("standard", reader) else { return nil }
    return try BudgetEvaluation(
      BudgetFile(parsing: Array(text.utf8)).budgets, cards, reader, source: "/here", now: now)
  }

  private func keep(_ evaluation: BudgetEvaluation?, _ services: BillingServices) throws -> Int {
    let evaluation = try #require(evaluation)
    return try services.store.put(
      budgets: evaluation.budgets, of: evaluation.periods, alerts: evaluation.alerts)
  }

  private func spent(_ evaluation: BudgetEvaluation?) throws -> [String] {
    try #require(evaluation).budgets.map { state in
      let value = try JSONObject(JSONValue(parsing: state.document, limits: .event), path: "")
      func text(_ name: String) -> String { value?[name]?.string ?? "-" }
      return "\(text("budget")) \(text("period")) \(text("spent")) \(text("forecast"))"
    }
  }

  @Test(arguments: Engine.allCases)
  func `closed windows are counted, late ones too, and each threshold is told once`(engine: Engine)
    async throws
  {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.replaceDirectory(
        try SubscriptionDirectory(
          json: Array(
            """
            {"subscriptions":[{"id":"b","tags":{"env":"test"}},{"id":"c","tags":{"env":"test"}}]}
            """.utf8)))
      try services.store.count(
        [
          UsedQuantity(hour: "2026-11-03T00", quantity: "8"),
          UsedQuantity(subscription: "b", hour: "2026-11-03T00", quantity: "2"),
          UsedQuantity(subscription: "c", hour: "2026-11-03T00", quantity: "3"),
          UsedQuantity(subscription: "d", hour: "2026-11-03T00", quantity: "99"),
          // The open window says nothing yet.
          UsedQuantity(hour: "2026-11-16T00", quantity: "100"),
        ], open: "2026-11-16T00")
      let first = try evaluate(services)
      // October has no card. Half of November is over, and 8 are half of the forecast.
      #expect(try spent(first) == ["own 2026-11 4 8.00", "trial 2026-11 2.5 5.00"])
      #expect(first?.alerts == [])
      #expect(try keep(first, services) == 0)

      try services.store.count(
        [
          UsedQuantity(hour: "2026-11-04T00", window: "2026-11-16T00", quantity: "4"),
          UsedQuantity(subscription: "b", hour: "2026-11-16T02", quantity: "1"),
        ], open: "2026-11-17T00")
      let second = try evaluate(services)
      #expect(
        second?.alerts.map(\.id) == [
          "own/2026-11/actual-50", "own/2026-11/actual-100", "own/2026-11/forecast-120",
          "trial/2026-11/actual-100",
        ])
      #expect(try keep(second, services) == 4)
      // Later, with other figures, in another cell: nothing new.
      #expect(try keep(second, services) == 0)
      try services.store.count(
        [UsedQuantity(hour: "2026-12-01T00", quantity: "1")], open: "2026-12-01T01")
      let third = try evaluate(services)
      #expect(third?.periods.count == 2)
      #expect(try keep(third, services) == 0)
      let alerts = try services.database.reader().alerts(of: nil)
      #expect(alerts.count == 4 && alerts.allSatisfy { $0.raised == now })
      #expect(alerts.map(\.event) == second?.alerts.sorted { $0.id < $1.id }.map(\.event))
      let event = String(decoding: alerts[0].event, as: UTF8.self)
      #expect(event.contains(#""source":"/here","id":"own/2026-11/actual-100""#), "\(event)")
    }
  }

  @Test(arguments: Engine.allCases)
  func `operators see all budgets, tenants their own`(engine: Engine) async throws {
    try await withBillingServices(engine) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        [UsedQuantity(hour: "2026-11-03T00", quantity: "20")], open: "2026-12-03T00")
      _ = try keep(try evaluate(services), services)
      try services.store.note(
        alert: "own/2026-11/actual-50", delivered: nil, nextTry: now, problem: "status 500")
      func listed(
        _ caller: Caller, period: String = "", pageSize: UInt32 = 0, after: String = ""
      ) async throws -> ListBudgetsResponse {
        try await services.query.listBudgets(
          ListBudgetsRequest(caller: caller, period: period, pageSize: pageSize, after: after))
      }
      func names(_ response: ListBudgetsResponse) throws -> [String] {
        try response.budgets.map { entry in
          let value = try JSONObject(JSONValue(parsing: entry.document, limits: .event), path: "")
          return "\(value?["budget"]?.string ?? "") \(value?["period"]?.string ?? "")"
        }
      }
      let all = try await listed(.operator)
      #expect(
        try names(all) == ["own 2026-12", "trial 2026-12", "own 2026-11", "trial 2026-11"])
      #expect(
        all.budgets[2].alerts.map(\.id) == ["own/2026-11/actual-100", "own/2026-11/actual-50"])
      #expect(all.budgets[2].alerts[1].problem == "status 500")
      var paged: [BudgetEntry] = []
      var after = ""
      repeat {
        let page = try await listed(.operator, pageSize: 1, after: after)
        paged += page.budgets
        after = page.nextAfter
      } while !after.isEmpty
      #expect(paged == all.budgets)
      #expect(try await listed(.operator, period: "2026-11").budgets == Array(all.budgets[2...]))
      let own = try await listed(.tenant(subscriptions: ["a", "z"]))
      #expect(try names(own) == ["own 2026-12", "own 2026-11"])
      #expect(own.budgets[1].alerts.map(\.problem) == ["", ""])
      #expect(try await listed(.tenant(subscriptions: ["b"])).budgets == [])
      #expect(try await listed(.provider("p")).budgets == [])
      for (period, pageSize, after) in [("2026-13", 0, ""), ("", 1001, ""), ("", 0, "x")] {
        let wrong = await #expect(throws: RPCError.self) {
          _ = try await listed(.operator, period: period, pageSize: UInt32(pageSize), after: after)
        }
        #expect(wrong?.code == .invalidArgument)
      }
    }
  }

  @Test func `a budget in another currency is told, and nothing is written`() async throws {
    try await withBillingServices(.sqlite) { services in
      try services.store.add(card: pricesText)
      try services.store.count(
        [UsedQuantity(hour: "2026-11-03T00", quantity: "20")], open: "2026-11-16T00")
      let failure = #expect(throws: BudgetEvaluation.Problem.self) {
        _ = try evaluate(services, Self.file.replacing("10.00 EUR", with: "10.00 USD"))
      }
      #expect(failure?.description.contains("budget own is in USD") == true)
    }
  }
}
