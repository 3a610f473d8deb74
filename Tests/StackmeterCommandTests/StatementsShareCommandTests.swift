internal import ArgumentParser
internal import StackmeterCore
internal import StackmeterWire
internal import Testing

@testable import StackmeterCommand

@Suite struct StatementsShareCommandTests {
  private func problem(_ arguments: String...) -> String {
    do {
      _ = try StatementsShareCommand.parse(
        ["--period", "2026-11", "--amount", "1", "--reason", "r", "--by"] + arguments)
      return ""
    } catch { return StatementsShareCommand.message(for: error) }
  }

  @Test func `options that do not go together are refused`() {
    #expect(problem("equal", "--payer", "a", "--dry-run") == "")
    #expect(problem("usage", "--meter", "m") == "")
    #expect(problem("weights", "--weight", "a=1", "--weight", "a=b=0.5") == "")
    #expect(problem("usage").contains("--meter goes with --by usage"))
    #expect(problem("totals", "--meter", "m").contains("--meter goes with --by usage"))
    #expect(problem("weights").contains("--weight goes with --by weights"))
    #expect(problem("equal", "--weight", "a=1").contains("--weight goes with --by weights"))
    for weight in ["a", "=1", "a=", "a=-1", "a=x"] {
      #expect(problem("weights", "--weight", weight).contains("and is \(weight)"))
    }
  }

  @Test func `a weight has its number behind the last equals sign`() throws {
    let command = try StatementsShareCommand.parse([
      "--period", "2026-11", "--amount", "1", "--reason", "r", "--by", "weights", "--weight",
      "A=b=0.5",
    ])
    #expect(
      try command.weights()
        == [.init(subscription: "a=b", weight: try Quantity(parsing: "0.5"))])
  }

  @Test func `each share is a line, and what became of them the last`() {
    let answer = ShareCostResponse(
      shares: [
        .init(subscription: "a\u{1B}", amount: "0.67"), .init(subscription: "b", amount: "0.33"),
      ],
      currency: "EUR", isKnown: false)
    func lines(_ answer: ShareCostResponse, isDryRun: Bool) -> [Substring] {
      StatementsShareCommand.lines(answer, isDryRun: isDryRun).split(separator: "\n")
    }
    #expect(lines(answer, isDryRun: false).count == 3)
    #expect(lines(answer, isDryRun: false)[1] == "b  0.33 EUR")
    #expect(!lines(answer, isDryRun: false)[0].contains("\u{1B}"))
    #expect(lines(answer, isDryRun: false).last == "2 lines written down")
    #expect(lines(answer, isDryRun: true).last == "2 lines would be written down")
    let known = ShareCostResponse(shares: answer.shares, currency: "EUR", isKnown: true)
    #expect(lines(known, isDryRun: true).last == "2 lines were written down before")
  }
}
