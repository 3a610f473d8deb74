import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct AllocationTests {
  private let rater: Rater
  private let directory: SubscriptionDirectory

  init() throws {
    directory = try SubscriptionDirectory(
      json: Array(
        """
        {"subscriptions":[
          {"id":"a","costCenter":"10","owner":"x","tags":{"team":"red"}},
          {"id":"b","costCenter":"20","owner":"x","tags":{"team":"blue"}},
          {"id":"c","costCenter":"10","owner":"y"},
          {"id":"d"}]}
        """.utf8))
    rater = Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n")]), directory)
  }

  private func statements(_ quantities: [String: String]) throws -> [Statement] {
    let rows = try quantities.map { try usage($1, subscription: $0) }
    let charges = try rated(rows, rater).charges
    return try quantities.keys.sorted().map {
      try draft(rater, charges, subscription: $0).statement
    }
  }

  @Test func `statements are put together by cost center, owner and tag, and none is hidden`()
    throws
  {
    let statements = try statements(["a": "1.005", "b": "2", "c": "3.005", "d": "4"])
    func groups(_ grouping: StatementGrouping) throws -> [String] {
      try grouping.groups(statements.reversed()).map {
        "\($0.name ?? "none") \($0.statements.map(\.subscription.id).joined()) \($0.total.amountText)"
      }
    }
    // 1.01 + 3.01: sums of what stands on the statements, never rounded again.
    #expect(try groups(.costCenter) == ["10 ac 4.02", "20 b 2.00", "none d 4.00"])
    #expect(try groups(.owner) == ["x ab 3.01", "y c 3.01", "none d 4.00"])
    #expect(try groups(.tag("team")) == ["blue b 2.00", "red a 1.01", "none cd 7.01"])
    #expect(try groups(.subscription).count == 4)
  }

  @Test func `a shared cost is divided to the last cent and taken off its payer`() throws {
    let eur = MoneyTests.eur
    let totals: KeyValuePairs<String, Int128> = ["d": 500, "c": 3000, "b": 2000, "a": 1000]
    func all(_ cost: SharedCost, usage: [String: Quantity] = [:]) throws -> [SharedCost.Share] {
      try cost.shares(
        of: totals.map {
          SharedCost.Bearer(
            subscription: $0, total: Money($1, eur), usage: usage[$0] ?? .zero)
        })
    }
    func shares(_ cost: SharedCost, usage: [String: Quantity] = [:]) throws -> [Int128] {
      let all = try all(cost, usage: usage)
      return ["a", "b", "c", "d"].map { id in
        all.first { $0.subscription == id }?.amount.minorUnits ?? 0
      }
    }
    #expect(
      try shares(SharedCost("firewall", Money(1000, eur), by: .equal, payer: "d"))
        == [334, 333, 333, -1000])
    #expect(
      try shares(SharedCost("firewall", Money(1001, eur), by: .equal)) == [251, 250, 250, 250])
    #expect(
      try shares(SharedCost("firewall", Money(100, eur), by: .totals, payer: "d"))
        == [17, 33, 50, -100])
    #expect(
      try shares(
        SharedCost(
          "rent", Money(-100, eur), by: .weights(["a": Quantity(1), "c": Quantity(3)])))
        == [-25, 0, -75, 0])
    #expect(
      try shares(
        SharedCost("links", Money(9, eur), by: .usage(meter: "net")),
        usage: ["b": Quantity(2), "c": Quantity(1), "d": Quantity(-5)]) == [0, 6, 3, 0])
    #expect(
      throws: SharedCostError.money("rent", .noWeight)
    ) { try shares(SharedCost("rent", Money(1, eur), by: .weights([:]))) }
    #expect(throws: SharedCostError.noPayer("rent", "z")) {
      try shares(SharedCost("rent", Money(1, eur), by: .equal, payer: "z"))
    }
    #expect(throws: SharedCostError.money("rent", .twoCurrencies("JPY", "EUR"))) {
      try shares(SharedCost("rent", Money(9, MoneyTests.jpy), by: .equal))
    }
    let firewall = try all(SharedCost("firewall", Money(1000, eur), by: .equal, payer: "d"))
    #expect(firewall.map(\.subscription) == ["a", "b", "c", "d"])
    #expect(firewall[0].text == "firewall, a share of 10.00 EUR in equal parts")
    #expect(firewall[3].text == "firewall, handed on in equal parts")
    #expect(firewall.reduce(0) { $0 + $1.amount.minorUnits } == 0)
    var statement = try #require(try statements(["a": "10"]).first)
    try statement.share(firewall[0].amount, text: firewall[0].text)
    #expect(
      statement.lines.last?.title == "shared: firewall, a share of 10.00 EUR in equal parts")
    #expect(statement.total == Money(1334, eur))
  }

  @Test func `cost by tag sums to the total, with what has no tag`() throws {
    let rows = [
      try usage("0.333", subscription: "a", uri: "/1", tags: #"{"team":"red"}"#),
      try usage("0.333", subscription: "a", uri: "/2", tags: #"{"team":"blue"}"#),
      try usage("0.339", subscription: "a", uri: "/3"),
      try usage("-0.1", "2026-11-12T00", subscription: "a", uri: "/4", tags: #"{"other":"x"}"#),
    ]
    let charges = try rated(rows, rater).charges
    let total = try #require(try draft(rater, charges, subscription: "a").statement.total)
    #expect(total.amountText == "0.91")
    func parts(_ key: CostBreakdown.Key) throws -> [String] {
      var breakdown = CostBreakdown(by: key)
      for charge in charges { try breakdown.add(charge) }
      return try breakdown.amounts(total: total).map {
        "\($0.name ?? "none") \($0.amount.amountText)"
      }
    }
    #expect(try parts(.tag("team")) == ["blue 0.34", "red 0.33", "none 0.24"])
    #expect(try parts(.meter) == ["m 0.91"])
    #expect(try parts(.day) == ["2026-11-10 1.01", "2026-11-12 -0.10"])
    #expect(try parts(.location) == ["none 0.91"])
  }

  @Test func `a resource group is read from the resource`() throws {
    let charges = try rated(
      [
        usage(
          "1", subscription: "a",
          uri: "/subscriptions/x/resourcegroups/RG1/providers/Microsoft.Compute/virtualMachines/v"),
        usage("2", subscription: "a", uri: "/subscriptions/x/resourceGroups"),
      ], rater
    ).charges
    var breakdown = CostBreakdown(by: .resourceGroup)
    for charge in charges { try breakdown.add(charge) }
    #expect(breakdown.parts.map(\.name) == ["rg1", nil])
  }
}

@Suite struct ReconciliationTests {
  @Test func `a statement ties to usage that was summed elsewhere`() throws {
    let rater = Rater(
      try RateBook([
        smallCard(
          """
          group g
            subscription s
            commitment 50 discount 10%
          meter m
            rate
              graduated
                up-to 100 1
                beyond 0.333
              minimum 20
          """)
      ]))
    let charges = try rated(
      [usage("90"), usage("20.5", uri: "/b"), usage("3", meter: "x")], rater
    ).charges
    var statement = try draft(rater, charges).statement
    try statement.adjust(by: Money(-1, MoneyTests.eur), reason: "r")
    let used = ["M": try Quantity(parsing: "110.5"), "x": Quantity(3)]
    let good = Reconciliation(statement, usage: used, charged: charges.cost)
    #expect(good.holds)
    #expect(
      good.checks.map { "\($0.name): \($0.text)" } == [
        "the total is the sum of the lines: 98.49 EUR = 98.49 EUR",
        "each line is its exact cost, rounded once: 4 lines, half-away-from-zero",
        "each line of usage is its price times its quantity: 2 lines",
        "the lines are all charges: 103.4965 = 103.4965",
        "all usage of m is on the statement: 110.5 = 110.5",
        "all usage of x is on the statement: 3 = 3",
      ])
    let lost = Reconciliation(
      statement, usage: ["m": Quantity(111), "y": Quantity(1)], charged: .zero)
    #expect(
      lost.checks.filter { !$0.holds }.map(\.name) == [
        "the lines are all charges", "all usage of m is on the statement",
        "all usage of x is on the statement", "all usage of y is on the statement",
      ])
  }

  @Test func `any statement of any usage ties`() throws {
    try withSeededRandom { random in
      for _ in 0..<50 {
        let text = CardGenerator.text(using: &random)
        let lines = text.split(separator: "\n").dropFirst(4).joined(separator: "\n")
        let rater = Rater(try RateBook([smallCard(lines)]))
        let rows = try UsageGenerator.rows(using: &random)
        let charges = try rated(rows, rater).charges
        for subscription in Set(rows.map(\.series.subscription)) {
          let own = charges.filter { $0.subscription == subscription }
          let statement = try draft(rater, own, subscription: subscription).statement
          var used: [String: Quantity] = [:]
          for row in rows where row.series.subscription == subscription {
            used[row.series.meter] = (used[row.series.meter] ?? .zero).adding(row.quantity)
          }
          let reconciliation = Reconciliation(statement, usage: used, charged: own.cost)
          try #require(reconciliation.holds, "\(reconciliation)")
          // The total is off the exact sum by at most half a cent a line.
          for key in [CostBreakdown.Key.meter, .resource, .day] {
            var breakdown = CostBreakdown(by: key)
            for charge in own { try breakdown.add(charge) }
            let total = try #require(statement.total)
            let amounts = try breakdown.amounts(total: total)
            try #require(
              amounts.reduce(0) { $0 + $1.amount.minorUnits } == total.minorUnits)
          }
        }
      }
    }
  }
}
