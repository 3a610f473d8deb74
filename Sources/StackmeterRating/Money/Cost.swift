package import StackmeterCore

/// An exact amount of money before it is rounded: what a price times a quantity is, and sums of that.
///
/// A count of 10⁻³⁶ of the currency's unit in 256 bits: a quantity has 18 digits after the point and so has a price,
/// so that their product has 36 and is never rounded. No product can overflow; a sum that would is nil. The currency
/// is that of the rate card that made it; only `Money` names one.
package struct Cost: Hashable, Sendable {
  /// The number of digits after the decimal point.
  package static let fractionDigits = 36
  package static let zero = Cost(high: 0, low: 0)

  /// The upper half, with the sign: two's complement over both halves.
  let high: Int128
  let low: UInt128

  init(high: Int128, low: UInt128) {
    self.high = high
    self.low = low
  }

  /// The exact product of two counts of 10⁻¹⁸. Always fits.
  init(attos: Int128, by other: Int128) {
    let product = attos.multipliedFullWidth(by: other)
    self.init(high: product.high, low: product.low)
  }

  package var isZero: Bool { high == 0 && low == 0 }
  package var isNegative: Bool { high < 0 }

  /// The exact sum, or nil where it does not fit.
  package func adding(_ other: Cost) -> Cost? {
    let (low, carry) = self.low.addingReportingOverflow(other.low)
    let (sum, overflow) = high.addingReportingOverflow(other.high)
    guard carry else { return overflow ? nil : Cost(high: sum, low: low) }
    // The carry may bring a sum back that was one below the least.
    let (carried, more) = sum.addingReportingOverflow(1)
    return overflow == more ? Cost(high: carried, low: low) : nil
  }

  /// The exact difference, or nil where it does not fit.
  package func subtracting(_ other: Cost) -> Cost? {
    other.negated.flatMap(adding)
  }

  /// Nil for the least that fits, which has no opposite.
  package var negated: Cost? {
    let (low, carry) = (~self.low).addingReportingOverflow(1)
    guard carry else { return Cost(high: ~high, low: low) }
    let (high, overflow) = (~self.high).addingReportingOverflow(1)
    return overflow ? nil : Cost(high: high, low: low)
  }

  /// The amount without its sign.
  var magnitude: (high: UInt128, low: UInt128) {
    guard isNegative else { return (high.magnitude, low) }
    let (low, carry) = (~self.low).addingReportingOverflow(1)
    return (UInt128(bitPattern: ~high) &+ (carry ? 1 : 0), low)
  }

  /// Nil where the magnitude does not fit 255 bits.
  init?(magnitude: (high: UInt128, low: UInt128), isNegative: Bool) {
    guard let high = Int128(exactly: magnitude.high) else { return nil }
    let positive = Cost(high: high, low: magnitude.low)
    guard isNegative else {
      self = positive
      return
    }
    guard let negative = positive.negated else { return nil }
    self = negative
  }
}

extension Cost: Comparable {
  package static func < (left: Cost, right: Cost) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }
}

extension Cost {
  /// The magnitude divided by `divisor`, and what is left.
  private func dividedMagnitude(by divisor: UInt128)
    -> (quotient: (high: UInt128, low: UInt128), remainder: UInt128)
  {
    Cost.divide(magnitude, by: divisor)
  }

  static func divide(_ dividend: (high: UInt128, low: UInt128), by divisor: UInt128)
    -> (quotient: (high: UInt128, low: UInt128), remainder: UInt128)
  {
    let (high, rest) = dividend.high.quotientAndRemainder(dividingBy: divisor)
    if rest == 0 && dividend.low < divisor { return ((high, 0), dividend.low) }
    let (low, remainder) = divisor.dividingFullWidth((rest, dividend.low))
    return ((high, low), remainder)
  }

  /// The cost to as many digits as a quantity has, for readers that have no more; nil where it does not fit.
  package var nearestQuantity: Quantity? {
    rounded(fractionDigits: Quantity.fractionDigits, .standard).flatMap { Quantity(attos: $0) }
  }

  /// The count of 10^-`fractionDigits` that is nearest by `rounding`; nil where it does not fit 128 bits.
  func rounded(fractionDigits: Int, _ rounding: Rounding) -> Int128? {
    precondition((0...Cost.fractionDigits).contains(fractionDigits), "digits that a cost has")
    let unit = UInt128(PlainDecimal.powerOfTen(Cost.fractionDigits - fractionDigits))
    let (quotient, remainder) = dividedMagnitude(by: unit)
    guard quotient.high == 0, var units = Int128(exactly: quotient.low), units < .max else {
      return nil
    }
    if rounding.goesUp(remainder: remainder, of: unit, isOdd: units & 1 == 1) { units += 1 }
    return isNegative ? -units : units
  }

  /// The count of 10^-`fractionDigits` at or below it, and how far above that it is, in 10⁻³⁶; nil where that count
  /// does not fit.
  func floored(fractionDigits: Int) -> (units: Int128, remainder: UInt128)? {
    let unit = UInt128(PlainDecimal.powerOfTen(Cost.fractionDigits - fractionDigits))
    let (quotient, remainder) = dividedMagnitude(by: unit)
    guard quotient.high == 0, let units = Int128(exactly: quotient.low), units < .max else {
      return nil
    }
    guard isNegative else { return (units, remainder) }
    return remainder == 0 ? (-units, 0) : (-units - 1, unit - remainder)
  }
}

extension Cost: CustomStringConvertible {
  /// The shortest exact decimal, without an exponent.
  package var description: String {
    var digits = ""
    var rest = magnitude
    let chunk = UInt128(PlainDecimal.powerOfTen(18))
    while rest != (0, 0) {
      let (quotient, remainder) = Cost.divide(rest, by: chunk)
      let text = String(remainder)
      let isLast = quotient == (0, 0)
      digits = (isLast ? "" : String(repeating: "0", count: 18 - text.utf8.count)) + text + digits
      rest = quotient
    }
    return PlainDecimal.text(
      digits: digits, isNegative: isNegative, fractionDigits: Cost.fractionDigits)
  }

  /// Longest text that is looked at: the longest cost has 79 bytes.
  package static let textBytesMax = 96

  /// Reads what `description` writes, and any plain decimal that fits; nil for all else.
  package init?(parsing text: some StringProtocol) {
    var bytes = Array(text.utf8)[...]
    guard bytes.count <= Cost.textBytesMax else { return nil }
    let isNegative = bytes.first == UInt8(ascii: "-")
    if isNegative { bytes.removeFirst() }
    let parts = bytes.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }),
      parts[0].count == 1 || parts[0].first != 0x30
    else { return nil }
    var fraction = parts.count == 2 ? Array(parts[1]) : []
    while fraction.last == 0x30 { fraction.removeLast() }
    guard fraction.count <= Cost.fractionDigits else { return nil }
    fraction += Array(repeating: 0x30, count: Cost.fractionDigits - fraction.count)
    var value: (high: UInt128, low: UInt128) = (0, 0)
    for byte in parts[0] + fraction {
      let low = value.low.multipliedFullWidth(by: 10)
      let (high, overflow) = value.high.multipliedReportingOverflow(by: 10)
      let (sum, carry) = low.low.addingReportingOverflow(UInt128(byte - 0x30))
      let (top, more) = high.addingReportingOverflow(low.high + (carry ? 1 : 0))
      guard !overflow, !more else { return nil }
      value = (top, sum)
    }
    self.init(magnitude: value, isNegative: isNegative)
  }
}
