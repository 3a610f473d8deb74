package import Logging
package import StackmeterCore

/// A resource provider that meters this host by what its kernel counts.
///
/// `sample()` reads counters and gauges and accumulates exactly; at the end of each report interval it cuts what
/// accumulated into events. An event is sent only after the state that no longer holds its usage is durable, so
/// a process that is killed at any instant neither loses usage nor makes it twice: after the restart either the
/// same events are sent again, with the same ids and content, or the usage is read from the kernel again.
/// Two agents never share a state file.
package actor Agent {
  private let configuration: AgentConfiguration
  private let clock: any WallClock
  private let kernel: any KernelSource
  private let reporter: any EventReporter
  private let stateFile: StateFile
  private let logger: Logger
  private let pendingEventsMax: Int
  private let host: String
  private let source: String
  private let mapping: SubscriptionMapping
  private let network: NetworkSampler
  /// Nil: CPU time and memory are metered by user.
  private let cgroups: CgroupSampler?
  private var storage: StorageSampler
  private var state: AgentState
  /// Whether the state file holds any state of this agent's.
  private var isSaved: Bool
  private var walkedAt: Instant?
  private var usersReadAt: Instant?
  private var isDelivering = false
  /// What the collector was told last of how far this agent is; nil before the first time.
  private var toldUntil: Instant?
  /// Tells the delivery that events wait. At most one call is kept.
  private let wakeups: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation
  /// The last problem logged of each thing, so that one that stays is logged once.
  private var problems: [String: String] = [:]

  /// Takes the state file and learns what the kernel offers. The file's directory must exist.
  package init(
    configuration: AgentConfiguration, clock: some WallClock, kernel: some KernelSource,
    statePath: String, reporter: some EventReporter, logger: Logger,
    pendingEventsMax: Int = AgentLimits.pendingEventsMax
  ) throws(AgentError) {
    self.configuration = configuration
    self.clock = clock
    self.kernel = kernel
    self.reporter = reporter
    self.logger = logger
    self.pendingEventsMax = pendingEventsMax
    (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    let facts: HostFacts
    do {
      facts = try HostFacts(kernel, mode: configuration.mode)
    } catch {
      throw .kernelUnavailable(problem: error.description)
    }
    let host = (configuration.host ?? facts.name).percentEncoded(bytesMax: 128)
    self.host = host
    source = "stackmeter-agent/\(host)"
    mapping = SubscriptionMapping(configuration: configuration, host: host)
    cgroups = facts.cgroupMount.map {
      CgroupSampler(mountPath: $0, patterns: configuration.cgroups.map(\.path))
    }
    network = NetworkSampler(ignored: configuration.ignoredInterfaces)
    storage = StorageSampler(
      filesystems: configuration.filesystems, directories: configuration.directories)
    stateFile = try StateFile(path: statePath)
    let bytes = try stateFile.read()
    isSaved = bytes != nil
    var state = AgentState(bootID: facts.bootID, now: clock.now())
    if let bytes {
      do throws(StateProblem) {
        state = try AgentState(json: bytes)
      } catch {
        throw .stateInvalid(path: statePath, problem: error.description)
      }
    }
    state.startBoot(facts.bootID)
    // The baseline of the other way of metering ends where this one starts.
    if facts.cgroupMount == nil {
      state.cgroups = Baseline()
    } else {
      state.processes = Baseline()
    }
    self.state = state
  }

  /// What this agent turned out to do: for the log of the program.
  package var summary: String {
    let way = cgroups.map { "by cgroup below \($0.mountPath)" } ?? "by user"
    return "\(source): CPU time and memory \(way), the rest to \(mapping.defaultSubscription)"
  }

  /// Events that the collector has not answered yet.
  package var pendingEvents: Int { state.pending.count }

  /// Samples and delivers until the task is cancelled; then samples once more, saves and returns.
  package func run() async throws {
    logger.info("metering this host", metadata: ["summary": "\(summary)"])
    if let unused = unusedRules {
      logger.warning("rules have no effect", metadata: ["problem": "\(unused)"])
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.sampleUntilCancelled() }
      group.addTask {
        // Each sample wakes the delivery while events wait, so this is also how often it tries again.
        for await _ in self.wakeups { await self.deliver() }
      }
      await group.waitForAll()
    }
    sample()
    do {
      try save(state)
    } catch {
      logger.error("the last state was not saved", metadata: ["problem": "\(error)"])
      throw error
    }
  }

  /// What the operator mapped in vain, because the host is metered in the other way.
  private var unusedRules: String? {
    if cgroups != nil && !configuration.users.isEmpty {
      return "users are mapped, but CPU time and memory are metered by cgroup"
    }
    if cgroups == nil && !configuration.cgroups.isEmpty {
      return "cgroups are mapped, but CPU time and memory are metered by user"
    }
    return nil
  }

  /// Samples now and at each multiple of the sample interval.
  private func sampleUntilCancelled() async {
    let interval = configuration.sampleInterval.wholeNanoseconds
    while !Task.isCancelled {
      sample()
      let wait = interval - clock.now().nanoseconds % interval
      guard (try? await Task.sleep(for: .nanoseconds(wait))) != nil else { return }
    }
  }

  /// Reads everything once, and cuts the interval where its end has come. Never fails: what could not be read
  /// or saved is logged and tried again at the next sample, and nothing is lost by that but gauges.
  package func sample() {
    let now = sampleTime()
    if now < state.intervalStart {
      logger.warning("the clock went back", metadata: ["to": "\(now)"])
      state.intervalStart = now
    }
    state.integrateGauges(until: now)
    sampleProcessors(now)
    attempt("network") { () throws(KernelError) in try network.sample(kernel, into: &state) }
    sampleStorage(now)
    if isCutDue(now) {
      cut(now)
    } else if !isSaved {
      saveOrLog(state)
    }
    if !state.pending.isEmpty || isHeartbeatDue { wake.yield() }
  }

  /// The present, or the boundary that just passed where the sample is only a little late for it, so that
  /// intervals end at the minute and seldom reach into the next hour.
  private func sampleTime() -> Instant {
    let now = clock.now()
    let interval = configuration.reportInterval.wholeNanoseconds
    let boundary = Instant(nanoseconds: now.nanoseconds - now.nanoseconds % interval)
    let isNear = now - boundary <= AgentLimits.boundaryTolerance
    return isNear && boundary > state.sampledAt ? boundary : now
  }

  private func isCutDue(_ now: Instant) -> Bool {
    let interval = configuration.reportInterval.wholeNanoseconds
    return now.nanoseconds / interval > state.intervalStart.nanoseconds / interval
  }

  private func sampleProcessors(_ now: Instant) {
    let isRead = attempt("processors") { () throws(KernelError) in
      if let cgroups {
        try cgroups.sample(kernel, into: &state)
      } else {
        let readsEveryUser = isDue(usersReadAt, every: configuration.reportInterval, now)
        try ProcessSampler.sample(kernel, into: &state, readsEveryUser: readsEveryUser)
        if readsEveryUser { usersReadAt = now }
      }
    }
    if !isRead { state.setGauges(.memory, of: [.user, .cgroup], [:]) }
  }

  private func sampleStorage(_ now: Instant) {
    if isDue(walkedAt, every: configuration.directoryInterval, now) {
      walkedAt = now
      let failures = storage.walk(kernel)
      note(
        failures.isEmpty ? nil : failures.map(\.description).joined(separator: "; "),
        of: "directories")
    }
    let isRead = attempt("storage") { () throws(KernelError) in
      try storage.sample(kernel, into: &state)
    }
    if !isRead { state.setGauges(.storage, of: [.filesystem, .directory], [:]) }
  }

  private func isDue(_ last: Instant?, every interval: Duration, _ now: Instant) -> Bool {
    guard let last, last <= now else { return true }
    return now - last >= interval
  }

  /// Turns what accumulated into events of the interval that ends now, and makes them durable. Where they do
  /// not fit beside those that wait, or cannot be saved, the interval goes on.
  private func cut(_ now: Instant) {
    var next = state
    let start = max(state.intervalStart, now.advanced(by: .zero - AgentLimits.intervalMax))
    let due = state.accumulators.keys.sorted()
    if state.pending.isEmpty || state.pending.count + due.count <= pendingEventsMax {
      for account in due.prefix(pendingEventsMax) {
        guard let quantity = next.accumulators[account]!.take(account.meter) else { continue }
        next.pending.append(event(account, quantity, start..<now))
      }
      next.accumulators = next.accumulators.filter { $0.value != Accumulator() }
      next.intervalStart = now
      next.sequence += 1
      note(nil, of: "pending")
    } else {
      note(
        "\(state.pending.count) events wait for the collector; the interval grows", of: "pending")
    }
    if saveOrLog(next) { state = next }
  }

  private func event(
    _ account: Account, _ quantity: Quantity, _ interval: Range<Instant>
  ) -> UsageEvent {
    let subject = account.subject
    let label =
      subject.kind == .user
      ? UInt32(subject.name).flatMap { kernel.userName($0) } ?? subject.name : subject.name
    let subscription = mapping.subscription(of: subject, label: label)
    // The sequence makes the id unique even where the clock was set back; it is saved with the event.
    let id =
      "\(state.bootID.prefix(8))/\(account.meter.id)/\(subject.kind.rawValue)"
      + "/\(subject.name.percentEncoded(bytesMax: 128))"
      + "/\(interval.lowerBound.nanoseconds)/\(state.sequence)"
    return UsageEvent(
      id: id, source: source,
      series: Series(
        subscription: subscription, meter: account.meter.id,
        resource: Resource(
          uri: subject.resourceURI(subscription: subscription, host: host, label: label),
          location: configuration.location)),
      usageStart: interval.lowerBound, usageEnd: interval.upperBound, quantity: quantity)
  }

  /// Whether the collector has not heard of the last interval's end.
  private var isHeartbeatDue: Bool { toldUntil.map { $0 < state.intervalStart } ?? true }

  /// Says how far this agent is, once all that was cut is answered: what is metered later is usage of later.
  private func tellProgress() async {
    let until = state.intervalStart
    guard isHeartbeatDue else { return }
    do {
      try await reporter.heartbeat(
        Heartbeat(
          source: source,
          cadenceSeconds: UInt32(clamping: configuration.reportInterval.components.seconds),
          completeUntil: until))
      toldUntil = until
      note(nil, of: "heartbeat")
    } catch {
      note("\(error)", of: "heartbeat")
    }
  }

  /// Sends what waits, oldest first, until nothing does or the collector cannot be reached, and then how far it is.
  /// An event that the collector refuses is in its quarantine; here it is logged and dropped.
  package func deliver() async {
    guard !isDelivering else { return }
    isDelivering = true
    defer { isDelivering = false }
    while !state.pending.isEmpty {
      let events = Array(state.pending.prefix(AgentLimits.reportEventsMax))
      let results: [EventResult]
      do {
        results = try await reporter.report(events)
      } catch {
        note("\(error)", of: "collector")
        return
      }
      guard results.count == events.count else {
        note("\(results.count) results for \(events.count) events", of: "collector")
        return
      }
      note(nil, of: "collector")
      for (event, result) in zip(events, results) {
        guard let refusal = result.refusal else { continue }
        logger.error(
          "the collector refused an event",
          metadata: [
            "id": "\(event.id)", "reason": "\(refusal.reason.name)", "field": "\(refusal.field)",
            "message": "\(refusal.message)",
          ])
      }
      // Samples may have appended meanwhile; only this method removes, and from the front.
      state.pending.removeFirst(events.count)
      saveOrLog(state)
    }
    await tellProgress()
  }

  /// Whether the state is durable now.
  @discardableResult
  private func saveOrLog(_ state: AgentState) -> Bool {
    do {
      try save(state)
      note(nil, of: "state")
      return true
    } catch {
      note("\(error)", of: "state")
      return false
    }
  }

  private func save(_ state: AgentState) throws(AgentError) {
    try stateFile.write(state.json())
    isSaved = true
  }

  /// Whether the reading succeeded. A failure is logged.
  @discardableResult
  private func attempt(_ thing: String, _ read: () throws(KernelError) -> Void) -> Bool {
    do throws(KernelError) {
      try read()
      note(nil, of: thing)
      return true
    } catch {
      note(error.description, of: thing)
      return false
    }
  }

  /// Logs a problem when it comes, changes or goes.
  private func note(_ problem: String?, of thing: String) {
    guard problems[thing] != problem else { return }
    problems[thing] = problem
    if let problem {
      logger.warning("not working", metadata: ["part": "\(thing)", "problem": "\(problem)"])
    } else {
      logger.info("working again", metadata: ["part": "\(thing)"])
    }
  }
}

extension Duration {
  /// Nanoseconds of a configured interval, which is whole seconds up to an hour.
  fileprivate var wholeNanoseconds: Int64 { components.seconds * Instant.nanosecondsPerSecond }
}
