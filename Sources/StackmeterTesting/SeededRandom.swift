internal import Glibc

/// A source of random numbers that repeats itself: SplitMix64.
///
/// The seed comes from the environment variable `STACKMETER_SEED`, or is new in each run. A property test runs
/// in `withSeededRandom`, which names the seed when the test fails.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  package let seed: UInt64
  private var state: UInt64

  package init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  /// The seed of `STACKMETER_SEED` where that is set, else a new one.
  package init() throws(SeedError) {
    guard let text = getenv("STACKMETER_SEED").map({ String(cString: $0) }) else {
      self.init(seed: UInt64.random(in: .min ... .max))
      return
    }
    guard let seed = SeededRandom.seed(text) else { throw SeedError(text: text) }
    self.init(seed: seed)
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Reads a seed as it is printed, in decimal, or in hexadecimal after `0x`.
  package static func seed(_ text: String) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }
}

/// `STACKMETER_SEED` is set and is not a number.
package struct SeedError: Error, CustomStringConvertible {
  package let text: String

  package var description: String { "STACKMETER_SEED: \"\(text)\" is not a 64-bit number" }
}

/// What a property test threw, and the seed to see it again.
package struct SeededFailure: Error, CustomStringConvertible {
  package let seed: UInt64
  package let cause: any Error

  package init(seed: UInt64, cause: any Error) {
    self.seed = seed
    self.cause = cause
  }

  package var description: String { "with STACKMETER_SEED=\(seed): \(cause)" }
}

/// Runs a property test. Say what fails by throwing (`try #require`): the error then names the seed.
package func withSeededRandom<Result>(
  _ body: (inout SeededRandom) throws -> Result
) throws -> Result {
  var random = try SeededRandom()
  do {
    return try body(&random)
  } catch {
    throw SeededFailure(seed: random.seed, cause: error)
  }
}
