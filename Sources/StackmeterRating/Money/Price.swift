package import StackmeterCore

/// What one unit costs, exactly: never below zero, with up to 18 digits after the point.
///
/// A rate card writes at most 12 digits. The others are what a package size and a discount need: 0.0036 for 10000
/// less 12.5 % is 0.000000315 each, and not about that.
package struct Price: Hashable, Sendable {
  package static let fractionDigits = 18
  /// Digits after the point that a rate card may write.
  package static let cardDigitsMax = 12
  /// The largest that a rate card may write, in units of the currency.
  package static let unitsMax: Int128 = 999_999_999_999
  package static let zero = Price(uncheckedAttos: 0)

  /// The price in 10⁻¹⁸ of the currency's unit.
  package let attos: Int128

  private init(uncheckedAttos attos: Int128) {
    self.attos = attos
  }

  /// Nil below zero and past `unitsMax`.
  package init?(attos: Int128) {
    guard attos >= 0, attos / Quantity.attosPerUnit <= Price.unitsMax else { return nil }
    self.init(uncheckedAttos: attos)
  }

  /// Reads a price as a rate card writes it.
  package init(parsing text: some StringProtocol) throws(DecimalError) {
    let value = try PlainDecimal.parse(text, fractionDigits: Price.cardDigitsMax)
    guard value >= 0 else { throw .negative }
    let (attos, overflow) = value.multipliedReportingOverflow(
      by: PlainDecimal.powerOfTen(Price.fractionDigits - Price.cardDigitsMax))
    guard !overflow, let price = Price(attos: attos) else { throw .tooLarge }
    self = price
  }

  /// The price of one where this is the price of `size`; nil where it has more than 18 digits.
  package func divided(by size: Quantity) -> Price? {
    guard size > .zero else { return nil }
    // attos × 10¹⁸ ÷ size: below 2²²⁸.
    let product = attos.magnitude.multipliedFullWidth(by: Quantity.attosPerUnit.magnitude)
    let (quotient, remainder) = Cost.divide(
      (product.high, product.low), by: size.attos.magnitude)
    guard remainder == 0, quotient.high == 0 else { return nil }
    return Int128(exactly: quotient.low).flatMap { Price(attos: $0) }
  }

  /// The price that is left after a discount; nil where it has more than 18 digits.
  package func discounted(by percent: Percent) -> Price? {
    let left = Int128(Percent.whole - percent.partsPerMillion)
    let (quotient, rest) = attos.quotientAndRemainder(dividingBy: Int128(Percent.whole))
    let (fraction, remainder) = (rest * left).quotientAndRemainder(
      dividingBy: Int128(Percent.whole))
    return remainder == 0 ? Price(attos: quotient * left + fraction) : nil
  }

  /// The exact cost of a quantity. Always fits.
  package func times(_ quantity: Quantity) -> Cost {
    Cost(attos: attos, by: quantity.attos)
  }
}

extension Price: Comparable, CustomStringConvertible {
  package static func < (left: Price, right: Price) -> Bool { left.attos < right.attos }

  /// The shortest exact decimal.
  package var description: String {
    PlainDecimal.text(attos, fractionDigits: Price.fractionDigits)
  }
}

/// A share of a whole between 0 % and 100 %, with up to four digits after the point.
package struct Percent: Hashable, Sendable, CustomStringConvertible {
  /// The parts of the whole.
  static let whole = 1_000_000
  package static let zero = Percent(unchecked: 0)

  let partsPerMillion: Int

  private init(unchecked parts: Int) {
    partsPerMillion = parts
  }

  /// Reads `12.5`, without the sign of percent.
  package init(parsing text: some StringProtocol) throws(DecimalError) {
    let parts = try PlainDecimal.parse(text, fractionDigits: 4)
    guard parts >= 0 else { throw .negative }
    guard parts <= Percent.whole else { throw .tooLarge }
    self.init(unchecked: Int(parts))
  }

  /// What is left of the whole.
  package var complement: Percent { Percent(unchecked: Percent.whole - partsPerMillion) }

  /// `12.5%`.
  package var description: String {
    PlainDecimal.text(Int128(partsPerMillion), fractionDigits: 4) + "%"
  }
}
