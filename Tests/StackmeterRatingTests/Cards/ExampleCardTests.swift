import StackmeterCore
import Testing

@testable import StackmeterRating

@Suite struct ExampleCardTests {
  private static func text(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    return try ScriptTests.read("/\(root)/\(path)")
  }

  private static func file(_ name: String) throws -> [UInt8] {
    Array(try text("deploy/config/\(name)").utf8)
  }

  @Test func `the card in the documentation is right`() throws {
    let parts = try Self.text("Sources/StackmeterRating/README.md").split(separator: "```\n")
    let text = try #require(parts.first { $0.hasPrefix("card ") })
    let card = try card(String(text))
    #expect(card.reference == "standard 3" && card.meters.count == 2)
  }

  @Test func `the shipped card is right and prices meters of the shipped catalog`() throws {
    let catalog = try MeterCatalog(json: Self.file("meters.json"))
    let card = try RateCard(parsing: Self.file("rates.txt"), catalog: catalog)
    #expect(card.unpriced(in: catalog).count == catalog.meters.filter(\.isBillable).count - 13)
    #expect(try RateCard(parsing: Array(card.description.utf8)) == card)
  }

  @Test func `the shipped budgets are right, and in the currency of the card`() throws {
    let budgets = try BudgetFile(parsing: Self.file("budgets.txt")).budgets
    let card = try RateCard(parsing: Self.file("rates.txt"))
    #expect(budgets.map(\.name) == ["this-host", "internal", "trials"])
    #expect(budgets.allSatisfy { $0.amount.currency == card.currency })
  }

  @Test func `the shipped card shows each thing that a card can say`() throws {
    let text = String(decoding: try Self.file("rates.txt"), as: UTF8.self)
    for word in [
      "card", "version", "effective", "currency", "rounding", "tax", "group", "cost-center",
      "owner",
      "tag", "discount", "commitment", "meter", "name", "unit", "billing-meter", "rate",
      "rate for", "rate in", "price", "graduated", "volume", "up-to", "beyond", "included",
      "minimum",
    ] {
      #expect(
        text.contains("\n\(word) ") || text.contains(" \(word) ") || text.contains(" \(word)\n"),
        "\(word)")
    }
    for word in ["per started", "before-tiers", " per "] {
      #expect(text.contains(word), "\(word)")
    }
  }

  @Test func `the shipped card prices what the agent meters`() throws {
    let card = try RateCard(parsing: Self.file("rates.txt"))
    let catalog = try MeterCatalog(json: Self.file("meters.json"))
    #expect(!card.unpriced(in: catalog).contains { $0.id.hasPrefix("agent-") })
    let rater = Rater(try RateBook([card]))
    let charges = try rated(
      [
        usage("7200", "2026-12-03T10", meter: "agent-cpu-core-seconds"),
        usage("1000000001", "2026-12-03T10", meter: "agent-network-out-bytes"),
      ], rater, settled: december
    ).charges
    #expect(charges.map(\.cost.description) == ["0.0576", "0.1"])
  }
}
