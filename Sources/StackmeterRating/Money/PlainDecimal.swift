/// Decimal numbers as people write them, `12.50`: digits, at most one point, perhaps a minus. No exponent, no sign for
/// plus, no spaces, no separators of thousands.
enum PlainDecimal {
  /// Longest text that is looked at: more than any number that fits.
  static let textBytesMax = 64

  /// Reads a number as a count of 10^-`fractionDigits`.
  static func parse(_ text: some StringProtocol, fractionDigits: Int)
    throws(DecimalError) -> Int128
  {
    var bytes = Array(text.utf8)[...]
    guard bytes.count <= textBytesMax else { throw .notANumber }
    let isNegative = bytes.first == UInt8(ascii: "-")
    if isNegative { bytes.removeFirst() }
    let parts = bytes.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }),
      parts[0].count == 1 || parts[0].first != 0x30
    else { throw .notANumber }
    var fraction = parts.count == 2 ? Array(parts[1]) : []
    while fraction.last == 0x30 { fraction.removeLast() }
    guard fraction.count <= fractionDigits else { throw .tooPrecise(digits: fractionDigits) }
    fraction += Array(repeating: 0x30, count: fractionDigits - fraction.count)
    var value: Int128 = 0
    for byte in parts[0] + fraction {
      let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, more) = shifted.addingReportingOverflow(Int128(byte - 0x30))
      guard !overflow, !more else { throw .tooLarge }
      value = sum
    }
    return isNegative ? -value : value
  }

  /// The shortest text of a count of 10^-`fractionDigits`, but with at least `leastFraction` digits after the point.
  static func text(_ value: Int128, fractionDigits: Int, leastFraction: Int = 0) -> String {
    text(
      digits: String(value.magnitude), isNegative: value < 0, fractionDigits: fractionDigits,
      leastFraction: leastFraction)
  }

  /// As above, of a magnitude that is given by its digits.
  static func text(
    digits: String, isNegative: Bool, fractionDigits: Int, leastFraction: Int = 0
  ) -> String {
    var digits = digits
    return digits.withUTF8 { digits in
      let length = max(digits.count, fractionDigits + 1)
      let zeros = length - digits.count
      func digit(_ index: Int) -> UInt8 { index < zeros ? 0x30 : digits[index - zeros] }
      let whole = length - fractionDigits
      var end = length
      while end - whole > leastFraction, digit(end - 1) == 0x30 { end -= 1 }
      // A sign and a point may come to the digits.
      return String(unsafeUninitializedCapacity: length + 2) { text in
        var count = 0
        func append(_ byte: UInt8) {
          text[count] = byte
          count += 1
        }
        if isNegative { append(UInt8(ascii: "-")) }
        for index in 0..<whole { append(digit(index)) }
        if end > whole { append(UInt8(ascii: ".")) }
        for index in whole..<end { append(digit(index)) }
        return count
      }
    }
  }

  /// 10 to the power of `exponent`.
  static func powerOfTen(_ exponent: Int) -> Int128 {
    var power: Int128 = 1
    for _ in 0..<exponent { power *= 10 }
    return power
  }
}

/// Why a text is not the number that is wanted.
package enum DecimalError: Error, Equatable {
  case notANumber
  /// It has more digits after the point than these, and they are not zero.
  case tooPrecise(digits: Int)
  case tooLarge
  /// It is below zero where that makes no sense.
  case negative

  /// A phrase to follow the number.
  package var explanation: String {
    switch self {
    case .notANumber: "is not a decimal number such as 12.5 (digits and a point, no comma)"
    case .tooPrecise(let digits):
      digits == 0
        ? "has digits after the point; a whole number is wanted"
        : "has more than \(digits) digits after the point"
    case .tooLarge: "is too large"
    case .negative: "is below zero"
    }
  }
}
