import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct BudgetLedgerTests {
  private func rater(_ card: String = "meter m\nrate\nprice 1\n", currency: String = "EUR") throws
    -> Rater
  {
    Rater(
      try RateBook([smallCard(card, currency: currency)]),
      try SubscriptionDirectory(
        json: Array(
          #"{"subscriptions":[{"id":"s","state":"active","costCenter":"1000","tags":{"env":"test"}},"#
            .utf8
        ) + Array(#"{"id":"t","state":"active","costCenter":"1000"}]}"#.utf8)))
  }

  private func budgets(_ lines: String, scope: String = "cost-center 1000") throws -> [Budget] {
    try BudgetFile(parsing: Array("budget b\n\(scope)\n\(lines)".utf8)).budgets
  }

  private func state(
    _ lines: String, _ rows: [UsageAggregate], scope: String = "cost-center 1000",
    before end: String = "2026-12-01T00", period: BillingPeriod = november, rater: Rater? = nil
  ) throws -> BudgetState {
    let rater = try rater ?? self.rater()
    var ledger = try BudgetLedger(budgets(lines, scope: scope), rater)
    for charge in try rated(rows, rater, settled: nil).charges { try ledger.add(charge) }
    return try #require(ledger.states(of: period, closedBefore: hour(end)).first)
  }

  private func hour(_ text: String) -> Hour { Instant(parsing: "\(text):00:00Z")!.hour }

  @Test(arguments: [("79.999999999999999999", []), ("80", [80]), ("100", [80, 100])])
  func `a threshold is reached with its last unit`(quantity: String, reached: [Int]) throws {
    let quantity = quantity == "79.999999999999999999" ? "79.999999999999999" : quantity
    let state = try state(
      "amount 100 EUR\nalert 80% actual\nalert 100% actual", [usage(quantity)])
    #expect(state.alerts.map(\.threshold.percent) == reached.map(String.init))
    #expect(state.spent.description == quantity)
  }

  @Test func `a budget counts its members and nobody else`() throws {
    let rows = [
      try usage("1", subscription: "s"), try usage("10", subscription: "t"),
      try usage("100", subscription: "u"),
    ]
    for (scope, spent) in [
      ("cost-center 1000", "11"), ("subscription s", "1"), ("subscription U", "100"),
      ("tag env test", "1"), ("tag env prod", "0"), ("owner nobody", "0"),
    ] {
      let state = try state("amount 1 EUR\nalert 1% actual", rows, scope: scope)
      #expect(state.spent.description == spent, "\(scope)")
    }
  }

  /// 720 hours in November: after 72 of them 10 are spent, so 100 will be.
  @Test func `the forecast is what was spent by the hours that are over`() throws {
    let lines = "amount 100 EUR\nalert 100% forecast\nalert 100.0001% forecast\nalert 10% actual"
    let state = try state(lines, [usage("10", "2026-11-01T00")], before: "2026-11-04T00")
    #expect(state.forecast?.description == "100.00 EUR")
    #expect(state.alerts.map(\.threshold.description) == ["100% forecast", "10% actual"])
    let later = try self.state(lines, [usage("10", "2026-11-01T00")], before: "2026-11-04T01")
    // 10 × 720 ÷ 73 = 98.630…
    #expect(later.forecast?.description == "98.63 EUR")
    #expect(later.alerts.map(\.threshold.description) == ["10% actual"])
  }

  @Test func `a threshold of the forecast is compared before it is rounded`() throws {
    // 0.9999999 × 720 ÷ 72 is 9.999999, which is shown as 10.00.
    let state = try state(
      "amount 10 EUR\nalert 100% forecast", [usage("0.9999999", "2026-11-01T00")],
      before: "2026-11-04T00")
    #expect(state.forecast?.description == "10.00 EUR" && state.alerts.isEmpty)
  }

  @Test func `nothing is forecast before a day is over, and at the end it is what was spent`()
    throws
  {
    let lines = "amount 1 EUR\nalert 1% forecast"
    let rows = [try usage("0.5", "2026-11-01T00")]
    for end in ["2026-10-31T00", "2026-11-01T00", "2026-11-01T23"] {
      let state = try state(lines, rows, before: end)
      #expect(state.forecast == nil && state.alerts.isEmpty, "\(end)")
    }
    #expect(try state(lines, rows, before: "2026-11-02T00").forecast?.description == "15.00 EUR")
    for end in ["2026-12-01T00", "2027-01-01T00"] {
      #expect(try state(lines, rows, before: end).forecast?.description == "0.50 EUR")
    }
  }

  @Test func `late usage counts to the period that it is of`() throws {
    let rater = try self.rater()
    let first = try rated([usage("1")], rater)
    let late = try rated([usage("2")], rater, carried: first.state, closed: november)
    var ledger = try BudgetLedger(budgets("amount 3 EUR\nalert 100% actual"), rater)
    for charge in first.charges + late.charges { try ledger.add(charge) }
    #expect(
      try ledger.states(of: november, closedBefore: hour("2026-12-05T00"))[0].alerts.count == 1)
    #expect(try ledger.states(of: december, closedBefore: hour("2026-12-05T00"))[0].spent.isZero)
  }

  @Test func `usage that was taken back gives the money back, and no alert below zero`() throws {
    let state = try state(
      "amount 3 EUR\nalert 1% actual\nalert 1% forecast",
      [usage("1"), usage("-2", "2026-11-11T00")])
    #expect(state.spent.description == "-1" && state.alerts.isEmpty)
    #expect(state.forecast?.description == "-1.00 EUR")
  }

  @Test func `a budget in another currency and what does not fit are errors`() throws {
    #expect(throws: BudgetError.twoCurrencies(budget: "b", "EUR", "USD")) {
      _ = try BudgetLedger(
        budgets("amount 3 EUR\nalert 1% actual"), self.rater(currency: "USD"))
    }
    let rater = try self.rater("meter m\nrate\nprice 999999999999\n")
    let state = try state(
      "amount 3 EUR\nalert 1000% actual", [usage("9223372036854775807")], rater: rater)
    #expect(state.alerts.count == 1)
  }

  /// What is delivered once is known by its id.
  @Test func `an alert has the same id whenever it is found`() throws {
    let lines = "amount 100 EUR\nalert 82.5% actual\nalert 50% forecast"
    let early = try state(lines, [usage("83", "2026-11-01T00")], before: "2026-11-03T00")
    let late = try state(
      lines, [usage("83", "2026-11-01T00"), usage("1", "2026-11-02T00")], before: "2026-11-30T00")
    #expect(early.alerts.map(\.id) == ["b/2026-11/actual-82.5", "b/2026-11/forecast-50"])
    #expect(early.alerts.map(\.id) == late.alerts.map(\.id))
  }

  @Test func `an alert is an event of CloudEvents`() throws {
    let lines = "amount 100 EUR\nalert 80% actual"
    let rows = [try usage("80.5", "2026-11-01T00")]
    let alert = try #require(state(lines, rows, before: "2026-11-16T00").alerts.first)
    #expect(
      String(decoding: alert.cloudEvent(source: "/stackmeter/one"), as: UTF8.self)
        == #"{"specversion":"1.0","type":"stackmeter.budget.alert.v1","source":"/stackmeter/one","#
        + #""id":"b/2026-11/actual-80","time":"2026-11-16T00:00:00Z","subject":"budgets/b","#
        + #""datacontenttype":"application/json","data":{"#
        + #""title":"b has spent 80% of 100.00 EUR in 2026-11","budget":"b","scope":"cost-center","#
        + #""member":"1000","period":"2026-11","basis":"actual","percent":"80","amount":"100.00","#
        + #""spent":"80.5","forecast":"161.00","currency":"EUR","closedBefore":"2026-11-16T00:00:00Z"}}"#
    )
    let tagged = try #require(state(lines, rows, scope: "tag env test").alerts.first)
    let event = String(decoding: tagged.cloudEvent(source: "/x"), as: UTF8.self)
    #expect(event.contains(#""scope":"tag","tag":"env","member":"test""#))
  }

  /// Sums, not the way to them, make alerts: by any order, in any parts.
  @Test func `the same usage in any order gives the same state`() throws {
    let card = "meter m\nrate\ngraduated\nup-to 10 1\nbeyond 0.3\n"
    try withSeededRandom { random in
      for _ in 0..<20 {
        let rows = try (0..<10).map { index in
          try usage(
            "\(Int.random(in: -3...9, using: &random))", "2026-11-0\(1 + index % 8)T0\(index)")
        }
        let lines = "amount 20 EUR\nalert 50% actual\nalert 90% forecast"
        let one = try state(lines, rows, rater: rater(card))
        let other = try state(lines, rows.shuffled(using: &random), rater: rater(card))
        #expect(one == other)
      }
    }
  }
}
