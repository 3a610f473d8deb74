internal import StackmeterCore
internal import Testing

@testable import AgentServer

/// A generator whose seed makes a run repeatable.
private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite struct AgentCrashTests {
  /// A crash is the release of the agent: what only it knew is gone, and the state file stays as it is.
  @Test(arguments: UInt64(1)...10)
  func `an agent that crashes at any time counts every unit once`(seed: UInt64) async throws {
    try await TestHost.with { host in
      var random = SeededGenerator(state: seed)
      var ticks = 0
      var received: UInt64 = 0
      func grow() {
        ticks += Int.random(in: 0...500, using: &random)
        received += UInt64.random(in: 0...1_000_000, using: &random)
        host.kernel.setProcess(10, own: ticks, user: 7)
        host.kernel.setInterfaces([("eth0", 2, received, 0)])
      }
      host.kernel.setProcess(10, own: 0, user: 7)
      host.kernel.setInterfaces([("eth0", 2, 0, 0)])
      var agent: Agent? = try host.agent()
      await agent!.sample()
      for _ in 0..<100 {
        host.clock.advance(seconds: Int.random(in: 1...40, using: &random))
        grow()
        let behaviours: [TestCollector.Behaviour] = [.accept, .unreachable, .silent]
        host.collector.behave(behaviours.randomElement(using: &random)!)
        if Bool.random(using: &random) { await agent!.sample() }
        if Bool.random(using: &random) { await agent!.deliver() }
        if Int.random(in: 0..<8, using: &random) == 0 {
          agent = nil
          agent = try host.agent()
        }
      }
      host.collector.behave(.accept)
      host.clock.advance(seconds: 60)
      await agent!.sample()
      await agent!.deliver()
      #expect(host.collector.conflicts == 0)
      #expect(host.collector.total(.cpu).attos == Int128(ticks) * Quantity.attosPerUnit / 100)
      #expect(host.collector.total(.networkIn).attos == Int128(received) * Quantity.attosPerUnit)
    }
  }
}
