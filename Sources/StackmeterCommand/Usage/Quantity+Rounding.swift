internal import StackmeterCore

extension Quantity {
  /// The decimal with exactly `digits` (0 to 18) digits after the point, rounded half away from zero.
  ///
  /// For the eye only: what is stored and exported is never rounded.
  func rounded(digits: Int) -> String {
    precondition((0...Quantity.fractionDigits).contains(digits), "digits of a quantity's fraction")
    var step: UInt128 = 1
    for _ in digits..<Quantity.fractionDigits { step *= 10 }
    let steps = (attos.magnitude + step / 2) / step
    var scale: UInt128 = 1
    for _ in 0..<digits { scale *= 10 }
    let sign = attos < 0 && steps > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(steps)" }
    let fraction = String(steps % scale)
    let zeros = String(repeating: "0", count: digits - fraction.utf8.count)
    return "\(sign)\(steps / scale).\(zeros)\(fraction)"
  }
}
