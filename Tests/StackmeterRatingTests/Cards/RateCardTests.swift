import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct RateCardTests {
  @Test func `a card says what its text says`() throws {
    let card = try card(fullCard)
    #expect(card.reference == "standard 3")
    #expect(card.effective.description == "2026-12-01")
    #expect(card.currency.code == "EUR" && card.rounding == .halfEven)
    #expect(card.taxNote == "without \"VAT\"")
    let group = try #require(card.group("internal"))
    #expect(group.subscriptions == ["6f1c0a8e-0000-4000-8000-000000000001"])
    #expect(group.costCenters == ["1000 A"] && group.discount.description == "20%")
    #expect(group.commitment?.description == "commitment 1000.00 discount 15%")
    let compute = try #require(card.meter("COMPUTE-hours"))
    #expect(compute.unit == "Virtual core hours" && compute.rates.count == 4)
    #expect(compute.billingMeter == "fb8c0713-ea20-40bf-901f-5560fd3f6330")
    let transactions = try #require(card.meter("transactions"))
    #expect(transactions.billingMeter == "transactions")
    #expect(
      transactions.rates[0].terms
        == "graduated per 10000: up to 1000000 at 0.0036, up to 10000000 at 0.003, beyond at 0.0025; first 50000 free"
    )
    #expect(
      transactions.rates[1].terms
        == "volume per started 100: up to 1000 at 2, beyond at 1.5; first 100 free before the tiers"
    )
  }

  @Test func `a card is written so that it reads back the same`() throws {
    let card = try card(fullCard)
    let text = card.description
    #expect(try StackmeterRatingTests.card(text) == card)
    #expect(try StackmeterRatingTests.card(text).description == text)
  }

  @Test func `a file from another editor is the same card`() throws {
    let card = try card(fullCard)
    let windows = [0xEF, 0xBB, 0xBF] + Array(fullCard.replacing("\n", with: "\r\n").utf8)
    #expect(try RateCard(parsing: windows) == card)
    let tabs = fullCard.replacing("  ", with: "\t")
    #expect(try StackmeterRatingTests.card(tabs) == card)
  }

  @Test func `the closest rate holds, and a group weighs more than a location`() throws {
    let meter = try #require(try card(fullCard).meter("compute-hours"))
    func price(_ group: String?, _ location: String) -> String? {
      meter.rate(group: group, location: location)?.pricing.tiers[0].price.description
    }
    #expect(price(nil, "") == "0.008")
    #expect(price(nil, "Region West") == "0.01")
    #expect(price("internal", "elsewhere") == "0.006")
    #expect(price("internal", "region west") == "0")
    #expect(price("others", "region west") == "0.01")
    let located = try #require(
      try smallCard("meter m\nrate in west\nprice 1\n").meter("m"))
    #expect(located.rate(group: nil, location: "east") == nil)
  }

  @Test func `a member is one that any line of its group names`() throws {
    let group = try #require(try card(fullCard).group("internal"))
    #expect(
      group.contains(
        Subscription(id: "6f1c0a8e-0000-4000-8000-000000000001", state: .unassigned)))
    #expect(group.contains(Subscription(id: "x", costCenter: "1000 A", state: .active)))
    #expect(group.contains(Subscription(id: "x", owner: "ops@example.org", state: .active)))
    #expect(
      group.contains(
        Subscription(id: "x", tags: #"{"a":"b","environment":"test"}"#, state: .active)))
    #expect(
      !group.contains(
        Subscription(
          id: "x", owner: "OPS@example.org", costCenter: "1000",
          tags: #"{"environment":"Test"}"#, state: .active)))
  }

  @Test func `a discount of the group is off its general rates and no others`() throws {
    let card = try card(fullCard)
    let group = card.group("internal")
    let rates = try #require(card.meter("compute-hours")).rates
    #expect(rates.map { $0.discount(for: group).description } == ["20%", "10%", "20%", "0%"])
    #expect(rates.map { $0.discount(for: nil).description } == ["0%", "10%", "0%", "0%"])
  }

  @Test func `any card reads back from its text`() throws {
    try withSeededRandom { random in
      for _ in 0..<100 {
        let text = CardGenerator.text(using: &random)
        let card = try card(text)
        try #require(try StackmeterRatingTests.card(card.description) == card)
        try #require(card.changes(to: card).isEmpty)
      }
    }
  }

  @Test func `no bytes make the reader stop or accept what it cannot write`() throws {
    let seed = Array(fullCard.utf8)
    try withSeededRandom { random in
      for _ in 0..<500 {
        var bytes = seed
        for _ in 0..<Int.random(in: 1...8, using: &random) {
          let index = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.remove(at: index)
          default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
          }
        }
        do {
          let card = try RateCard(parsing: bytes)
          try #require(try RateCard(parsing: Array(card.description.utf8)) == card)
        } catch let error as RateCardError {
          try #require(!error.problems.isEmpty)
        }
      }
    }
  }
}

@Suite struct RateBookTests {
  static func version(_ number: Int, _ effective: String, currency: String = "EUR") throws
    -> RateCard
  {
    try smallCard(
      "meter m\nrate\nprice 1\n", version: number, effective: effective, currency: currency)
  }

  @Test func `a version holds from its day until the next one`() throws {
    let book = try RateBook([
      Self.version(7, "2026-11-16"), Self.version(2, "2026-01-01"), Self.version(9, "2026-12-01"),
    ])
    func number(_ day: String) -> Int? { book.version(on: Day(parsing: day)!)?.version }
    #expect(number("2025-12-31") == nil)
    #expect(number("2026-01-01") == 2)
    #expect(number("2026-11-15") == 2)
    #expect(number("2026-11-16") == 7)
    #expect(number("2026-12-01") == 9 && number("2030-01-01") == 9)
    #expect(book.indices(in: BillingPeriod(parsing: "2026-11")!) == 0..<2)
    #expect(book.indices(in: BillingPeriod(parsing: "2026-12")!) == 2..<3)
    #expect(book.indices(in: BillingPeriod(parsing: "2026-01")!) == 0..<1)
    #expect(book.indices(in: BillingPeriod(parsing: "2025-12")!).isEmpty)
  }

  @Test func `all that is wrong with versions is said at once`() throws {
    let error = #expect(throws: RateBookError.self) {
      try RateBook([
        Self.version(2, "2026-01-01"), Self.version(1, "2026-02-01"),
        Self.version(3, "2026-02-01", currency: "USD"),
      ])
    }
    #expect(
      error?.problems == [
        "version 1 takes effect on 2026-02-01, after version 2: its number must be greater",
        "versions 1 and 3 both take effect on 2026-02-01: give the later one another day",
        "version 3 is in USD, version 2 in EUR: another currency is another card",
      ])
    #expect(throws: RateBookError.self) { try RateBook([]) }
    let many = try (1...RateCardLimits.versionsMax + 1).map {
      try Self.version($0, Day(index: 20_000 + Int64($0)).description)
    }
    #expect(throws: RateBookError.self) { try RateBook(many) }
    #expect(try RateBook(Array(many.dropLast())).versions.count == RateCardLimits.versionsMax)
  }

  @Test func `a period is a month of UTC, whatever its length`() throws {
    let february = try #require(BillingPeriod(parsing: "2028-02"))
    #expect(february.start.description == "2028-02-01" && february.end.description == "2028-03-01")
    #expect(february.contains(Day(parsing: "2028-02-29")!))
    #expect(!february.contains(Day(parsing: "2028-03-01")!))
    let december = try #require(BillingPeriod(parsing: "2026-12"))
    #expect(december.next.description == "2027-01" && december < december.next)
    #expect(BillingPeriod(containing: Day(parsing: "2026-12-31")!) == december)
    for text in ["2026-13", "2026-1", "2026", "2026-11-01", "x"] {
      #expect(BillingPeriod(parsing: text) == nil, "\(text)")
    }
  }
}
