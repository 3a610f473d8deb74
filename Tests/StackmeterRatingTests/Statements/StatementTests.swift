import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

/// The draft of one subscription for a period.
func draft(
  _ rater: Rater, _ charges: [Charge], subscription: String = "s",
  period: BillingPeriod = november, commitments: [BillingPeriod: CommitmentState] = [:],
  settles: Bool = true
) throws -> (statement: Statement, commitments: [BillingPeriod: CommitmentState]) {
  var builder = StatementBuilder(rater, subscription: subscription, period: period)
  for charge in charges where charge.subscription == subscription { try builder.add(charge) }
  return try builder.draft(commitments: commitments, settles: settles)
}

@Suite struct StatementTests {
  private static let tiers = "meter m\nrate\ngraduated\nup-to 100 1\nup-to 200 0.5\nbeyond 0.25\n"
  private let rater: Rater

  init() throws {
    rater = Rater(try RateBook([smallCard(Self.tiers + "meter n\nrate\nprice 0.333\n")]))
  }

  private func statement(_ rows: [UsageAggregate]) throws -> Statement {
    try draft(rater, try rated(rows, rater).charges).statement
  }

  @Test func `each price is a line and the total is the sum of the lines`() throws {
    let statement = try statement([
      usage("90", "2026-11-01T00"), usage("30", "2026-11-02T00", uri: "/b"),
      usage("1", meter: "n"), usage("1", "2026-11-11T00", meter: "n"),
    ])
    #expect(
      statement.description == """
        draft of s for 2026-11
          m tier 1: 100 at 1   100.00
          m tier 2: 20 at 0.5   10.00
          n: 2 at 0.333          0.67
          total EUR            110.67

        """)
    #expect(statement.total?.description == "110.67 EUR")
    #expect(statement.cards == ["test 1"])
  }

  @Test func `a statement is closed once, under a number, when nothing can change`() throws {
    var numbers = StatementNumbers()
    let draft = try statement([usage("1")])
    let closed = try draft.closed(number: numbers.next(for: november))
    #expect(closed.isClosed && closed.number == "2026-000001" && !draft.isClosed)
    #expect(closed.description.hasPrefix("statement 2026-000001 of s for 2026-11\n"))
    #expect(numbers.next(for: december) == "2026-000002")
    #expect(numbers.next(for: december.next) == "2027-000001")
    #expect(throws: StatementError.noNumber) { try draft.closed(number: "") }
    let open = try StackmeterRatingTests.draft(
      rater, try rated([usage("1", isProvisional: true)], rater).charges
    ).statement
    #expect(throws: StatementError.provisional(subscription: "s")) {
      try open.closed(number: "1")
    }
    let unsettled = try StackmeterRatingTests.draft(
      rater, try rated([usage("1")], rater).charges, settles: false
    ).statement
    #expect(unsettled.isProvisional)
    #expect(unsettled.description.hasPrefix("provisional draft of s"))
  }

  @Test func `altering or closing what is closed stops the program`() async {
    await #expect(processExitsWith: .failure) {
      let rater = Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n")]))
      var closed = try draft(rater, try rated([usage("1")], rater).charges).statement
        .closed(number: "1")
      try closed.adjust(by: Money(1, MoneyTests.eur), reason: "why not")
    }
    await #expect(processExitsWith: .failure) {
      let rater = Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n")]))
      _ = try draft(rater, try rated([usage("1")], rater).charges).statement
        .closed(number: "1").closed(number: "2")
    }
  }

  @Test func `usage without a price is shown and must be accepted`() throws {
    let statement = try statement([usage("5", meter: "x"), usage("2", meter: "m")])
    #expect(statement.unrated.map(\.quantity) == [Quantity(5)])
    #expect(statement.description.contains("  no price: x: 5\n"))
    #expect(throws: StatementError.unrated(subscription: "s", meters: ["x"])) {
      try statement.closed(number: "1")
    }
    #expect(try statement.closed(number: "1", acceptsUnrated: true).isClosed)
  }

  @Test func `late usage is an adjustment of the next statement that names its day`() throws {
    let first = try rated([usage("90"), usage("5", "2026-11-11T00")], rater)
    let late = try rated(
      [
        usage("20", "2026-11-05T03"), usage("-4", "2026-11-11T00"), usage("7", "2026-12-01T00"),
      ], rater, carried: first.state, settled: december, closed: november)
    let statement = try draft(rater, late.charges, period: december).statement
    #expect(
      statement.description == """
        draft of s for 2026-12
          m tier 1: 7 at 1                                 7.00
          adjustment for 2026-11-05: m tier 1: 5 at 1      5.00
          adjustment for 2026-11-05: m tier 2: 15 at 0.5   7.50
          adjustment for 2026-11-11: m tier 2: -4 at 0.5  -2.00
          total EUR                                       17.50

        """)
    // Both statements are what one would have been.
    let whole = try rated(
      [usage("90"), usage("1", "2026-11-11T00"), usage("20", "2026-11-05T03")], rater)
    #expect(
      first.charges.cost.adding(late.charges.filter(\.isAdjustment).cost) == whole.charges.cost)
  }

  @Test func `a charge of another subscription or of a later period is refused`() throws {
    let charges = try rated([usage("1", subscription: "t")], rater).charges
    var builder = StatementBuilder(rater, subscription: "s", period: november)
    #expect(throws: StatementError.foreign(subscription: "t", period: november)) {
      try builder.add(charges[0])
    }
    let later = try rated([usage("1", "2026-12-01T00")], rater).charges
    #expect(throws: StatementError.foreign(subscription: "s", period: december)) {
      try builder.add(later[0])
    }
    // Of an earlier period only what comes after it was closed.
    let earlier = try rated([usage("1")], rater).charges
    var next = StatementBuilder(rater, subscription: "s", period: december)
    #expect(throws: StatementError.foreign(subscription: "s", period: november)) {
      try next.add(earlier[0])
    }
  }

  @Test func `credits are used up in the order that they expire in, and never below zero`() throws {
    let eur = MoneyTests.eur
    func credit(_ id: String, _ cents: Int128, granted: String = "2026-01-01", expires: String?)
      -> Credit
    {
      Credit(
        id: id, description: "voucher \(id)", granted: Day(parsing: granted)!,
        expires: expires.flatMap { Day(parsing: $0) }, balance: Money(cents, eur))
    }
    var statement = try statement([usage("10")])
    let left = try statement.use([
      credit("never", 400, expires: nil), credit("gone", 400, expires: "2026-11-30"),
      credit("b", 300, expires: "2027-01-01"), credit("a", 500, expires: "2026-12-01"),
      credit("later", 100, granted: "2026-12-01", expires: nil),
      credit("used", 0, expires: "2026-12-01"),
    ])
    #expect(left.map(\.balance.minorUnits) == [200, 400, 0, 0, 100, 0])
    #expect(
      statement.lines.map(\.title) == [
        "m tier 1: 10 at 1", "credit: voucher a", "credit: voucher b", "credit: voucher never",
      ])
    #expect(statement.total?.isZero == true)
    #expect(try statement.use(left).map(\.balance) == left.map(\.balance))
    #expect(throws: StatementError.twoCurrencies("EUR", "JPY")) {
      try statement.use([
        Credit(
          id: "y", description: "", granted: november.start, balance: Money(1, MoneyTests.jpy))
      ])
    }
  }

  @Test func `an operator charges or gives back with a reason`() throws {
    var statement = try statement([usage("10")])
    try statement.adjust(by: Money(-250, MoneyTests.eur), reason: "outage of 3 November")
    #expect(statement.total?.amountText == "7.50")
    #expect(statement.lines.last?.title == "manual: outage of 3 November")
    #expect(throws: StatementError.twoCurrencies("EUR", "JPY")) {
      try statement.adjust(by: Money(1, MoneyTests.jpy), reason: "x")
    }
    #expect(throws: StatementError.tooLarge) {
      try statement.adjust(by: Money(.max, MoneyTests.eur), reason: "x")
    }
    #expect(statement.total?.amountText == "7.50")
  }

  @Test func `the JSON of a statement and a charge name what they were made of`() throws {
    let charges = try rated([usage("1.5", location: "west", tags: #"{"a":"b"}"#)], rater).charges
    var writer = JSONWriter()
    writer.charge(charges[0])
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == #"{"kind":"usage","adjustment":false,"provisional":false,"subscriptionId":"s","period":"2026-11","#
        + #""usageStart":"2026-11-10T00:00:00Z","usageEnd":"2026-11-10T01:00:00Z","window":"2026-11-10T01:00:00Z","#
        + #""resourceUri":"/r","location":"west","tags":{"a":"b"},"rateCard":"test","version":1,"meterId":"m","#
        + #""billingMeterId":"m","tier":1,"quantity":"1.5","pricedQuantity":"1.5","listPrice":"1","price":"1","#
        + #""listCost":"1.5","cost":"1.5"}"#)
    writer = JSONWriter()
    writer.statement(try draft(rater, charges).statement.closed(number: "1"))
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == #"{"number":"1","status":"closed","provisional":false,"subscriptionId":"s","displayName":"","owner":"","#
        + #""costCenter":"","subscriptionState":"unassigned","period":"2026-11","periodStart":"2026-11-01T00:00:00Z","#
        + #""periodEnd":"2026-12-01T00:00:00Z","#
        + #""currency":"EUR","rounding":"half-away-from-zero","taxNote":"","rateCards":["test 1"],"lines":[{"#
        + #""kind":"usage","adjustment":false,"period":"2026-11","description":"m tier 1: 1.5 at 1","rateCard":"test","#
        + #""version":1,"meterId":"m","billingMeterId":"m","form":"graduated","tier":1,"quantity":"1.5","#
        + #""pricedQuantity":"1.5","listPrice":"1","price":"1","exactCost":"1.5","amount":"1.50"}],"#
        + #""unrated":[],"total":"1.50"}"#
    )
  }
}
