internal import Glibc
internal import StackmeterRPC
internal import StackmeterRuntime
internal import Synchronization

/// Keeps one service's process running until it is told to stop.
final class SupervisedService: Sendable {
  /// How it is found out whether the service serves.
  enum Probe: Sendable {
    case health(socketPath: String)
    case http(host: String, port: Int)
    /// Serves as long as it runs.
    case running
  }

  static let probeInterval: Duration = .milliseconds(250)
  static let probeIntervalServing: Duration = .seconds(2)

  let name: String
  private let executable: String
  private let arguments: [String]
  private let environment: [String: String]
  private let probe: Probe
  private let log: ServiceLog
  private let changed: @Sendable () -> Void
  private let state: Mutex<State>
  private let stopRequest = StopSignal()
  private let killRequest = StopSignal()
  private let stopped = StopSignal()

  private struct State {
    var machine: ServiceMachine
    var child: ChildProcess?
  }

  /// `changed` is called after every change of `machine`.
  init(
    name: String, executable: String, arguments: [String], environment: [String: String],
    probe: Probe, log: ServiceLog, changed: @escaping @Sendable () -> Void
  ) {
    self.name = name
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.probe = probe
    self.log = log
    self.changed = changed
    state = Mutex(State(machine: ServiceMachine(name: name, now: ContinuousClock.now)))
  }

  var machine: ServiceMachine { state.withLock { $0.machine } }

  /// Returns once the service is stopped.
  func run() async {
    await withTaskGroup { group in
      group.addTask { await self.supervise() }
      group.addTask { await self.watchHealth() }
      await group.next()
      group.cancelAll()
    }
    stopped.raise()
  }

  /// Returns once `run` is about to return, or the task is cancelled.
  func waitUntilStopped() async {
    await stopped.wait()
  }

  /// Asks for the end: SIGTERM, and SIGKILL when it takes too long. `run` returns then.
  func stop() {
    stopRequest.raise()
  }

  /// Ends it at once.
  func kill() {
    stopRequest.raise()
    killRequest.raise()
  }

  private func update(_ body: (inout State) -> Void) {
    let isNew = state.withLock { state in
      let before = state.machine
      body(&state)
      return state.machine != before
    }
    if isNew { changed() }
  }

  private func supervise() async {
    while true {
      switch machine.state {
      case .due(let time):
        await stopRequest.wait(until: time)
        if stopRequest.isRaised {
          update { $0.machine.stop(at: ContinuousClock.now) }
        } else {
          start()
        }
      case .starting, .serving, .stopping:
        guard let child = state.withLock({ $0.child }) else {
          preconditionFailure("what runs has a process")
        }
        await watch(child)
      case .refused(let time):
        await stopRequest.wait(until: time)
        let now = ContinuousClock.now
        update { stopRequest.isRaised ? $0.machine.stop(at: now) : $0.machine.retry(at: now) }
      case .stopped: return
      }
    }
  }

  private func start() {
    do {
      let output = try log.open()
      defer { close(output) }
      let child = try ChildProcess(
        executable, arguments, environment: environment, standardInput: .leash,
        standardOutput: .descriptor(output), standardError: .descriptor(output))
      update { state in
        state.child = child
        state.machine.started(pid: child.pid, at: ContinuousClock.now)
      }
    } catch {
      update { $0.machine.failedToStart("\(error)", at: ContinuousClock.now) }
    }
  }

  /// Until the process has ended.
  private func watch(_ child: ChildProcess) async {
    let status: ExitStatus? = await withTaskGroup { group in
      group.addTask { try? await child.waitForExit() }
      group.addTask {
        await self.stopRequest.wait()
        guard !Task.isCancelled else { return nil }
        self.update { $0.machine.stop(at: ContinuousClock.now) }
        child.signal(SIGTERM)
        await self.killRequest.wait(until: ContinuousClock.now + ServiceMachine.stopMax)
        if !Task.isCancelled { child.signal(SIGKILL) }
        return nil
      }
      var status: ExitStatus?
      while status == nil, let next = await group.next() { status = next }
      group.cancelAll()
      return status
    }
    guard let status else { return }
    update { state in
      state.child = nil
      state.machine.ended(status, at: ContinuousClock.now) { log.lastMessage() }
    }
  }

  private func watchHealth() async {
    switch probe {
    case .health(let socketPath):
      try? await withRPCChannel(socketPath: socketPath) { channel in
        await self.pollHealth { await HealthClient(channel).isServing() }
      }
    case .http(let host, let port):
      await pollHealth { await HTTPProbe(host: host, port: port).isServing() }
    case .running:
      await pollHealth { true }
    }
    // Whatever ends a probe must not end the service.
    try? await Task.sleep(for: .seconds(1_000_000_000))
  }

  private func pollHealth(_ isServing: () async -> Bool) async {
    while !Task.isCancelled {
      if machine.upSince != nil {
        let answer = await isServing()
        update { $0.machine.answered(isServing: answer) }
      }
      log.rotateIfFull()
      let isCalm = if case .serving = machine.state { true } else { false }
      try? await Task.sleep(
        for: isCalm ? SupervisedService.probeIntervalServing : SupervisedService.probeInterval)
    }
  }
}

extension StopSignal {
  /// Returns once the signal is raised, the time has come, or the task is cancelled.
  func wait(until time: ContinuousClock.Instant) async {
    await withTaskGroup { group in
      group.addTask { await self.wait() }
      group.addTask { try? await Task.sleep(until: time, clock: .continuous) }
      await group.next()
      group.cancelAll()
    }
  }
}
