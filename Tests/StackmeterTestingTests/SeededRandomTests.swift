import Glibc
import StackmeterTesting
import Testing

@Suite struct SeededRandomTests {
  @Test func `the numbers of a seed are those of SplitMix64`() {
    var random = SeededRandom(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
    #expect(random.next() == 9_817_491_932_198_370_423)
  }

  @Test func `a seed is read in decimal and in hexadecimal`() {
    #expect(SeededRandom.seed("18446744073709551615") == .max)
    #expect(SeededRandom.seed("0xff") == 255)
    #expect(SeededRandom.seed("") == nil && SeededRandom.seed("-1") == nil)
    #expect(SeededRandom.seed("18446744073709551616") == nil)
  }

  @Test func `a failure names the seed that shows it again`() throws {
    struct Cause: Error {}
    var seed: UInt64 = 0
    let failure = #expect(throws: SeededFailure.self) {
      try withSeededRandom { random in
        seed = random.seed
        throw Cause()
      }
    }
    #expect(failure?.seed == seed)
    #expect(failure?.description.contains("STACKMETER_SEED=\(seed)") == true)
  }

  @Test func `the seed of the environment is used and a bad one is an error`() async {
    await #expect(processExitsWith: .success) {
      setenv("STACKMETER_SEED", "0x10", 1)
      let seed = try SeededRandom().seed
      precondition(seed == 16, "the seed is not that of the environment")
    }
    await #expect(processExitsWith: .failure) {
      setenv("STACKMETER_SEED", "sixteen", 1)
      _ = try SeededRandom()
    }
  }
}
