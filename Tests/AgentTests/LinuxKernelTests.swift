internal import Glibc
internal import Logging
internal import StackmeterCore
internal import Testing

@testable import AgentServer

/// Reads the host that the tests run on.
@Suite struct LinuxKernelTests {
  private let kernel = LinuxKernel()

  @Test func `the host says who it is and when it started`() throws {
    let facts = try HostFacts(kernel, mode: .automatic)
    #expect(!facts.name.isEmpty && facts.bootID.utf8.count == 36)
    #expect(kernel.ticksPerSecond > 0 && kernel.pageBytes >= 4096)
    #expect(kernel.userName(0) == "root")
    #expect(try kernel.contents(of: "/proc/none") == nil)
  }

  @Test func `the time that this process burns is charged to its user`() throws {
    var state = AgentState(bootID: "b", now: Instant(seconds: 0))
    try ProcessSampler.sample(kernel, into: &state, readsEveryUser: true)
    #expect(state.accumulators.isEmpty)
    let start = clock()
    let ticks = clocksPerSecond / 5
    while clock() - start < ticks {}
    try ProcessSampler.sample(kernel, into: &state, readsEveryUser: true)
    let subject = Subject(.user, String(getuid()))
    let used = try #require(state.accumulators[Account(meter: .cpu, subject: subject)])
    // What was burnt, less what two clock ticks may hide.
    #expect(used.units >= 180_000)
    let memory = try #require(state.gauges[Account(meter: .memory, subject: subject)])
    #expect(memory > 1 << 20)
    let own = try #require(state.processes.entries[getpid()])
    #expect(own.user == getuid() && own.parent == getppid())
  }

  @Test func `the interfaces and filesystems of the host are read`() throws {
    var state = AgentState(bootID: "b", now: Instant(seconds: 0))
    try NetworkSampler(ignored: []).sample(kernel, into: &state)
    #expect(state.interfaces.entries["lo"]?.index == 1)
    try StorageSampler(filesystems: [.init(path: "/", subscription: "x")], directories: [])
      .sample(kernel, into: &state)
    let root = Account(meter: .storage, subject: Subject(.filesystem, "/"))
    #expect(try #require(state.gauges[root]) > 1 << 20)
    #expect(try kernel.device(of: "/") != nil)
  }

  @Test func `a whole agent runs on this host`() async throws {
    try await TestHost.with { host in
      let agent = try Agent(
        configuration: host.configuration, clock: host.clock, kernel: kernel,
        statePath: host.statePath, reporter: host.collector,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      await agent.sample()
      await host.pass(60, agent)
      #expect(host.collector.total(.memory) > .zero)
      #expect(host.collector.events.allSatisfy { $0.id.utf8.count <= EventLimits.idBytesMax })
      #expect(await agent.pendingEvents == 0)
    }
  }
}

/// `CLOCKS_PER_SEC`, which C has as a macro only.
private let clocksPerSecond: clock_t = 1_000_000
