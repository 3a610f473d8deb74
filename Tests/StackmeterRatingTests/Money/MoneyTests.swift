import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterRating

@Suite struct MoneyTests {
  static let eur = Currency(code: "EUR")!
  static let jpy = Currency(code: "JPY")!
  static let bhd = Currency(code: "BHD")!

  @Test func `a currency has the digits of ISO 4217`() {
    #expect(Self.eur.fractionDigits == 2)
    #expect(Self.jpy.fractionDigits == 0)
    #expect(Self.bhd.fractionDigits == 3)
    #expect(Currency(code: "CLF")?.fractionDigits == 4)
    for code in ["eur", "EU", "EURO", "XTS", "", "DEM", "É"] {
      #expect(Currency(code: code) == nil, "\(code)")
    }
  }

  @Test func `an amount is written with all digits of its currency`() throws {
    #expect(Money(1250, Self.eur).description == "12.50 EUR")
    #expect(Money(-5, Self.eur).description == "-0.05 EUR")
    #expect(Money(1250, Self.jpy).description == "1250 JPY")
    #expect(Money(0, Self.bhd).description == "0.000 BHD")
    #expect(try Money(parsing: "12.5", Self.eur) == Money(1250, Self.eur))
    #expect(try Money(parsing: "12.500", Self.eur) == Money(1250, Self.eur))
    #expect(throws: DecimalError.tooPrecise(digits: 2)) { try Money(parsing: "0.001", Self.eur) }
    #expect(throws: DecimalError.tooPrecise(digits: 0)) { try Money(parsing: "0.5", Self.jpy) }
    #expect(throws: DecimalError.notANumber) { try Money(parsing: "1,50", Self.eur) }
    #expect(throws: DecimalError.tooLarge) {
      try Money(parsing: String(repeating: "9", count: 40), Self.eur)
    }
  }

  @Test func `amounts of two currencies have no sum`() throws {
    #expect(throws: MoneyError.twoCurrencies("EUR", "JPY")) {
      try Money(1, Self.eur).adding(Money(1, Self.jpy))
    }
    #expect(throws: MoneyError.tooLarge) {
      try Money(.max, Self.eur).adding(Money(1, Self.eur))
    }
    #expect(try Money(1, Self.eur).adding(Money(-1, Self.eur)).isZero)
  }

  @Test func `a price is read with 12 digits and not with 13`() throws {
    #expect(try Price(parsing: "0.000000000001").attos == 1_000_000)
    #expect(throws: DecimalError.tooPrecise(digits: 12)) {
      try Price(parsing: "0.0000000000001")
    }
    #expect(try Price(parsing: "999999999999.999999999999").description.hasPrefix("9999"))
    #expect(throws: DecimalError.tooLarge) { try Price(parsing: "1000000000000") }
    #expect(throws: DecimalError.negative) { try Price(parsing: "-0.01") }
    #expect(try Price(parsing: "-0") == .zero)
    for text in ["", "1,5", "1e3", ".5", "5.", "+1", "00.5", "0x1", "１", "1 000"] {
      #expect(throws: DecimalError.notANumber, "\(text)") { try Price(parsing: text) }
    }
  }

  @Test func `the price of one of a package and a discounted price are exact or nil`() throws {
    let price = try Price(parsing: "0.0036")
    #expect(price.divided(by: try Quantity(parsing: "10000"))?.description == "0.00000036")
    #expect(price.divided(by: Quantity(7)) == nil)
    #expect(price.divided(by: Quantity(9))?.description == "0.0004")
    #expect(price.divided(by: .zero) == nil)
    #expect(price.divided(by: Quantity(-1)) == nil)
    #expect(price.discounted(by: try Percent(parsing: "12.5"))?.description == "0.00315")
    #expect(price.discounted(by: try Percent(parsing: "100")) == .zero)
    #expect(price.discounted(by: .zero) == price)
    #expect(Price(attos: 1)?.discounted(by: try Percent(parsing: "50")) == nil)
    #expect(try Percent(parsing: "33.3333").complement.description == "66.6667%")
    #expect(throws: DecimalError.tooLarge) { try Percent(parsing: "100.0001") }
    #expect(throws: DecimalError.negative) { try Percent(parsing: "-1") }
    #expect(throws: DecimalError.tooPrecise(digits: 4)) { try Percent(parsing: "0.00001") }
  }

  @Test func `shares go to the largest remainder and then to the first`() throws {
    func shares(_ amount: Int128, _ weights: [Int32]) throws -> [Int128] {
      try Money(amount, Self.eur).allocated(by: weights.map { Quantity($0) }).map(\.minorUnits)
    }
    #expect(try shares(100, [1, 1, 1]) == [34, 33, 33])
    #expect(try shares(-100, [1, 1, 1]) == [-34, -33, -33])
    #expect(try shares(5, [70, 30]) == [4, 1])
    #expect(try shares(5, [30, 70]) == [2, 3])
    #expect(try shares(1, [0, 1, 1]) == [0, 1, 0])
    #expect(try shares(0, [1, 2]) == [0, 0])
    #expect(throws: MoneyError.noWeight) { try shares(1, [0, 0]) }
    #expect(throws: MoneyError.noWeight) { try shares(1, [2, -1]) }
    #expect(throws: MoneyError.noWeight) { try shares(1, []) }
    #expect(throws: MoneyError.tooLarge) {
      try Money(1, Self.eur).allocated(by: Array(repeating: .max, count: 64))
    }
  }

  @Test func `a rounded total is divided between exact parts of either sign`() throws {
    func parts(_ amount: Int128, _ parts: [String]) throws -> [Int128] {
      try Money(amount, Self.eur).apportioned(over: parts.map { try #require(Cost(parsing: $0)) })
        .map(\.minorUnits)
    }
    #expect(try parts(100, ["0.333", "0.333", "0.334"]) == [33, 33, 34])
    #expect(try parts(-100, ["-0.333", "-0.333", "-0.334"]) == [-33, -33, -34])
    #expect(try parts(10, ["0.155", "-0.055"]) == [16, -6])
    // The total is off by more than one each: everyone takes a part of that.
    #expect(try parts(10, ["0.01", "0.01", "0.01"]) == [4, 3, 3])
    #expect(try parts(-5, ["0.01", "0.01"]) == [-2, -3])
    #expect(try parts(0, []) == [])
    #expect(throws: MoneyError.noWeight) { try parts(1, []) }
  }

  @Test func `shares and parts always sum to the whole`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let amount = Money(
          Int128.random(in: -(1 << 100)...(1 << 100), using: &random)
            >> Int128(Int.random(in: 0...100, using: &random)), Self.bhd)
        let count = Int.random(in: 1...20, using: &random)
        let weights = (0..<count).map { _ in
          Quantity(attos: Int128.random(in: 1...(1 << 110), using: &random))!
        }
        let shares = try amount.allocated(by: weights)
        try #require(shares.reduce(0) { $0 + $1.minorUnits } == amount.minorUnits)
        try #require(
          try amount.negated.allocated(by: weights).map(\.negated) == shares)
        let parts = (0..<count).map { _ in
          Cost(
            high: Int128.random(in: -(1 << 60)...(1 << 60), using: &random),
            low: UInt128.random(in: .min ... .max, using: &random))
        }
        let apportioned = try amount.apportioned(over: parts)
        try #require(apportioned.reduce(0) { $0 + $1.minorUnits } == amount.minorUnits)
      }
    }
  }
}
