extension Cost {
  /// The exact product; nil where it does not fit.
  func times(_ factor: UInt64) -> Cost? {
    let (magnitude, isNegative) = (magnitude, isNegative)
    let low = magnitude.low.multipliedFullWidth(by: UInt128(factor))
    let (high, overflow) = magnitude.high.multipliedReportingOverflow(by: UInt128(factor))
    let (top, more) = high.addingReportingOverflow(low.high)
    guard !overflow, !more else { return nil }
    return Cost(magnitude: (top, low.low), isNegative: isNegative)
  }

  /// The count of 10^-`fractionDigits` that is nearest to `numerator ÷ denominator` of it by `rounding`, rounded once;
  /// nil where it does not fit.
  func rounded(
    _ numerator: UInt64, over denominator: UInt64, fractionDigits: Int, _ rounding: Rounding
  ) -> Int128? {
    precondition(denominator > 0, "a part of nothing")
    // Both doubled: then a half of the whole is a whole number of parts, and what is below a part can not make one.
    guard let product = times(numerator * 2) else { return nil }
    let whole = UInt128(denominator) * 2
    let unit = UInt128(PlainDecimal.powerOfTen(Cost.fractionDigits - fractionDigits))
    let (parts, dust) = Cost.divide(product.magnitude, by: unit)
    let (quotient, rest) = Cost.divide(parts, by: whole)
    guard quotient.high == 0, var units = Int128(exactly: quotient.low), units < .max else {
      return nil
    }
    let remainder = rest * 2 + (dust == 0 ? 0 : 1)
    if rounding.goesUp(remainder: remainder, of: whole * 2, isOdd: units & 1 == 1) { units += 1 }
    return isNegative ? -units : units
  }

  /// The count of 10^-`fractionDigits` that is nearest to a share of it by `rounding`, rounded once; nil where it does
  /// not fit.
  func rounded(_ share: Percent, fractionDigits: Int, _ rounding: Rounding) -> Int128? {
    rounded(
      UInt64(share.partsPerMillion), over: UInt64(Percent.whole), fractionDigits: fractionDigits,
      rounding)
  }
}
