internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct AgentStateTests {
  private func sample() -> AgentState {
    var state = AgentState(bootID: "b", now: Instant(nanoseconds: 7))
    state.sequence = 3
    state.sampledAt = Instant(nanoseconds: 9)
    state.processes.isKnown = true
    state.processes.entries[4] = ProcessBaseline(
      parent: 1, start: 2, user: 4_294_967_295, own: 5, reaped: 6)
    state.interfaces.isKnown = true
    state.interfaces.entries["eth0"] = InterfaceBaseline(index: 2, received: .max, sent: 1)
    state.cgroupPatterns = ["/a/*", "/b"]
    let account = Account(meter: .memory, subject: Subject(.cgroup, "/a \"b\"\u{1}"))
    state.gauges[account] = 11
    state.accumulators[account] = Accumulator(units: -(1 << 100), carry: 12)
    state.pending = [
      UsageEvent(
        id: "i", source: "s",
        series: Series(
          subscription: "u", meter: "m", resource: Resource(uri: "/r", location: "l")),
        usageStart: Instant(nanoseconds: 1), usageEnd: Instant(nanoseconds: 2),
        quantity: Quantity(attos: 123_456_789_012_345_678_901)!)
    ]
    return state
  }

  @Test func `a state is read as it was written`() throws {
    let state = sample()
    #expect(try AgentState(json: state.json()) == state)
  }

  @Test func `a state that was damaged is refused`() throws {
    let bytes = sample().json()
    #expect(throws: StateProblem.self) { try AgentState(json: Array(bytes.dropLast(3))) }
    #expect(throws: StateProblem.self) { try AgentState(json: []) }
    #expect(throws: StateProblem.self) { try AgentState(json: Array(#"{"version":2}"#.utf8)) }
  }

  @Test func `a damaged state file stops the agent`() async throws {
    try await TestHost.with { host in
      try writeFile(host.statePath, bytes: 10)
      #expect(throws: AgentError.self) { try host.agent() }
    }
  }

  @Test func `two agents never share a state file`() async throws {
    try await TestHost.with { host in
      let first = try host.agent()
      #expect(throws: AgentError.stateInUse(path: host.statePath)) { try host.agent() }
      await first.sample()
    }
  }

  @Test func `a gauge holds until the next sample but not for ever`() {
    var state = AgentState(bootID: "b", now: Instant(seconds: 0))
    let account = Account(meter: .memory, subject: Subject(.user, "1"))
    state.gauges[account] = 3
    state.integrateGauges(until: Instant(seconds: 10))
    #expect(state.accumulators[account]?.units == 30_000_000_000)
    state.integrateGauges(until: Instant(seconds: 400))
    state.integrateGauges(until: Instant(seconds: 390))
    #expect(state.accumulators[account]?.units == 30_000_000_000)
  }
}
