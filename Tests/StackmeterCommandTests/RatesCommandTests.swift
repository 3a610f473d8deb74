internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterTesting
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
}
