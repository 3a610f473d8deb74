/// How much an amount may differ from another, as a share of that.
package struct PriceLimit: Hashable, Sendable, CustomStringConvertible {
  /// In percent.
  package static let percentMax: Int128 = 100_000

  private let partsPerMillion: Int128

  /// Reads `5%` or `0.5%`, with at most four digits behind the point.
  package init(parsing text: String) throws(DecimalError) {
    guard text.hasSuffix("%") else { throw .notANumber }
    let parts = try PlainDecimal.parse(text.dropLast(), fractionDigits: 4)
    guard parts >= 0 else { throw .negative }
    guard parts <= PriceLimit.percentMax * 10_000 else { throw .tooLarge }
    partsPerMillion = parts
  }

  /// Whether the two differ by more than the share of the first. Nothing is divided, so nothing is rounded; what was
  /// free and is not any more differs by more than any share.
  package func isPassed(from current: Money, to tried: Money) -> Bool {
    let change = (tried.minorUnits - current.minorUnits).magnitude
    let (left, leftOverflow) = change.multipliedReportingOverflow(by: 1_000_000)
    let (right, rightOverflow) = current.minorUnits.magnitude.multipliedReportingOverflow(
      by: UInt128(partsPerMillion))
    return rightOverflow ? false : leftOverflow || left > right
  }

  package var description: String {
    "\(PlainDecimal.text(partsPerMillion, fractionDigits: 4))%"
  }
}
