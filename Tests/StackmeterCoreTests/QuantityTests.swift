import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct QuantityTests {
  static let largest = "9223372036854775807.999999999999999999"

  @Test func `a quantity of 200704 bytes in GB is exact`() throws {
    let quantity = try Quantity(parsing: "0.000186920166015625")
    #expect(quantity.attos == 186_920_166_015_625)
    #expect(quantity.attos * (1 << 30) == 200_704 * Quantity.attosPerUnit)
    #expect(quantity.description == "0.000186920166015625")
  }

  @Test(arguments: [
    ("0", "0"), ("-0", "0"), ("-0.0e5", "0"), ("0e999999999", "0"), ("1", "1"), ("-1", "-1"),
    ("1.0000000000000000000000", "1"), ("1e3", "1000"), ("1E+3", "1000"), ("12.50", "12.5"),
    ("-3e-2", "-0.03"), ("1.52587890625E-05", "0.0000152587890625"),
    ("1e-18", "0.000000000000000001"), ("-1e-18", "-0.000000000000000001"),
    ("10e-19", "0.000000000000000001"), ("0.0000000000000000010", "0.000000000000000001"),
    ("1e18", "1000000000000000000"), ("9.223372036854775807e18", "9223372036854775807"),
    ("0.00000000000000000000000000000000000000000000000001e50", "1"),
    ("9223372036854775807.999999999999999999", largest),
    ("-9223372036854775807.999999999999999999", "-" + largest),
  ])
  func `a decimal number is read exactly and written shortest`(text: String, written: String)
    throws
  {
    #expect(try Quantity(parsing: text).description == written)
  }

  @Test(arguments: [
    "1e-19", "-1e-19", "0.0000000000000000001", "1.0000000000000000001", "15e-19",
    "1e-1000000000", "9223372036854775807.9999999999999999999",
  ])
  func `a nineteenth digit that is not zero is too precise`(text: String) {
    #expect(throws: QuantityError.tooPrecise) { try Quantity(parsing: text) }
  }

  @Test(arguments: [
    "9223372036854775808", "-9223372036854775808", "1e19", "-1e19", "1e1000000000",
    "1e99999999999999999999999999999999999999", "99999999999999999999999999999999",
  ])
  func `what is past 64 bits of whole units is too large`(text: String) {
    #expect(throws: QuantityError.tooLarge) { try Quantity(parsing: text) }
  }

  @Test(arguments: [
    "", "-", "+1", "1.", ".5", "-.5", "1e", "1e+", "1e-", "e5", "1.e5", "0x10", "NaN", "Infinity",
    "-Infinity", "inf", "1,5", "1_000", " 1", "1 ", "--1", "1.2.3", "1e5.0", "1e5e5", "01", "-00",
    "00.5", "١", "１", "1\u{0}", "½",
  ])
  func `what is not a JSON number is refused`(text: String) {
    #expect(throws: QuantityError.notANumber) { try Quantity(parsing: text) }
  }

  @Test func `a text of 64 bytes is read and one of 65 is refused`() throws {
    #expect(try Quantity(parsing: "1." + String(repeating: "0", count: 62)) == Quantity(1))
    #expect(throws: QuantityError.notANumber) {
      try Quantity(parsing: "1." + String(repeating: "0", count: 63))
    }
  }

  @Test func `every refusal explains itself`() {
    for error in [QuantityError.notANumber, .tooPrecise, .tooLarge] {
      #expect(!error.explanation.isEmpty)
    }
    #expect(QuantityError.tooLarge.explanation.contains(Self.largest))
  }

  @Test func `units and attos have the same sign and attos less than a unit`() {
    #expect(Quantity(units: 1, attos: 500_000_000_000_000_000)?.description == "1.5")
    #expect(Quantity(units: -1, attos: -500_000_000_000_000_000)?.description == "-1.5")
    #expect(Quantity(units: 0, attos: -1)?.description == "-0.000000000000000001")
    #expect(Quantity(units: 1, attos: -1) == nil)
    #expect(Quantity(units: -1, attos: 1) == nil)
    #expect(Quantity(units: 0, attos: 1_000_000_000_000_000_000) == nil)
    #expect(Quantity(units: 0, attos: -1_000_000_000_000_000_000) == nil)
    #expect(Quantity(units: 0, attos: .min) == nil)
    #expect(Quantity(units: .max, attos: 999_999_999_999_999_999) == .max)
    #expect(Quantity(units: .min, attos: 0) == nil)
    #expect(Quantity(units: -.max, attos: -999_999_999_999_999_999) == Quantity.max.negated)
  }

  @Test func `what leaves the range is nil and never wraps`() throws {
    let one = Quantity(attos: 1)!
    #expect(Quantity.max.adding(one) == nil)
    #expect(Quantity.max.negated.adding(one.negated) == nil)
    #expect(Quantity.max.adding(Quantity.max) == nil)
    #expect(Quantity.max.adding(Quantity.max.negated) == .zero)
    #expect(Quantity(attos: .max) == nil)
    #expect(Quantity(attos: .min) == nil)
  }

  @Test func `an atto makes the smaller of two quantities`() {
    #expect(Quantity(attos: -1)! < .zero)
    #expect(.zero < Quantity(attos: 1)!)
    #expect(Quantity.max.negated < Quantity.max)
  }

  @Test func `a part of the largest quantity by the largest numbers is exact`() {
    #expect(Quantity.max.part(.max, of: .max) == .max)
    #expect(Quantity.max.part(0, of: .max) == .zero)
    #expect(Quantity.max.negated.part(1, of: 2).attos == -(Quantity.max.attos / 2))
    #expect(Quantity(1).part(1, of: 3).description == "0.333333333333333333")
    #expect(Quantity(-2).part(1, of: 3).description == "-0.666666666666666666")
  }

  @Test func `a part of more than the whole stops the program`() async {
    await #expect(processExitsWith: .failure) { _ = Quantity(1).part(2, of: 1) }
    await #expect(processExitsWith: .failure) { _ = Quantity(1).part(0, of: 0) }
  }

  @Test func `any quantity is read back from its text and from its two integers`() throws {
    try withSeededRandom { random in
      for _ in 0..<2000 {
        let quantity = Quantity.random(using: &random)
        try #require(try Quantity(parsing: quantity.description) == quantity)
        try #require(
          Quantity(units: quantity.units, attos: quantity.remainingAttos) == quantity)
        try #require(!quantity.description.contains("e"))
        try #require(
          !quantity.description.contains(".") || quantity.description.utf8.last != 0x30)
      }
    }
  }

  @Test func `any text with an exponent is the number that it shifts`() throws {
    try withSeededRandom { random in
      for _ in 0..<2000 {
        let digits = Int64.random(in: 0...999_999_999, using: &random)
        let exponent = Int.random(in: -18...9, using: &random)
        var expected = Int128(digits) * Quantity.attosPerUnit
        for _ in 0..<max(0, -exponent) { expected /= 10 }
        for _ in 0..<max(0, exponent) { expected *= 10 }
        try #require(try Quantity(parsing: "\(digits)e\(exponent)").attos == expected)
      }
    }
  }

  @Test func `a part of any quantity agrees with division digit by digit`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        let quantity = Quantity.random(using: &random)
        let whole =
          UInt64.random(in: 1...(.max), using: &random) >> UInt64.random(in: 0...63, using: &random)
        let denominator = max(1, whole)
        let numerator = UInt64.random(in: 0...denominator, using: &random)
        let part = quantity.part(numerator, of: denominator)
        try #require(
          part.attos.magnitude
            == reference(quantity.attos.magnitude, numerator, denominator))
        try #require(part == .zero || (part < .zero) == (quantity < .zero))
      }
    }
  }

  /// `attos × numerator ÷ denominator` by shift and subtract, one bit of the numerator at a time.
  private func reference(_ attos: UInt128, _ numerator: UInt64, _ denominator: UInt64) -> UInt128 {
    let divisor = UInt128(denominator)
    var quotient: UInt128 = 0
    var remainder: UInt128 = 0
    for bit in (0..<64).reversed() {
      quotient *= 2
      remainder *= 2
      if numerator >> UInt64(bit) & 1 == 1 {
        quotient += attos / divisor
        remainder += attos % divisor
      }
      quotient += remainder / divisor
      remainder %= divisor
    }
    return quotient
  }
}

extension Quantity {
  /// Any quantity, small and large ones alike.
  static func random(using random: inout SeededRandom) -> Quantity {
    let limit = Quantity.max.attos >> Int128(Int.random(in: 0...122, using: &random))
    return Quantity(attos: Int128.random(in: -limit...limit, using: &random))!
  }
}
