internal import StackmeterCore
internal import Testing

@testable import AgentServer

@Suite struct CgroupSamplerTests {
  private let kernel = FixtureKernel()

  private func sampler(_ patterns: String...) -> CgroupSampler {
    CgroupSampler(mountPath: "/sys/fs/cgroup", patterns: patterns.map { NamePattern($0) })
  }

  private func freshState() -> AgentState {
    kernel.setCgroup("/", microseconds: 1000)
    return AgentState(bootID: "b", now: Instant(seconds: 0))
  }

  private func microseconds(_ path: String, _ state: AgentState) -> Int128? {
    state.accumulators[Account(meter: .cpu, subject: Subject(.cgroup, path))]?.units
  }

  private func memory(_ path: String, _ state: AgentState) -> Int64? {
    state.gauges[Account(meter: .memory, subject: Subject(.cgroup, path))]
  }

  @Test func `a parent is charged without its mapped children`() throws {
    var state = freshState()
    let sampler = sampler("/vm/*", "/vm/red/inner")
    kernel.setCgroup("/vm", microseconds: 100, memory: 1000)
    kernel.setCgroup("/vm/red", microseconds: 60, memory: 700)
    kernel.setCgroup("/vm/red/inner", microseconds: 50, memory: 400)
    kernel.setCgroup("/vm/red/other", microseconds: 1, memory: 1)
    try sampler.sample(kernel, into: &state)
    #expect(state.accumulators.isEmpty)
    kernel.setCgroup("/", microseconds: 1500)
    kernel.setCgroup("/vm", microseconds: 500, memory: 1000)
    kernel.setCgroup("/vm/red", microseconds: 360, memory: 700)
    kernel.setCgroup("/vm/red/inner", microseconds: 150, memory: 400)
    try sampler.sample(kernel, into: &state)
    #expect(microseconds("/", state) == 100)
    #expect(microseconds("/vm", state) == 100)
    #expect(microseconds("/vm/red", state) == 200)
    #expect(microseconds("/vm/red/inner", state) == 100)
    #expect(microseconds("/vm/red/other", state) == nil)
    #expect(memory("/vm", state) == 300)
    #expect(memory("/vm/red", state) == 300)
    #expect(memory("/vm/red/inner", state) == 400)
  }

  @Test func `a new cgroup is counted from its birth`() throws {
    var state = freshState()
    try sampler("/vm/*").sample(kernel, into: &state)
    kernel.setCgroup("/", microseconds: 1300)
    kernel.setCgroup("/vm", microseconds: 300)
    kernel.setCgroup("/vm/red", microseconds: 200)
    try sampler("/vm/*").sample(kernel, into: &state)
    #expect(microseconds("/vm/red", state) == 200)
    #expect(microseconds("/vm", state) == 100)
    #expect(microseconds("/", state) == 0)
  }

  @Test func `a cgroup that was made again is counted from its birth`() throws {
    var state = freshState()
    kernel.setCgroup("/vm", microseconds: 300, identity: 7)
    try sampler().sample(kernel, into: &state)
    kernel.setCgroup("/vm", microseconds: 400, identity: 8)
    try sampler().sample(kernel, into: &state)
    #expect(microseconds("/vm", state) == 400)
  }

  @Test func `what a vanished child used last stays with its parent`() throws {
    var state = freshState()
    kernel.setCgroup("/vm", microseconds: 300)
    kernel.setCgroup("/vm/red", microseconds: 200)
    try sampler("/vm/*").sample(kernel, into: &state)
    kernel.setCgroup("/vm", microseconds: 350)
    kernel.removeCgroup("/vm/red")
    try sampler("/vm/*").sample(kernel, into: &state)
    #expect(microseconds("/vm", state) == 50)
  }

  @Test func `a cgroup that is newly mapped counts from then`() throws {
    var state = freshState()
    kernel.setCgroup("/vm", microseconds: 300)
    kernel.setCgroup("/vm/red", microseconds: 200)
    try sampler().sample(kernel, into: &state)
    kernel.setCgroup("/vm", microseconds: 360)
    kernel.setCgroup("/vm/red", microseconds: 250)
    try sampler("/vm/red").sample(kernel, into: &state)
    #expect(microseconds("/vm", state) == 60)
    #expect(microseconds("/vm/red", state) == nil)
    kernel.setCgroup("/vm", microseconds: 370)
    kernel.setCgroup("/vm/red", microseconds: 260)
    try sampler("/vm/red").sample(kernel, into: &state)
    #expect(microseconds("/vm", state) == 60)
    #expect(microseconds("/vm/red", state) == 10)
  }

  @Test func `the debt of the root is carried up to its limit`() throws {
    var state = freshState()
    kernel.setCgroup("/vm", microseconds: 0)
    try sampler().sample(kernel, into: &state)
    kernel.setCgroup("/vm", microseconds: 5000)
    try sampler().sample(kernel, into: &state)
    #expect(microseconds("/", state) == -5000)
    kernel.setCgroup("/vm", microseconds: 500_000_000)
    try sampler().sample(kernel, into: &state)
    #expect(microseconds("/", state) == -AgentLimits.rootDebtMicrosecondsMax)
  }

  @Test func `a reading that fails changes nothing`() throws {
    var state = freshState()
    kernel.setCgroup("/vm", microseconds: 300)
    try sampler().sample(kernel, into: &state)
    let before = state
    kernel.change { $0.failingPaths = ["/sys/fs/cgroup/vm/cpu.stat"] }
    #expect(throws: KernelError.self) { try sampler().sample(kernel, into: &state) }
    #expect(state == before)
  }

  @Test func `cgroups are chosen where the hierarchy has both counters`() throws {
    let mount = "41 31 0:38 / /sys/fs/cgroup rw shared:3 - cgroup2 cgroup2 rw\n"
    kernel.setFile("/proc/self/mountinfo", mount)
    kernel.setCgroup("/vm", microseconds: 1)
    #expect(try HostFacts(kernel, mode: .automatic).cgroupMount == nil)
    #expect(try HostFacts(kernel, mode: .cgroup).cgroupMount == "/sys/fs/cgroup")
    kernel.setCgroup("/vm", microseconds: 1, memory: 1)
    #expect(try HostFacts(kernel, mode: .automatic).cgroupMount == "/sys/fs/cgroup")
    #expect(try HostFacts(kernel, mode: .user).cgroupMount == nil)
    kernel.setFile("/proc/self/mountinfo", "")
    #expect(throws: KernelError.self) { try HostFacts(kernel, mode: .cgroup) }
  }
}
