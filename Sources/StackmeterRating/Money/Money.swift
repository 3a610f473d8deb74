package import StackmeterCore

/// An amount of a currency in whole smallest units: what stands on a statement.
package struct Money: Hashable, Sendable {
  package let currency: Currency
  /// Cents of EUR, yen of JPY, fils of BHD.
  package let minorUnits: Int128

  package init(_ minorUnits: Int128, _ currency: Currency) {
    self.minorUnits = minorUnits
    self.currency = currency
  }

  package static func zero(_ currency: Currency) -> Money { Money(0, currency) }

  /// Rounds an exact amount; nil where it does not fit 128 bits.
  package init?(_ cost: Cost, _ currency: Currency, _ rounding: Rounding) {
    guard
      let units = cost.rounded(fractionDigits: currency.fractionDigits, rounding)
    else { return nil }
    self.init(units, currency)
  }

  /// Reads `12.50`. More digits than the currency has are an error.
  package init(parsing text: some StringProtocol, _ currency: Currency) throws(DecimalError) {
    self.init(
      try PlainDecimal.parse(text, fractionDigits: currency.fractionDigits), currency)
  }

  /// The exact sum. Amounts of two currencies have none.
  package func adding(_ other: Money) throws(MoneyError) -> Money {
    guard currency == other.currency else {
      throw .twoCurrencies(currency.code, other.currency.code)
    }
    let (sum, overflow) = minorUnits.addingReportingOverflow(other.minorUnits)
    guard !overflow, sum != .min else { throw .tooLarge }
    return Money(sum, currency)
  }

  package var negated: Money { Money(-minorUnits, currency) }
  package var isZero: Bool { minorUnits == 0 }
  package var isNegative: Bool { minorUnits < 0 }

  /// The same amount as an exact one; nil past 5 × 10⁴⁰ units.
  package var cost: Cost? {
    let unit = UInt128(PlainDecimal.powerOfTen(Cost.fractionDigits - currency.fractionDigits))
    let product = minorUnits.magnitude.multipliedFullWidth(by: unit)
    return Cost(magnitude: (product.high, product.low), isNegative: minorUnits < 0)
  }

  /// The amount with all digits that the currency has: `12.50`, `1250`, `1.250`.
  package var amountText: String {
    PlainDecimal.text(
      minorUnits, fractionDigits: currency.fractionDigits,
      leastFraction: currency.fractionDigits)
  }
}

extension Money: CustomStringConvertible {
  /// `12.50 EUR`.
  package var description: String { "\(amountText) \(currency.code)" }
}

/// Why amounts have no sum, or no shares.
package enum MoneyError: Error, Equatable, CustomStringConvertible {
  case twoCurrencies(String, String)
  case tooLarge
  /// A share by a weight below zero, or by weights that are all zero.
  case noWeight

  package var description: String {
    switch self {
    case .twoCurrencies(let one, let other):
      "an amount in \(one) and one in \(other) have no sum: rate each currency by itself"
    case .tooLarge: "the amount does not fit 128 bits of the smallest unit"
    case .noWeight: "the weights must not be below zero, and not all zero"
    }
  }
}

extension Money {
  /// Shares in the proportion of the weights that sum to the whole, by the largest remainder: each share is rounded
  /// toward zero, and what is left goes, one smallest unit each, to the shares that lost most; of those that lost the
  /// same, to the first. The shares of a negative amount are those of the positive one, negated.
  package func allocated(by weights: [Quantity]) throws(MoneyError) -> [Money] {
    var total: UInt128 = 0
    for weight in weights {
      guard weight >= .zero else { throw .noWeight }
      let (sum, overflow) = total.addingReportingOverflow(weight.attos.magnitude)
      guard !overflow else { throw .tooLarge }
      total = sum
    }
    guard total > 0 else { throw .noWeight }
    var shares: [UInt128] = []
    var remainders: [UInt128] = []
    var left = minorUnits.magnitude
    for weight in weights {
      let product = minorUnits.magnitude.multipliedFullWidth(by: weight.attos.magnitude)
      let (quotient, remainder) = Cost.divide((product.high, product.low), by: total)
      shares.append(quotient.low)
      remainders.append(remainder)
      left -= quotient.low
    }
    for index in largestFirst(remainders).prefix(Int(left)) { shares[index] += 1 }
    return shares.map { Money(isNegative ? -Int128($0) : Int128($0), currency) }
  }

  /// The whole divided between exact parts, each of either sign: each gets what it is, rounded down, and what is left
  /// goes to those that lost most; of those that lost the same, to the first. The whole is usually the sum of the
  /// parts, rounded; where it is more or less than the parts can explain, all take their share of that.
  package func apportioned(over parts: [Cost]) throws(MoneyError) -> [Money] {
    guard !parts.isEmpty else {
      guard isZero else { throw .noWeight }
      return []
    }
    var shares: [Int128] = []
    var remainders: [UInt128] = []
    var left = minorUnits
    for part in parts {
      guard let (units, remainder) = part.floored(fractionDigits: currency.fractionDigits) else {
        throw .tooLarge
      }
      shares.append(units)
      remainders.append(remainder)
      let (difference, overflow) = left.subtractingReportingOverflow(units)
      guard !overflow else { throw .tooLarge }
      left = difference
    }
    let count = Int128(parts.count)
    let each = left >= 0 ? left / count : (left - count + 1) / count
    let first = Int(left - each * count)
    for index in shares.indices { shares[index] += each }
    for index in largestFirst(remainders).prefix(first) { shares[index] += 1 }
    return shares.map { Money($0, currency) }
  }

  /// Indices by remainder, the largest first; equal ones in their order.
  private func largestFirst(_ remainders: [UInt128]) -> [Int] {
    remainders.indices.sorted {
      remainders[$0] != remainders[$1] ? remainders[$0] > remainders[$1] : $0 < $1
    }
  }
}
