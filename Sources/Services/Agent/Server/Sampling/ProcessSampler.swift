/// CPU time and memory by the real user of each process.
///
/// A process that runs is charged to its user by what its own counter grew. What a process used between the
/// last reading and its end is gone with it, unless its parent waited for it: then the kernel added the whole of
/// it to the parent's counter of reaped children, and with it the time of every child too short-lived to be
/// seen. See `ProcessTimes.reapedTicks`. Lost is only what ended unseen below a parent that does not wait.
/// Memory is the sum of the resident sets, so that a page that processes share counts for each of them.
struct ProcessSampler {
  /// One process as it was just read.
  struct Reading: Equatable {
    var status: ProcessStatus
    var user: UInt32
  }

  /// Reads all processes and adds what they used to the state. With `readsEveryUser` false, the user of a
  /// process that did not run since the last reading is taken to be the same. After an error nothing changed.
  static func sample(
    _ kernel: some KernelSource, into state: inout AgentState, readsEveryUser: Bool
  ) throws(KernelError) {
    let known = readsEveryUser ? [:] : state.processes.entries
    let readings = try read(kernel, known: known)
    let baseline = state.processes
    if baseline.isKnown {
      let microsecondsPerTick = 1_000_000 / kernel.ticksPerSecond
      for (user, ticks) in ProcessTimes(baseline.entries, readings).ticksByUser() {
        state.add(Int128(ticks * microsecondsPerTick), to: .cpu, of: Subject(.user, String(user)))
      }
    }
    state.processes.isKnown = true
    state.processes.entries = readings.mapValues { reading in
      ProcessBaseline(
        parent: reading.status.parent, start: reading.status.start, user: reading.user,
        own: reading.status.own, reaped: reading.status.reaped)
    }
    var memory: [UInt32: Int64] = [:]
    for reading in readings.values where reading.status.residentPages > 0 {
      memory[reading.user, default: 0] += reading.status.residentPages * kernel.pageBytes
    }
    state.setGauges(
      .memory, of: [.user, .cgroup],
      Dictionary(uniqueKeysWithValues: memory.map { (Subject(.user, String($0)), $1) }))
  }

  private static func read(
    _ kernel: some KernelSource, known: [Int32: ProcessBaseline]
  ) throws(KernelError) -> [Int32: Reading] {
    guard let names = try kernel.directories(of: "/proc") else {
      throw KernelError(path: "/proc", problem: "is not there")
    }
    var readings: [Int32: Reading] = [:]
    readings.reserveCapacity(names.count)
    for name in names {
      // What ends while it is read is found ended, here or at the next sample.
      guard let pid = Int32(name), let stat = try kernel.contents(of: "/proc/\(name)/stat") else {
        continue
      }
      guard let status = ProcessStatus(stat: stat) else {
        throw KernelError(path: "/proc/\(name)/stat", problem: "not of its form")
      }
      if let last = known[pid], last.start == status.start, last.own == status.own {
        readings[pid] = Reading(status: status, user: last.user)
      } else if let text = try kernel.contents(of: "/proc/\(name)/status"),
        let user = ProcessStatus.realUser(status: text)
      {
        readings[pid] = Reading(status: status, user: user)
      }
    }
    return readings
  }
}

/// Compares two readings of all processes.
struct ProcessTimes {
  private let last: [Int32: ProcessBaseline]
  private let now: [Int32: ProcessSampler.Reading]

  init(_ last: [Int32: ProcessBaseline], _ now: [Int32: ProcessSampler.Reading]) {
    self.last = last
    self.now = now
  }

  /// The ticks to add for each user.
  func ticksByUser() -> [UInt32: Int64] {
    var ticks = reapedTicks()
    for (pid, reading) in now {
      let counted = survives(pid) ? last[pid]!.own : 0
      let used = increase(of: reading.status.own, since: counted)
      if used > 0 { ticks[reading.user, default: 0] += used }
    }
    return ticks
  }

  private func survives(_ pid: Int32) -> Bool {
    guard let entry = last[pid], let reading = now[pid] else { return false }
    return entry.start == reading.status.start
  }

  /// The ticks of children that were waited for and that no earlier reading saw.
  ///
  /// What the reaped counters of all processes gained, less all that the vanished processes were known to have
  /// used, is the unseen rest; no more than this is ever given out, so that nothing counts twice even where an
  /// orphan was reaped by another process than its parent. Whose the rest is, the kernel does not say: it goes to
  /// the user whose processes that vanished below the reaper had used the most, so that the end of a job
  /// follows the job and not the `sudo` that started it, and where none vanished to the reaper's own user.
  private func reapedTicks() -> [UInt32: Int64] {
    var unseen: [Int32: Int64] = [:]
    var budget: Int64 = 0
    for (pid, reading) in now {
      let counted = survives(pid) ? last[pid]!.reaped : 0
      let gain = increase(of: reading.status.reaped, since: counted)
      guard gain > 0 else { continue }
      unseen[pid] = gain
      budget += gain
    }
    var vanished: [Int32: [UInt32: Int64]] = [:]
    for (pid, entry) in last where !survives(pid) {
      budget -= entry.own + entry.reaped
      guard let reaper = survivingAncestor(of: entry) else { continue }
      unseen[reaper, default: 0] -= entry.own + entry.reaped
      vanished[reaper, default: [:]][entry.user, default: 0] += entry.own
    }
    var ticks: [UInt32: Int64] = [:]
    for (pid, rest) in unseen.sorted(by: { $0.key < $1.key }) where rest > 0 && budget > 0 {
      let given = min(rest, budget)
      budget -= given
      let busiest = vanished[pid]?.max { ($0.value, $1.key) < ($1.value, $0.key) }
      ticks[busiest?.key ?? now[pid]!.user, default: 0] += given
    }
    return ticks
  }

  /// The nearest process above a vanished one that is still there. Nil where the chain leads out of sight.
  private func survivingAncestor(of entry: ProcessBaseline) -> Int32? {
    var parent = entry.parent
    // A chain is at most as long as there were processes; a reused number could otherwise close a circle.
    for _ in 0..<last.count {
      if survives(parent) { return parent }
      guard let above = last[parent] else { return nil }
      parent = above.parent
    }
    return nil
  }
}
