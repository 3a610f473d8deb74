/// How an exact amount becomes a whole number of the currency's smallest units. Each treats an amount and its negative
/// alike, so that a reversal cancels what it reverses.
package enum Rounding: String, Hashable, Sendable, CaseIterable {
  /// To the nearest, a half away from zero: 0.125 becomes 0.13 and −0.125 becomes −0.13. What invoices do.
  case halfAwayFromZero = "half-away-from-zero"
  /// To the nearest, a half to the even neighbour: 0.125 becomes 0.12 and 0.135 becomes 0.14.
  case halfEven = "half-even"
  /// To the nearest, a half toward zero: 0.125 becomes 0.12.
  case halfTowardZero = "half-toward-zero"
  /// Always away from zero: 0.121 becomes 0.13.
  case awayFromZero = "away-from-zero"
  /// Always toward zero: 0.129 becomes 0.12.
  case towardZero = "toward-zero"

  /// What applies where nothing is said.
  package static let standard = Rounding.halfAwayFromZero

  /// Whether a magnitude that is `remainder` of `unit` above a whole number becomes the next one.
  func goesUp(remainder: UInt128, of unit: UInt128, isOdd: Bool) -> Bool {
    guard remainder > 0 else { return false }
    let rest = unit - remainder
    switch self {
    case .halfAwayFromZero: return remainder >= rest
    case .halfTowardZero: return remainder > rest
    case .halfEven: return remainder > rest || (remainder == rest && isOdd)
    case .awayFromZero: return true
    case .towardZero: return false
    }
  }
}
