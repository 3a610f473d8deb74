internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterTesting
internal import StackmeterWire
internal import Testing

@testable import StackmeterCommand

struct RatesCommandTests {
  private static let card = """
    card standard
    version 1
    effective 2026-11-01
    currency EUR
    meter m
      rate
        price 1

    """

  private static func catalog(_ ids: String...) throws -> MeterCatalog {
    try MeterCatalog(
      ids.map {
        Meter(
          id: $0, name: $0, unit: "u", category: "c", resourceProvider: "r", aggregation: .sum,
          isBillable: true)
      })
  }

  @Test
  func `a card that is right is summed up, with the meters that it does not price`() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("a", Self.card)
    let later = try directory.write(
      "b",
      Self.card.replacing("version 1", with: "version 2")
        .replacing("2026-11-01", with: "2026-12-01"))
    #expect(
      try RatesCheckCommand.check([file, later], catalog: nil) == """
        \(file): standard 1, in EUR from 2026-11-01: 1 meter, 1 rate, no group; all good
        \(later): standard 2, in EUR from 2026-12-01: 1 meter, 1 rate, no group; all good

        """)
    #expect(
      try RatesCheckCommand.check([file], catalog: Self.catalog("M", "n")) == """
        \(file): standard 1, in EUR from 2026-11-01: 1 meter, 1 rate, no group; all good
        \(file): 1 billable meter of the catalog without a rate: its usage stands on statements without a price

        """)
  }

  @Test
  func `everything that is wrong with all files is said at once, as file, line and column`() throws
  {
    let directory = try TemporaryDirectory()
    let wrong = try directory.write(
      "a",
      Self.card.replacing("EUR", with: "EURO").replacing("price 1", with: "price 1,5"))
    let unknown = try directory.write("b", Self.card)
    #expect(
      throws: RateProblems(lines: [
        "\(wrong):4:10: EURO is not the code of a currency in use by ISO 4217, such as EUR or USD",
        "\(wrong):5:7: there is no meter m in the catalog: add it there, or correct the id",
        "\(wrong):7:11: the price 1,5 is not a decimal number such as 12.5 (digits and a point, no comma)",
        "\(unknown):5:7: there is no meter m in the catalog: add it there, or correct the id",
      ])
    ) { try RatesCheckCommand.check([wrong, unknown], catalog: Self.catalog("n")) }
    #expect(
      throws: RateProblems(lines: [
        "versions 1 and 1 both take effect on 2026-11-01: give the later one another day"
      ])
    ) { try RatesCheckCommand.check([unknown, unknown], catalog: nil) }
  }

  @Test
  func `what a card does differently is said in words`() throws {
    let directory = try TemporaryDirectory()
    let old = try directory.write("a", Self.card)
    let new = try directory.write(
      "b",
      Self.card.replacing("version 1", with: "version 2").replacing("price 1", with: "price 1.1"))
    #expect(
      try RatesDiffCommand.difference(old, new) == """
        standard 1 from 2026-11-01 -> standard 2 from 2026-11-01
        meter m: was 1, becomes 1.1 (+10 %)

        """)
    #expect(try RatesDiffCommand.difference(old, old).hasSuffix("\nno difference\n"))
    let wrong = try directory.write("c", "card x")
    let problems = #expect(throws: RateProblems.self) {
      try RatesDiffCommand.difference(wrong, wrong)
    }
    #expect(problems?.lines.count == 8)
  }

  private static func page(_ statements: [(String, String, String)]) -> TryRateCardResponse {
    var page = TryRateCardResponse()
    page.currency = "EUR"
    page.statements = statements.map { name, current, tried in
      var statement = TriedStatement()
      statement.subscription = name
      statement.current = current
      statement.tried = tried
      if current != tried {
        var line = TriedStatement.Line()
        line.title = "M"
        line.current = current
        line.tried = tried
        statement.lines = [line]
      }
      return statement
    }
    return page
  }

  @Test func `a trial tells what differs, sums it up, and names who passes the limit`() throws {
    var report = CardTrialReport(limit: try CardTrialLimit("5%"), showsLines: true)
    #expect(
      try report.take(Self.page([("a", "10.00", "10.50"), ("b", "3.00", "3.00")])) == """
        a: 10.00 -> 10.50 (+0.50, +5.0%)
          M: 10.00 -> 10.50 (+0.50, +5.0%)

        """)
    #expect(
      try report.take(Self.page([("c", "0.00", "1.00"), ("d", "9.00", "6.00")])) == """
        c: 0.00 -> 1.00 (+1.00), passes the limit
          M: 0.00 -> 1.00 (+1.00)
        d: 9.00 -> 6.00 (-3.00, -33.3%), passes the limit
          M: 9.00 -> 6.00 (-3.00, -33.3%)

        """)
    #expect(report.passing == ["c", "d"])
    #expect(
      report.summary
        == "4 subscriptions in , 3 with a difference: 22.00 -> 20.50 (-1.50, -6.8%) EUR\n")
    #expect(report.refusal("f") == ["f: the difference in  passes 5% for c, d"])
    var many = CardTrialReport(limit: try CardTrialLimit("0%"), showsLines: false)
    _ = try many.take(Self.page((0..<25).map { ("s\($0)", "1.00", "2.00") }))
    #expect(many.refusal("f")[0].hasSuffix(", s19 and 5 others"))
    #expect(throws: ValidationError.self) { _ = try CardTrialLimit("5") }
  }

  @Test(arguments: [
    ("0.00", "0.00", "0.00 -> 0.00 (0.00)"), ("8.00", "8.00", "8.00 -> 8.00 (0.00, 0.0%)"),
    ("-4.00", "-2.00", "-4.00 -> -2.00 (+2.00, -50.0%)"),
    ("1000000.00", "1000000.01", "1000000.00 -> 1000000.01 (+0.01, 0.0%)"),
  ])
  func `a change is told with its share`(before: String, after: String, told: String) throws {
    let euro = Currency(code: "EUR")!
    #expect(
      CardTrialReport.change(
        try Money(parsing: before, euro), try Money(parsing: after, euro)) == told)
  }
}
