internal import Glibc
internal import StackmeterRuntime
internal import Testing

@testable import StackmeterCommand

struct ServiceMachineTests {
  private let start = ContinuousClock.now

  /// Ends the process `ranFor` after it was started; gives the pause until the next start.
  private func crash(
    _ machine: inout ServiceMachine, ranFor: Duration, at now: inout ContinuousClock.Instant
  ) -> Duration? {
    machine.started(pid: 42, at: now)
    now += ranFor
    machine.ended(.exited(1), at: now) { "" }
    guard case .due(let time) = machine.state else { return nil }
    defer { now = time }
    return time - now
  }

  @Test
  func `a service starts at once and serves when it says so`() {
    var machine = ServiceMachine(name: "query", now: start)
    #expect(machine.state == .due(at: start))
    machine.started(pid: 7, at: start)
    #expect(machine.word == "starting")
    machine.answered(isServing: false)
    #expect(machine.state == .starting(pid: 7, since: start))
    machine.answered(isServing: true)
    #expect(machine.state == .serving(pid: 7, since: start))
    machine.answered(isServing: false)
    #expect(machine.state == .starting(pid: 7, since: start))
    #expect(machine.restarts == 0)
  }

  @Test
  func `pauses between starts double up to the most`() {
    var machine = ServiceMachine(name: "query", now: start)
    var now = start
    var pauses: [Duration?] = []
    for _ in 0..<7 { pauses.append(crash(&machine, ranFor: .seconds(1), at: &now)) }
    #expect(
      pauses == [
        .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1600),
        .milliseconds(3200), .seconds(5), .seconds(5),
      ])
    #expect(machine.restarts == 7)
    #expect(machine.problem == "ended with exit code 1")
  }

  @Test
  func `a service that ran for long starts again soon`() {
    var machine = ServiceMachine(name: "query", now: start)
    var now = start
    for _ in 0..<5 { _ = crash(&machine, ranFor: .zero, at: &now) }
    #expect(crash(&machine, ranFor: .seconds(30), at: &now) == .milliseconds(200))
    #expect(crash(&machine, ranFor: .seconds(29), at: &now) == .milliseconds(400))
  }

  @Test
  func `wrong settings say what is wrong, and are tried again after a longer pause`() {
    var machine = ServiceMachine(name: "gateway", now: start)
    machine.started(pid: 7, at: start)
    machine.ended(.exited(EX_CONFIG), at: start) { "gateway.port: must be a whole number" }
    #expect(machine.state == .refused(until: start + .seconds(10)))
    #expect(machine.problem == "gateway.port: must be a whole number")
    #expect(machine.restarts == 0)
    var mended = machine
    mended.retry(at: start + .seconds(10))
    #expect(mended.state == .due(at: start + .seconds(10)))
    machine.stop(at: start)
    #expect(machine.state == .stopped)
  }

  @Test
  func `a program that cannot be started is tried again`() {
    var machine = ServiceMachine(name: "agent", now: start)
    machine.failedToStart("cannot start agent: No such file", at: start)
    #expect(machine.state == .due(at: start + .milliseconds(200)))
    #expect(machine.problem == "cannot start agent: No such file")
    machine.started(pid: 8, at: start)
    #expect(machine.problem == "")
  }

  @Test
  func `a stop gives the process its time and is not a restart`() {
    var machine = ServiceMachine(name: "collector", now: start)
    machine.started(pid: 7, at: start)
    machine.answered(isServing: true)
    machine.stop(at: start + .seconds(1))
    #expect(machine.state == .stopping(pid: 7, deadline: start + .seconds(11)))
    machine.answered(isServing: true)
    #expect(machine.word == "stopping")
    machine.ended(.signalled(SIGTERM), at: start + .seconds(2)) { "" }
    #expect(machine.state == .stopped)
    #expect(machine.restarts == 0)
  }

  @Test
  func `what waits for its restart stops at once`() {
    var machine = ServiceMachine(name: "agent", now: start)
    var now = start
    _ = crash(&machine, ranFor: .zero, at: &now)
    machine.stop(at: now)
    #expect(machine.state == .stopped)
  }

  @Test
  func `one line says everything about one process`() {
    var machine = ServiceMachine(name: "collector", now: start)
    var now = start
    _ = crash(&machine, ranFor: .zero, at: &now)
    #expect(
      StateLines.lines([machine], now: now) == [
        "collector   restarting                           1 restart     ended with exit code 1"
      ])
    machine.started(pid: 4711, at: now)
    machine.answered(isServing: true)
    #expect(
      StateLines.lines([machine], now: now + .seconds(3 * 3600 + 61)) == [
        "collector   serving     pid 4711     up 3h 1m    1 restart"
      ])
  }
}
