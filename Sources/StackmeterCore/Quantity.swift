/// An exact decimal with 18 fractional digits: what a meter measured.
///
/// The value is a count of attos (10⁻¹⁸ of the meter's unit) in 128 bits. Its whole part always fits an
/// `Int64`, so that it also fits the wire (`units` + `attos`) and two SQL integers. Arithmetic that would
/// leave this range returns nil; nothing wraps, rounds or becomes a float.
package struct Quantity: Hashable, Sendable {
  /// The number of attos in one unit.
  package static let attosPerUnit: Int128 = 1_000_000_000_000_000_000
  /// The number of digits after the decimal point.
  package static let fractionDigits = 18
  package static let zero = Quantity(uncheckedAttos: 0)
  package static let max = Quantity(
    uncheckedAttos: Int128(Int64.max) * attosPerUnit + (attosPerUnit - 1))

  /// The value in attos, with the sign of the quantity.
  package let attos: Int128

  private init(uncheckedAttos attos: Int128) {
    self.attos = attos
  }

  /// Nil where the whole part would not fit an `Int64`.
  package init?(attos: Int128) {
    guard attos.magnitude <= Quantity.max.attos.magnitude else { return nil }
    self.init(uncheckedAttos: attos)
  }

  /// The form of the wire and of the usage database: whole units and the attos that are left, of the same
  /// sign. Nil where the signs differ, where `attos` is a whole unit or more, or out of range.
  package init?(units: Int64, attos: Int64) {
    guard Int128(attos).magnitude < Quantity.attosPerUnit.magnitude else { return nil }
    guard units == 0 || attos == 0 || (units < 0) == (attos < 0) else { return nil }
    self.init(attos: Int128(units) * Quantity.attosPerUnit + Int128(attos))
  }

  package init(_ units: Int32) {
    self.init(uncheckedAttos: Int128(units) * Quantity.attosPerUnit)
  }

  /// The whole part, rounded toward zero.
  package var units: Int64 { Int64(attos / Quantity.attosPerUnit) }

  /// What is left after the whole part, with the same sign, smaller than one unit.
  package var remainingAttos: Int64 { Int64(attos % Quantity.attosPerUnit) }

  /// The exact sum, or nil where it does not fit.
  package func adding(_ other: Quantity) -> Quantity? {
    let (sum, overflow) = attos.addingReportingOverflow(other.attos)
    return overflow ? nil : Quantity(attos: sum)
  }

  package var negated: Quantity { Quantity(uncheckedAttos: -attos) }

  /// `self × numerator ÷ denominator`, truncated toward zero at the 18th digit.
  ///
  /// For a part of a whole: `0 ≤ numerator ≤ denominator`, so the result always fits.
  package func part(_ numerator: UInt64, of denominator: UInt64) -> Quantity {
    precondition(denominator > 0 && numerator <= denominator, "a part is at most the whole")
    let product = attos.magnitude.multipliedFullWidth(by: UInt128(numerator))
    let (quotient, _) = UInt128(denominator).dividingFullWidth((product.high, product.low))
    let magnitude = Int128(quotient)
    return Quantity(uncheckedAttos: attos < 0 ? -magnitude : magnitude)
  }
}

extension Quantity: Comparable {
  package static func < (left: Quantity, right: Quantity) -> Bool { left.attos < right.attos }
}

/// Why a text is not a quantity.
package enum QuantityError: Error, Equatable {
  case notANumber
  /// More than 18 digits after the point that are not zero.
  case tooPrecise
  /// The whole part does not fit 64 bits.
  case tooLarge

  /// A phrase to follow the name of the field.
  package var explanation: String {
    switch self {
    case .notANumber: "is not a decimal number such as 12.5 or -3e-2"
    case .tooPrecise: "has more than 18 digits after the decimal point"
    case .tooLarge: "is too large: at most 9223372036854775807.999999999999999999 fits"
    }
  }
}

extension Quantity {
  /// Longest text that is looked at. Enough for any quantity with an exponent.
  package static let textBytesMax = 64

  /// Reads a JSON number (`-12.5`, `1.52587890625E-05`) exactly from its digits, never through a float.
  package init(parsing text: some StringProtocol) throws(QuantityError) {
    let bytes = Array(text.utf8)
    guard bytes.count <= Quantity.textBytesMax else { throw .notANumber }
    var cursor = 0
    func peek() -> UInt8? { cursor < bytes.count ? bytes[cursor] : nil }
    var negative = false
    if peek() == UInt8(ascii: "-") {
      negative = true
      cursor += 1
    }
    var digits: [UInt8] = []
    var digitsAfterPoint = 0
    func takeDigits() -> Int {
      let start = cursor
      while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        digits.append(byte - UInt8(ascii: "0"))
        cursor += 1
      }
      return cursor - start
    }
    let wholeDigits = takeDigits()
    guard wholeDigits == 1 || (wholeDigits > 1 && digits[0] != 0) else { throw .notANumber }
    if peek() == UInt8(ascii: ".") {
      cursor += 1
      digitsAfterPoint = takeDigits()
      guard digitsAfterPoint > 0 else { throw .notANumber }
    }
    var exponent = 0
    if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
      cursor += 1
      var exponentIsNegative = false
      if let sign = peek(), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        exponentIsNegative = sign == UInt8(ascii: "-")
        cursor += 1
      }
      let start = cursor
      while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        // Past this, any digit but zero is too large or too precise already.
        exponent = Swift.min(exponent * 10 + Int(byte - UInt8(ascii: "0")), 100_000)
        cursor += 1
      }
      guard cursor > start else { throw .notANumber }
      if exponentIsNegative { exponent = -exponent }
    }
    guard cursor == bytes.count else { throw .notANumber }
    try self.init(
      digits: digits, attosExponent: exponent - digitsAfterPoint + Quantity.fractionDigits,
      negative: negative)
  }

  /// The value of `digits × 10^attosExponent` attos.
  private init(digits: [UInt8], attosExponent: Int, negative: Bool) throws(QuantityError) {
    var digits = digits[...]
    while digits.first == 0 { digits.removeFirst() }
    var attosExponent = attosExponent
    while digits.last == 0 {
      digits.removeLast()
      attosExponent += 1
    }
    guard !digits.isEmpty else {
      self = .zero
      return
    }
    guard attosExponent >= 0 else { throw .tooPrecise }
    guard digits.count + attosExponent <= 19 + Quantity.fractionDigits else { throw .tooLarge }
    var magnitude: Int128 = 0
    for digit in digits { magnitude = magnitude * 10 + Int128(digit) }
    for _ in 0..<attosExponent { magnitude *= 10 }
    guard let quantity = Quantity(attos: negative ? -magnitude : magnitude) else {
      throw .tooLarge
    }
    self = quantity
  }
}

extension Quantity: CustomStringConvertible {
  /// The shortest exact decimal: no exponent, no needless zeros, `-` only before a value below zero.
  package var description: String { AsciiText.make { write(&$0) } }

  /// Appends `description`.
  package func append(to output: inout [UInt8]) {
    AsciiText.append(to: &output) { write(&$0) }
  }

  private func write(_ text: inout AsciiText) {
    let fraction = remainingAttos
    if attos < 0 { text.byte("-") }
    text.number(units.magnitude)
    guard fraction != 0 else { return }
    text.byte(".")
    text.fraction(fraction.magnitude, digits: Quantity.fractionDigits)
  }
}
