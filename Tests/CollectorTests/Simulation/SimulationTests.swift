import Glibc
import StackmeterTesting
import Testing

@testable import CollectorServer

/// Lives of collectors, each made of one seed, against a plain model.
///
/// `STACKMETER_SIMULATIONS` says how many; with `STACKMETER_SEED` it is the one life of that seed.
@Suite(.serialized) struct SimulationTests {
  private static let livesDefault = 2000
  /// What is told of a life that failed: what it did last.
  private static let linesMax = 60

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Lives through one seed; a failure is lived through again, to tell of it.
  private static func live(_ seed: UInt64) throws {
    TrapReport.begin(seed)
    var life = SimulatedLife(seed: seed, trace: SimulationTrace(isOn: false))
    do { try life.run() } catch {
      var again = SimulatedLife(seed: seed, trace: SimulationTrace(isOn: true))
      var problem = "\(error)"
      do { try again.run() } catch { problem = "\(error)" }
      let steps = again.trace.lines.suffix(linesMax).joined(separator: "\n  ")
      throw Failure(description: "with STACKMETER_SEED=\(seed): \(problem)\nafter\n  \(steps)")
    }
  }

  private static func count() throws -> Int {
    guard let text = getenv("STACKMETER_SIMULATIONS").map({ String(cString: $0) }) else {
      return livesDefault
    }
    return try #require(
      Int(text).flatMap { $0 > 0 ? $0 : nil },
      "STACKMETER_SIMULATIONS: \"\(text)\" is not a number of lives")
  }

  @Test func `whatever fails, every acknowledged event is kept exactly once and counted right`()
    throws
  {
    if getenv("STACKMETER_SEED") != nil { return try Self.live(SeededRandom().seed) }
    // The same lives every time, so that a failure is there until it is mended; more of them are other ones.
    for seed in 1...UInt64(try Self.count()) { try Self.live(seed) }
  }

  @Test func `one seed is one life`() throws {
    try withSeededRandom { random in
      let seed = random.next()
      TrapReport.begin(seed)
      let traces = try (0..<2).map { _ in
        var life = SimulatedLife(seed: seed, trace: SimulationTrace(isOn: true))
        try life.run()
        return life.trace.lines
      }
      try #require(traces[0] == traces[1] && !traces[0].isEmpty)
    }
  }

  @Test func `a trap names the seed of the life that it ends`() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      TrapReport.begin(1)
      TrapReport.begin(4711)
      preconditionFailure("a trap")
    }
    let told = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(told.contains("trapped with STACKMETER_SEED=4711\n"))
  }
}
