internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct AgentTests {
  @Test func `the first run counts nothing that was before it`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 5000, user: 1000)
      host.kernel.setInterfaces([("eth0", 2, 1000, 1000)])
      let agent = try host.agent()
      await agent.sample()
      await host.pass(30, agent)
      #expect(host.collector.events.isEmpty)
    }
  }

  @Test func `usage becomes one event for each minute, meter and subject`() async throws {
    try await TestHost.with { host in
      host.configuration.users = [.init(user: .name("alice"), subscription: "sub-a")]
      host.kernel.setProcess(10, own: 5000, user: 1000, pages: 256)
      let agent = try host.agent()
      await agent.sample()
      await host.pass(30, agent)
      host.kernel.setProcess(10, own: 11_000, user: 1000, pages: 256)
      await host.pass(60, agent)
      let event = try #require(
        host.collector.events.first { $0.series.meter == AgentMeter.cpu.id })
      #expect(event.source == "stackmeter-agent/node-1")
      #expect(
        event.id
          == "11111111/agent-cpu-core-seconds/users/1000/\(event.usageStart.nanoseconds)/1")
      #expect(event.series.subscription == "sub-a")
      #expect(
        event.series.resource.uri
          == "/subscriptions/sub-a/resourceGroups/node-1/providers/Stackmeter.Agent/users/alice")
      #expect(event.series.resource.location == "local")
      #expect(event.usageStart.description == "2026-11-23T15:01:00Z")
      #expect(event.usageEnd.description == "2026-11-23T15:02:00Z")
      #expect(event.quantity == Quantity(60))
      // 1 MiB for 90 s is 1/1024 GB × 1/40 h.
      let memory = host.collector.total(.memory)
      #expect(memory.description == "0.0000244140625")
    }
  }

  @Test func `what is not mapped goes to the subscription of the host`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      let agent = try host.agent()
      await agent.sample()
      host.kernel.setProcess(10, own: 100, user: 7)
      await host.pass(60, agent)
      #expect(host.collector.total(.cpu, subscription: "host-node-1") == Quantity(1))
      #expect(host.collector.total(.cpu, resource: "/users/7") == Quantity(1))
    }
  }

  @Test func `a sample that is a little late still ends at the minute`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      let agent = try host.agent()
      await agent.sample()
      host.kernel.setProcess(10, own: 100, user: 7)
      host.clock.set("2026-11-23T15:01:00.4Z")
      await agent.sample()
      await agent.deliver()
      #expect(host.collector.events.map(\.usageEnd.description) == ["2026-11-23T15:01:00Z"])
    }
  }

  @Test func `events wait for the collector and are sent again unchanged`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      host.collector.behave(.silent)
      var agent: Agent? = try host.agent()
      await agent!.sample()
      host.kernel.setProcess(10, own: 100, user: 7)
      await host.pass(60, agent!)
      #expect(await agent!.pendingEvents == 1)
      agent = nil
      agent = try host.agent()
      #expect(await agent!.pendingEvents == 1)
      host.collector.behave(.accept)
      await agent!.deliver()
      #expect(await agent!.pendingEvents == 0)
      #expect(host.collector.total(.cpu) == Quantity(1))
      #expect(host.collector.conflicts == 0)
      agent = nil
      let calls = host.collector.calls
      agent = try host.agent()
      await agent!.deliver()
      #expect(host.collector.calls == calls)
    }
  }

  @Test func `an event that the collector refused is not sent again`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      host.collector.behave(.refuse)
      let agent = try host.agent()
      await agent.sample()
      host.kernel.setProcess(10, own: 100, user: 7)
      await host.pass(60, agent)
      #expect(await agent.pendingEvents == 0)
      #expect(host.collector.calls == 1)
    }
  }

  @Test func `usage accumulates while no more events may wait`() async throws {
    try await TestHost.with { host in
      for user in 0..<6 { host.kernel.setProcess(user + 10, own: 0, user: user) }
      host.collector.behave(.unreachable)
      let agent = try host.agent(pendingEventsMax: 16)
      await agent.sample()
      // Two intervals fit, the third does not.
      for minute in 1...4 {
        host.clock.advance(seconds: 60)
        for user in 0..<6 { host.kernel.setProcess(user + 10, own: minute * 100, user: user) }
        await agent.sample()
      }
      #expect(await agent.pendingEvents == 12)
      host.collector.behave(.accept)
      await agent.deliver()
      host.clock.advance(seconds: 60)
      await agent.sample()
      await agent.deliver()
      #expect(host.collector.total(.cpu) == Quantity(24))
      #expect(host.collector.events.count == 18)
    }
  }

  @Test func `a gap is counted from the counters and not for the gauges`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7, pages: 1000)
      var agent: Agent? = try host.agent()
      await agent!.sample()
      agent = nil
      host.clock.advance(seconds: 3600)
      host.kernel.setProcess(10, own: 100, user: 7, pages: 1000)
      host.kernel.setProcess(11, own: 50, user: 8)
      agent = try host.agent()
      await agent!.sample()
      await agent!.deliver()
      #expect(host.collector.total(.cpu, resource: "/users/7") == Quantity(1))
      #expect(host.collector.total(.cpu, resource: "/users/8").description == "0.5")
      #expect(host.collector.total(.memory) == .zero)
    }
  }

  @Test func `after a restart of the host all that its kernel counted is new`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 9000, user: 7)
      host.kernel.setInterfaces([("eth0", 2, 1000, 1000)])
      var agent: Agent? = try host.agent()
      await agent!.sample()
      agent = nil
      host.clock.advance(seconds: 120)
      host.kernel.setFile("/proc/sys/kernel/random/boot_id", "22222222-0000\n")
      host.kernel.setProcess(10, own: 9100, user: 7)
      host.kernel.setInterfaces([("eth0", 2, 3000, 20)])
      agent = try host.agent()
      await agent!.sample()
      await agent!.deliver()
      #expect(host.collector.total(.cpu) == Quantity(91))
      #expect(host.collector.total(.networkIn) == Quantity(3000))
      #expect(host.collector.total(.networkOut) == Quantity(20))
    }
  }

  @Test func `a clock that went back loses nothing and makes no id twice`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      let agent = try host.agent()
      await agent.sample()
      for round in 1...4 {
        host.clock.set("2026-11-23T15:01:00Z")
        host.kernel.setProcess(10, own: round * 100 - 50, user: 7)
        await agent.sample()
        host.clock.set("2026-11-23T15:02:00Z")
        host.kernel.setProcess(10, own: round * 100, user: 7)
        await agent.sample()
        await agent.deliver()
      }
      #expect(host.collector.total(.cpu) == Quantity(4))
      #expect(host.collector.conflicts == 0)
    }
  }

  @Test func `usage of a long absence is placed within the lateness limit`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      let agent = try host.agent()
      await agent.sample()
      host.clock.advance(seconds: 30 * 86_400)
      host.kernel.setProcess(10, own: 100, user: 7)
      await agent.sample()
      await agent.deliver()
      let event = try #require(host.collector.events.first)
      #expect(event.usageEnd - event.usageStart == AgentLimits.intervalMax)
    }
  }

  @Test func `changing the way of metering counts nothing twice`() async throws {
    try await TestHost.with { host in
      let mount = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
      host.kernel.setFile("/proc/self/mountinfo", mount)
      host.kernel.setCgroup("/", microseconds: 0)
      host.kernel.setProcess(10, own: 0, user: 7)
      var agent: Agent? = nil
      for (round, mode) in [AgentConfiguration.Mode.user, .cgroup, .user].enumerated() {
        agent = nil
        host.configuration.mode = mode
        agent = try host.agent()
        await agent!.sample()
        host.kernel.setProcess(10, own: (round + 1) * 100, user: 7)
        host.kernel.setCgroup("/", microseconds: (round + 1) * 1_000_000)
        await host.pass(60, agent!)
      }
      #expect(host.collector.total(.cpu) == Quantity(3))
    }
  }

  @Test func `a failing reading is tried again and loses nothing`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      let agent = try host.agent()
      await agent.sample()
      host.kernel.setProcess(10, own: 100, user: 7)
      host.kernel.change { $0.failingPaths = ["/proc/10/stat"] }
      await host.pass(60, agent)
      #expect(host.collector.events.isEmpty)
      host.kernel.change { $0.failingPaths = [] }
      await host.pass(60, agent)
      #expect(host.collector.total(.cpu) == Quantity(1))
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func `a cancelled agent samples once more, saves and returns`() async throws {
    try await TestHost.with { host in
      host.kernel.setProcess(10, own: 0, user: 7)
      let agent = try host.agent()
      let running = Task { try await agent.run() }
      running.cancel()
      try await running.value
      let bytes = try LinuxKernel().contents(of: host.statePath)
      let state = try AgentState(json: #require(bytes))
      #expect(state.processes.entries.keys.contains(10))
    }
  }

  @Test func `after each round it says how far it is, and not before all is answered`()
    async throws
  {
    try await TestHost.with { host in
      let agent = try host.agent()
      await agent.sample()
      await agent.deliver()
      await host.pass(60, agent)
      let told = host.collector.heartbeats
      #expect(told.last?.completeUntil == Instant(parsing: "2026-11-23T15:01:00Z"))
      #expect(
        told.allSatisfy { $0.cadenceSeconds == 60 && $0.source.hasPrefix("stackmeter-agent/") })
      let latest = told.last?.completeUntil
      #expect(
        host.collector.events.allSatisfy { event in latest.map { event.usageEnd <= $0 } ?? false })
      // An event that waits keeps it from being complete.
      host.collector.behave(.unreachable)
      await host.pass(120, agent)
      #expect(host.collector.heartbeats == told)
      host.collector.behave(.accept)
      await host.pass(5, agent)
      #expect(
        host.collector.heartbeats.last?.completeUntil == Instant(parsing: "2026-11-23T15:03:00Z"))
      let count = host.collector.heartbeats.count
      await host.pass(20, agent)
      #expect(host.collector.heartbeats.count == count)
    }
  }
}
