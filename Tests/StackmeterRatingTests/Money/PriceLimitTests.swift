import Testing

@testable import StackmeterRating

@Suite struct PriceLimitTests {
  private let euro = Currency(code: "EUR")!

  @Test(arguments: [
    ("5%", 10_000, 10_500, false), ("5%", 10_000, 10_501, true), ("5%", 10_000, 9_500, false),
    ("5%", 10_000, 9_499, true), ("0%", 1, 1, false), ("0%", 1, 2, true), ("5%", 0, 0, false),
    ("100000%", 0, 1, true), ("0.5%", 20_000, 20_100, false), ("0.4999%", 20_000, 20_100, true),
    ("5%", -10_000, -10_501, true), ("5%", -10_000, -10_500, false), ("150%", 100, -50, false),
  ])
  func `a difference of more than the share passes the limit`(
    text: String, current: Int, tried: Int, isPassed: Bool
  ) throws {
    let limit = try PriceLimit(parsing: text)
    #expect(
      limit.isPassed(from: Money(Int128(current), euro), to: Money(Int128(tried), euro)) == isPassed
    )
    #expect(limit.description == text)
  }

  @Test func `amounts of any size are compared`() throws {
    let limit = try PriceLimit(parsing: "1%")
    let most = Money(Int128.max, euro)
    #expect(!limit.isPassed(from: most, to: most))
    #expect(limit.isPassed(from: Money(1, euro), to: most))
  }

  @Test(arguments: [
    ("5", DecimalError.notANumber), ("%", .notANumber), ("-1%", .negative),
    ("0.00001%", .tooPrecise(digits: 4)), ("100001%", .tooLarge), ("5 %", .notANumber),
  ])
  func `a limit that is none is refused`(text: String, error: DecimalError) {
    #expect(throws: error) { try PriceLimit(parsing: text) }
  }
}
