import StackmeterCore
import Testing

@testable import StackmeterRating

@Suite struct BudgetFileTests {
  private func budgets(_ text: String) throws -> [Budget] {
    try BudgetFile(parsing: Array(text.utf8)).budgets
  }

  private func problems(_ text: String) -> [String] {
    do {
      _ = try BudgetFile(parsing: Array(text.utf8))
      return []
    } catch { return error.problems.map(\.description) }
  }

  @Test func `a file has budgets of each scope`() throws {
    let budgets = try budgets(
      """
      # What departments mean to spend.
      budget platform-dev
        cost-center "1000 A"
        amount 1000.00 EUR
        alert 80% actual
        alert 100% actual
        alert 120.5% forecast

      budget one
        subscription 6F1C0A8E-0000-4000-8000-000000000001
        amount 0.01 EUR
        alert 100% actual
      budget two
        owner ops@example.org
        amount 5000 JPY
        alert 0.0001% forecast
      budget three
        tag environment test
        amount 1 EUR
        alert 1000% actual
      """)
    #expect(budgets.map(\.name) == ["platform-dev", "one", "two", "three"])
    #expect(budgets.map(\.scope) == [.costCenter, .subscription, .owner, .tag("environment")])
    #expect(
      budgets.map(\.member) == [
        "1000 A", "6f1c0a8e-0000-4000-8000-000000000001", "ops@example.org", "test",
      ])
    #expect(
      budgets.map { "\($0.amount)" } == ["1000.00 EUR", "0.01 EUR", "5000 JPY", "1.00 EUR"])
    #expect(
      budgets[0].thresholds.map(\.description) == ["80% actual", "100% actual", "120.5% forecast"])
  }

  @Test func `an empty file has no budgets`() throws {
    #expect(try budgets("").isEmpty)
    #expect(try budgets("# nothing\r\n").isEmpty)
  }

  @Test func `all problems are reported at once, each with its place`() {
    #expect(
      problems(
        """
        amount 5 EUR
        budget a b
          cost-centre 1
          amount 5 XYZ
          alert 80
        budget a
          owner x
          tag t v
          amount -5 EUR
          amount 0 EUR
          alert 80% soon
          alert 0% actual
          alert 1000.1% actual
          alert 80% actual
          alert 80% actual
        budget a
        budget "no name"
        """) == [
          "1:1: amount stands below a budget",
          "2:10: \"b\" is too much here: remove it, or put a text with spaces in quotes",
          "3:3: cost-centre is no word of a budget: did you mean cost-center?",
          "4:12: XYZ is not the code of a currency in use by ISO 4217, such as EUR or USD",
          "5:9: an alert is at a percentage: write 80%",
          "6:8: the budget in line 2 is called a, too: give one another name",
          "8:3: line 7 says whom the budget is for already: keep one of the two",
          "9:10: the amount -5 is not above zero",
          "10:3: amount stands in line 9 already: keep one of the two",
          "11:13: an alert is of what is actual, or of the forecast",
          "12:9: an alert at nothing: remove the line",
          "13:9: the share 1000.1% is above 1000 %",
          "15:3: there is an alert at 80% actual already: keep one of the two",
          "16:1: whom it is for is missing: add a line such as cost-center 1000",
          "16:1: its amount is missing: add a line such as amount 1000.00 EUR",
          "16:1: it tells nobody: add a line such as alert 80% actual",
          "16:8: the budget in line 2 is called a, too: give one another name",
          "17:1: whom it is for is missing: add a line such as cost-center 1000",
          "17:1: its amount is missing: add a line such as amount 1000.00 EUR",
          "17:1: it tells nobody: add a line such as alert 80% actual",
          "17:8: the name of the budget must be 1 to 64 letters a-z, digits, - . _",
        ])
  }

  @Test func `a file has limits`() {
    let large = [UInt8](repeating: 0x20, count: BudgetLimits.fileBytesMax + 1)
    #expect(throws: BudgetFileError.self) { try BudgetFile(parsing: large) }
    let one = "budget b\nowner o\namount 1 EUR\n"
    let alerts = (1...BudgetLimits.thresholdsMax).map { "alert \($0)% actual\n" }.joined()
    #expect(problems(one + alerts).isEmpty)
    #expect(
      problems(one + alerts + "alert 99% actual\n") == [
        "24:1: a budget has at most 20 alerts"
      ])
    func many(_ count: Int) -> String {
      (0..<count).map { "budget b\($0)\nowner o\namount 1 EUR\nalert 1% actual\n" }.joined()
    }
    #expect(problems(many(BudgetLimits.budgetsMax)).isEmpty)
    #expect(
      problems(many(BudgetLimits.budgetsMax + 1)) == ["40001:1: a file has at most 10000 budgets"])
  }
}
