import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct CostTests {
  static let largest = Cost(high: .max, low: .max)
  static let least = Cost(high: .min, low: .zero)
  static let ulp = Cost(high: 0, low: 1)

  @Test func `a price times a quantity keeps all digits of both`() throws {
    let price = try #require(Price(attos: 8_333_300_000_001))
    let quantity = try Quantity(parsing: "0.000186920166015625")
    #expect(price.times(quantity).description == "0.000000001557661819458194732666015625")
    #expect(
      price.times(quantity.negated).description == "-0.000000001557661819458194732666015625")
    #expect(
      try Price(parsing: "0.000000000001").times(Quantity(attos: 1)!).description
        == "0." + String(repeating: "0", count: 29) + "1")
  }

  @Test func `the largest price times the largest quantity fits`() throws {
    let price = try #require(Price(attos: Price.unitsMax * Quantity.attosPerUnit))
    #expect(
      price.times(.max).description
        == "9223372036845552435963145224191.999999000000000001")
  }

  @Test func `a sum that does not fit is nil and never wraps`() {
    #expect(Self.largest.adding(Self.ulp) == nil)
    #expect(Self.least.subtracting(Self.ulp) == nil)
    #expect(Self.least.adding(Self.least) == nil)
    #expect(Self.least.negated == nil)
    #expect(Self.largest.negated?.subtracting(Self.ulp) == Self.least)
    #expect(Self.largest.adding(Self.least) == Self.ulp.negated)
    #expect(Self.least.adding(Self.largest) == Self.ulp.negated)
    #expect(Cost(high: -1, low: .max).adding(Self.ulp) == .zero)
    #expect(Cost.zero.subtracting(Self.ulp) == Cost(high: -1, low: .max))
  }

  @Test(arguments: [
    ("0.125", 2, ["0.13", "0.12", "0.12", "0.13", "0.12"]),
    ("0.135", 2, ["0.14", "0.14", "0.13", "0.14", "0.13"]),
    ("0.124999999999999999999999999999999999", 2, ["0.12", "0.12", "0.12", "0.13", "0.12"]),
    ("0.125000000000000000000000000000000001", 2, ["0.13", "0.13", "0.13", "0.13", "0.12"]),
    ("0.12", 2, ["0.12", "0.12", "0.12", "0.12", "0.12"]),
    ("0.000000000000000000000000000000000001", 2, ["0", "0", "0", "0.01", "0"]),
    ("0.5", 0, ["1", "0", "0", "1", "0"]), ("1.5", 0, ["2", "2", "1", "2", "1"]),
    ("2.5", 0, ["3", "2", "2", "3", "2"]), ("1.0005", 3, ["1.001", "1", "1", "1.001", "1"]),
    ("0", 2, ["0", "0", "0", "0", "0"]),
  ])
  func `a cost is rounded by each rule and its negative alike`(
    text: String, digits: Int, expected: [String]
  ) throws {
    let cost = try #require(Cost(parsing: text))
    for (rounding, expected) in zip(Rounding.allCases, expected) {
      let units = try #require(cost.rounded(fractionDigits: digits, rounding))
      #expect(PlainDecimal.text(units, fractionDigits: digits) == expected, "\(rounding)")
      #expect(
        cost.negated?.rounded(fractionDigits: digits, rounding) == -units, "\(rounding)")
    }
  }

  @Test func `what does not fit 128 bits of cents has no rounded amount`() throws {
    #expect(Self.largest.rounded(fractionDigits: 2, .standard) == nil)
    #expect(Self.least.rounded(fractionDigits: 2, .standard) == nil)
    #expect(Self.largest.floored(fractionDigits: 2) == nil)
    let most = try #require(Cost(parsing: "1701411834604692317316873037158841057.27"))
    #expect(most.rounded(fractionDigits: 2, .standard) == nil)
    let fits = try #require(Cost(parsing: "1701411834604692317316873037158841057.26"))
    #expect(fits.rounded(fractionDigits: 2, .awayFromZero) == Int128.max - 1)
  }

  @Test(arguments: [
    ("10.04", "12.5", "1.26"), ("10.039999999999999999999999999999999999", "12.5", "1.25"),
    ("-10.04", "12.5", "-1.26"), ("10.040000000000000000000000000000000001", "12.5", "1.26"),
    ("0.005", "100", "0.01"), ("0.000000000000000000000000000000000001", "50", "0"),
    ("999", "0", "0"), ("1000000", "0.0001", "1"), ("7", "33.3333", "2.33"),
  ])
  func `a share of a cost is rounded once`(cost: String, percent: String, expected: String) throws {
    let share = try Percent(parsing: percent)
    let units = try #require(
      Cost(parsing: cost)?.rounded(share, fractionDigits: 2, .halfAwayFromZero))
    #expect(PlainDecimal.text(units, fractionDigits: 2) == expected)
    #expect(
      Self.largest.rounded(share, fractionDigits: 6, .standard) == nil || percent == "0")
  }

  @Test(arguments: [
    ("1", 720, 7, "102.86"), ("-1", 720, 7, "-102.86"), ("0.01", 1, 2, "0.01"),
    ("0.009999999999999999999999999999999999", 1, 2, "0"), ("10", 720, 73, "98.63"),
    ("0.000000000000000000000000000000000001", 744, 1, "0"), ("5", 0, 3, "0"),
    // 0.035 ÷ 7 is a half of 0.01.
    ("0.035", 1, 7, "0.01"), ("0.034999999999999999999999999999999999", 1, 7, "0"),
    ("0.031", 1, 7, "0"), ("0.004", 1, 1, "0"), ("0.005", 1, 1, "0.01"),
  ])
  func `a ratio of a cost is rounded once`(
    cost: String, numerator: UInt64, denominator: UInt64, expected: String
  ) throws {
    let units = try #require(
      Cost(parsing: cost)?.rounded(
        numerator, over: denominator, fractionDigits: 2, .halfAwayFromZero))
    #expect(PlainDecimal.text(units, fractionDigits: 2) == expected)
  }

  @Test func `a multiple of a cost is the sum of so many, or nil`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let cost = Cost.random(using: &random)
        let count = UInt64.random(in: 0...9, using: &random)
        let sum = (0..<count).reduce(Cost?.some(.zero)) { sum, _ in sum?.adding(cost) }
        try #require(cost.times(count) == sum)
      }
    }
    #expect(Self.largest.times(1) == Self.largest && Self.largest.times(2) == nil)
  }

  @Test func `the text of any cost is read back`() throws {
    try withSeededRandom { random in
      for _ in 0..<2000 {
        let cost = Cost.random(using: &random)
        try #require(Cost(parsing: cost.description) == cost)
      }
    }
    #expect(Cost(parsing: Self.largest.description) == Self.largest)
    #expect(Cost.zero.description == "0")
    // One past the largest and one digit more than fits.
    for text in ["", "-", "1e3", "1.", ".5", "01", "+1", " 1", "1.5.5", Self.least.description] {
      #expect(Cost(parsing: text) == nil, "\(text)")
    }
    #expect(Cost(parsing: "0." + String(repeating: "0", count: 36) + "1") == nil)
  }

  @Test func `sums and products agree with arithmetic digit by digit`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let attos = Int128.random(in: 0...(1 << 90), using: &random)
        let price = try #require(Price(attos: attos))
        let quantity = Quantity(
          attos: Int128.random(in: -(1 << 120)...(1 << 120), using: &random))!
        let cost = price.times(quantity)
        // Schoolbook: a sum of the quantity shifted, for each bit of the price.
        var expected = Cost.zero
        var shifted = Cost(attos: 1, by: quantity.attos)
        for bit in 0..<91 {
          if attos >> bit & 1 == 1 { expected = try #require(expected.adding(shifted)) }
          shifted = try #require(shifted.adding(shifted))
        }
        try #require(cost == expected)
        let other = Cost.random(using: &random)
        guard let sum = cost.adding(other) else { continue }
        try #require(sum.subtracting(other) == cost)
        try #require((sum < cost) == other.isNegative)
      }
    }
  }
}

extension Cost {
  /// Any cost, small and large ones alike.
  static func random(using random: inout SeededRandom) -> Cost {
    let shift = Int128(Int.random(in: 0...127, using: &random))
    return Cost(
      high: Int128.random(in: .min ... .max, using: &random) >> shift,
      low: UInt128.random(in: .min ... .max, using: &random))
  }
}
