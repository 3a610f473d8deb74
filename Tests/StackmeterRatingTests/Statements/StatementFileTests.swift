import StackmeterCore
import Testing

@testable import StackmeterRating

/// Statements as CSV and as a page.
@Suite struct StatementFileTests {
  private static let acme = "6f1c0a8e-0000-4000-8000-00000000000a"
  private static let partner = "6f1c0a8e-0000-4000-8000-00000000000b"
  private static let golden =
    #filePath.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/Golden"

  /// A statement of the script of everything.
  private func statement(_ subscription: String, _ period: BillingPeriod) async throws -> Statement
  {
    var runner = ScriptRunner(
      try ScriptTests.read("\(ScriptTests.folder)/everything.usage"), PureRatingSystem())
    try await runner.run()
    return try #require(runner.system.closed[period]?[subscription]?.statement)
  }

  private func csv(_ statements: [Statement]) -> String {
    var writer = CSVWriter()
    writer.statementColumns()
    for statement in statements { writer.statement(statement) }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// What is to be seen in a review when it changes. Where it is meant to, the text below becomes the file.
  private func expect(_ text: String, is name: String) throws {
    let expected = try ScriptTests.read("\(Self.golden)/\(name)")
    if text.replacing("\r\n", with: "\n") != expected {
      Issue.record("\(name) would be:\n\(text)")
    }
  }

  @Test func `the CSV of the statements of everything is what it was`() async throws {
    var statements: [Statement] = []
    for period in [november, december] {
      for subscription in [Self.acme, Self.partner] {
        statements.append(try await statement(subscription, period))
      }
    }
    try expect(csv(statements), is: "statements.csv")
  }

  @Test(arguments: [(acme, november), (partner, november), (acme, december)])
  func `the page of a statement is what it was`(subscription: String, period: BillingPeriod)
    async throws
  {
    let statement = try await statement(subscription, period)
    try expect(
      statement.html(issuer: "Contoso IT"), is: "\(statement.number ?? "").html")
  }

  @Test func `the amounts of a CSV sum to the total and the costs are exact`() async throws {
    let statement = try await statement(Self.acme, november)
    let file = try FocusFile(Array(csv([statement]).utf8))
    let amounts = try file.rows.filter { $0["kind"] != "unrated" }.map {
      try Money(parsing: $0["amount"] ?? "", statement.currency).minorUnits
    }
    #expect(amounts.reduce(0, +) == statement.total?.minorUnits)
    for (row, line) in zip(file.rows, statement.lines) {
      #expect(row["exactCost"] == line.cost.description)
      if line.kind == .usage {
        #expect(row["price"] == line.price.description)
        #expect(row["pricedQuantity"] == line.pricedQuantity.description)
      }
    }
    #expect(file.rows.last?["kind"] == "unrated" && file.rows.last?["quantity"] == "3")
    #expect(file.rows.last?["amount"] == nil)
  }

  @Test(arguments: ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "=1,\"2\""])
  func `a text from outside is no formula`(text: String) throws {
    var statement = try draft(
      Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n")])), []
    ).statement
    try statement.adjust(by: Money(-150, MoneyTests.eur), reason: text)
    let named = Statement(
      subscription: Subscription(
        id: "s", displayName: text, owner: text, costCenter: text, state: .active),
      period: november, currency: MoneyTests.eur, rounding: .standard, cards: [], taxNote: "",
      lines: statement.lines, unrated: [], isProvisional: false)
    let file = try FocusFile(Array(csv([named]).utf8))
    let row = file.rows[0]
    // A reader of ours drops the carriage return, as any does at the end of a row.
    for column in ["displayName", "owner", "costCenter"] {
      #expect(row[column]?.hasPrefix("'") == true, "\(column)")
    }
    // The amount is a number and stays one.
    #expect(row["amount"] == "-1.50" && row["exactCost"] == "-1.5")
  }

  @Test func `a page shows a text from outside and does nothing else with it`() throws {
    let text = #"<script>alert("1")</script> & 'x' \u{0}"#.replacing("\\u{0}", with: "\u{0}")
    let tax = cardWord(String(text.dropLast()))
    let rater = Rater(try RateBook([smallCard("tax \(tax)\nmeter m\nrate\nprice 1\n")]))
    var statement = try draft(rater, []).statement
    try statement.adjust(by: Money(100, MoneyTests.eur), reason: text)
    let page = statement.html(issuer: text)
    #expect(!page.contains("<script") && !page.contains("alert(\"") && !page.contains("\u{0}"))
    let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; "
    #expect(page.contains("manual: " + escaped + "\u{FFFD}"))
    #expect(page.ranges(of: escaped).count == 3)
  }

  @Test func `a draft says that it may change`() throws {
    let rater = Rater(try RateBook([smallCard("meter m\nrate\nprice 1\n")]))
    let open = try draft(
      rater, rated([usage("1", isProvisional: true)], rater).charges, settles: false
    ).statement
    #expect(open.html().contains("<h1>Provisional draft</h1>"))
    #expect(open.html().contains("no demand for payment"))
    #expect(csv([open]).contains(",provisional draft,s,"))
    let settled = try draft(rater, rated([usage("1")], rater).charges).statement
    #expect(settled.html().contains("<h1>Draft</h1>"))
    #expect(!settled.html().contains("no demand for payment"))
  }
}
