/// SplitMix64: the same numbers for the same seed, on every host.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return SplitMix.mix(state)
  }

  /// Maps different numbers to different numbers that look like chance.
  @inline(__always)
  static func mix(_ number: UInt64) -> UInt64 {
    var mixed = number
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number below `bound`, at most 2³², from the upper half of `word`.
  @inline(__always)
  static func below(_ bound: UInt64, _ word: UInt64) -> UInt64 {
    ((word >> 32) &* bound) >> 32
  }
}
