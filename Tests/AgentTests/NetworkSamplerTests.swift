internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct NetworkSamplerTests {
  private let kernel = FixtureKernel()
  private let sampler = NetworkSampler(ignored: [NamePattern("lo"), NamePattern("veth*")])

  private func state() throws -> AgentState {
    var state = AgentState(bootID: "b", now: Instant(seconds: 0))
    kernel.setInterfaces([("lo", 1, 9, 9), ("eth0", 2, 1000, 500)])
    try sampler.sample(kernel, into: &state)
    return state
  }

  private func bytes(_ meter: AgentMeter, _ name: String, _ state: AgentState) -> Int128? {
    state.accumulators[Account(meter: meter, subject: Subject(.networkInterface, name))]?.units
  }

  @Test func `bytes count from the first reading`() throws {
    var state = try state()
    #expect(state.accumulators.isEmpty)
    kernel.setInterfaces([("lo", 1, 99, 99), ("eth0", 2, 1700, 501)])
    try sampler.sample(kernel, into: &state)
    #expect(bytes(.networkIn, "eth0", state) == 700)
    #expect(bytes(.networkOut, "eth0", state) == 1)
    #expect(bytes(.networkIn, "lo", state) == nil)
  }

  @Test func `a counter that went back starts again from zero`() throws {
    var state = try state()
    kernel.setInterfaces([("eth0", 2, 40, 600)])
    try sampler.sample(kernel, into: &state)
    #expect(bytes(.networkIn, "eth0", state) == 40)
    #expect(bytes(.networkOut, "eth0", state) == 100)
  }

  @Test func `a new interface and one that was made again count from zero`() throws {
    var state = try state()
    kernel.setInterfaces([("eth0", 5, 1001, 501), ("tap1", 6, 3, 4), ("veth9", 7, 3, 4)])
    try sampler.sample(kernel, into: &state)
    #expect(bytes(.networkIn, "eth0", state) == 1001)
    #expect(bytes(.networkIn, "tap1", state) == 3)
    #expect(bytes(.networkIn, "veth9", state) == nil)
  }

  @Test func `an interface that is no longer ignored counts from then`() throws {
    var state = try state()
    kernel.setInterfaces([("lo", 1, 109, 9)])
    try NetworkSampler(ignored: []).sample(kernel, into: &state)
    #expect(bytes(.networkIn, "lo", state) == 100)
  }
}
