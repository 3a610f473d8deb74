import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

extension Statement {
  /// As JSON.
  var written: [UInt8] {
    var writer = JSONWriter()
    writer.statement(self)
    return writer.bytes
  }

  /// As CSV.
  var rows: [UInt8] {
    var writer = CSVWriter()
    writer.statement(self)
    return writer.bytes
  }

  /// Why it is not what its document says; nil where it is.
  func documentFault() throws -> String? {
    let read = try Statement(parsing: written)
    if read != self { return "it is read as another statement" }
    if read.written != written { return "it is written as another document" }
    if read.rows != rows { return "its CSV is another" }
    return read.html(issuer: "x") == html(issuer: "x") ? nil : "its page is another"
  }
}

/// Statements and their documents.
@Suite struct StatementDocumentTests {
  @Test func `what a document says is the statement, for any cards and any usage`() throws {
    try withSeededRandom { random in
      for _ in 0..<150 {
        let lines = CardGenerator.text(using: &random).split(separator: "\n").dropFirst(4)
          .flatMap { line -> [String] in
            // One meter has a name and a unit.
            line.hasPrefix("meter m0")
              ? [String(line), #"name "M \"0\" é""#, "unit Hours"] : [String(line)]
          }
        let rater = Rater(try RateBook([smallCard(lines.joined(separator: "\n"))]))
        let rows = try UsageGenerator.rows(using: &random)
        let isLate = Bool.random(using: &random)
        let (charges, _) = try rated(rows, rater, closed: isLate ? november : nil)
        for subscription in Set(charges.map(\.subscription)) {
          var statement = try draft(
            rater, charges, subscription: subscription, period: isLate ? december : november,
            settles: Bool.random(using: &random)
          ).statement
          try statement.adjust(
            by: Money(Int128.random(in: -500...500, using: &random), statement.currency),
            reason: ["manual: ", "", "outage \u{202E} \"x\"", "a, b: c"].randomElement(
              using: &random)!)
          _ = try statement.use([
            Credit(
              id: "c", description: "voucher", granted: november.start,
              balance: Money(300, statement.currency))
          ])
          if !statement.isProvisional, Bool.random(using: &random) {
            statement = try statement.closed(number: "2026-000001", acceptsUnrated: true)
          }
          let fault = try statement.documentFault()
          try #require(fault == nil, "\(String(decoding: statement.written, as: UTF8.self))")
        }
      }
    }
  }

  @Test func `the subscription is read as it was`() throws {
    let statement = Statement(
      subscription: Subscription(
        id: "s", displayName: "Späti", owner: "o", costCenter: "1000",
        tags: #"{"env":"prod","a":""}"#, state: .suspended),
      period: november, currency: MoneyTests.jpy, rounding: .halfEven, cards: ["a 1", "a 2"],
      taxNote: "without", lines: [],
      unrated: [.init(meter: "x", period: november, quantity: try Quantity(parsing: "0.5"))],
      isProvisional: true)
    #expect(try Statement(parsing: statement.written) == statement)
  }

  /// One as it was closed before documents named units.
  private static let early =
    #"{"number":"2026-000001","status":"closed","provisional":false,"subscriptionId":"s","displayName":"","#
    + #""owner":"","costCenter":"","period":"2026-11","periodStart":"2026-11-01T00:00:00Z","#
    + #""periodEnd":"2026-12-01T00:00:00Z","currency":"EUR","rounding":"half-away-from-zero","taxNote":"","#
    + #""rateCards":["test 1"],"lines":[{"kind":"usage","adjustment":false,"period":"2026-11","#
    + #""description":"m: 1.5 at 1","rateCard":"test","version":1,"meterId":"m","billingMeterId":"m","#
    + #""tier":1,"quantity":"1.5","pricedQuantity":"1.5","listPrice":"1","price":"1","exactCost":"1.5","#
    + #""amount":"1.50"},{"kind":"credit","adjustment":false,"period":"2026-11","#
    + #""description":"credit: voucher","exactCost":"-0.5","amount":"-0.50"}],"unrated":[],"total":"1.00"}"#

  @Test func `an early document is a statement, too`() throws {
    let statement = try Statement(parsing: Array(Self.early.utf8))
    #expect(statement.number == "2026-000001" && statement.total?.amountText == "1.00")
    #expect(statement.lines.map(\.title) == ["m: 1.5 at 1", "credit: voucher"])
    #expect(statement.html().contains("Statement 2026-000001"))
  }

  @Test(arguments: [
    "provisional", "subscriptionId", "displayName", "owner", "costCenter", "period", "currency",
    "rounding", "taxNote", "rateCards", "lines", "unrated", "total", "kind", "version", "meterId",
    "billingMeterId", "tier", "quantity", "pricedQuantity", "listPrice", "price", "exactCost",
    "amount",
  ])
  func `a document without a member is refused by its name`(name: String) throws {
    let broken = Self.early.replacing("\"\(name)\":", with: "\"x\":", maxReplacements: 1)
    let error = try #require(throws: StatementDocumentError.self) {
      try Statement(parsing: Array(broken.utf8))
    }
    #expect(error.problem.contains(name), "\(error)")
  }

  @Test(arguments: [
    (#""total":"1.00""#, #""total":"1.01""#), (#""amount":"1.50""#, #""amount":"1.501""#),
    (#""price":"1","exact"#, #""price":"-1","exact"#), ("\"EUR\"", "\"EURO\""),
    (#""period":"2026-11","period"#, #""period":"2026-13","period"#), ("{\"number", "[{\"number"),
    (#""description":"credit: "#, #""description":"#), ("\"tier\":1", "\"tier\":\"1\""),
  ])
  func `a document that is wrong is refused`(part: String, wrong: String) {
    let broken = Self.early.replacing(part, with: wrong, maxReplacements: 1)
    #expect(broken != Self.early)
    #expect(throws: StatementDocumentError.self) { try Statement(parsing: Array(broken.utf8)) }
  }
}
