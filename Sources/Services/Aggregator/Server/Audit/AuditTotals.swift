internal import StackmeterCore

/// What the usage of one window comes to: a sum for each meter and each share of the subscriptions.
///
/// Sums wrap around, so that they can be compared whatever they come to; equal sums are equal usage.
struct AuditTotals: Equatable {
  /// A subscription belongs to one of so many shares, so that usage which was moved to another shows, and all fit
  /// in memory.
  static let shares = 64

  private var sums: [ExactText: [Int128]] = [:]

  /// The share of a subscription, the same on every host.
  static func share(of subscription: String) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in subscription.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return Int((hash >> 32) % UInt64(shares))
  }

  mutating func add(_ attos: Int128, of meter: ExactText, share: Int) {
    sums[meter, default: Array(repeating: 0, count: AuditTotals.shares)][share] &+= attos
  }

  /// The first meter among `meters` whose sums differ, and what they come to here and there.
  func difference(
    from other: AuditTotals, of meters: Set<ExactText>
  ) -> (meter: String, own: Int128, other: Int128)? {
    let none = Array(repeating: Int128(0), count: AuditTotals.shares)
    let known = Set(sums.keys).union(other.sums.keys).intersection(meters)
    for meter in known.sorted(by: { $0.text < $1.text }) {
      let (own, others) = (sums[meter] ?? none, other.sums[meter] ?? none)
      guard own != others else { continue }
      return (meter.text, own.reduce(0, &+), others.reduce(0, &+))
    }
    return nil
  }
}
