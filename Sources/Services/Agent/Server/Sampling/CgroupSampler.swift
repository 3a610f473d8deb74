/// CPU time and memory by cgroup of the unified hierarchy.
///
/// Metered are the cgroups at the top and those that the configuration maps. Each is charged what the kernel
/// says of it less what the metered cgroups next below it are charged, so that nothing counts twice: a child
/// that is not mapped belongs to the nearest cgroup above it that is metered. What the host used outside every
/// cgroup is the root's own time less that of the top: the root counts by the scheduler's clock tick and not by
/// run time, so this rest is exact only in the long run, and below zero it is carried, up to
/// `AgentLimits.rootDebtMicrosecondsMax`. The kernel offers no memory of the root, so none is counted.
struct CgroupSampler {
  /// Where the hierarchy is mounted.
  let mountPath: String
  let patterns: [NamePattern]

  static let root = "/"

  /// One cgroup as it was just read.
  private struct Reading {
    var baseline: CgroupBaseline
    var memoryBytes: Int64?
  }

  /// Reads the metered cgroups and adds what they used to the state. After an error nothing changed.
  func sample(_ kernel: some KernelSource, into state: inout AgentState) throws(KernelError) {
    var readings: [String: Reading] = [:]
    // Children before their parents: what a child uses in between is then in the parent's figure too.
    for path in try meteredPaths(kernel).sorted(by: { $0.utf8.count > $1.utf8.count }) {
      readings[path] = try read(path, kernel)
    }
    guard let rootReading = try readRoot(kernel) else {
      throw KernelError(path: mountPath, problem: "has no cpu.stat")
    }
    readings[CgroupSampler.root] = rootReading
    addTimes(readings, to: &state)
    setMemory(readings, of: &state)
    state.cgroups.isKnown = true
    state.cgroups.entries = readings.mapValues(\.baseline)
    state.cgroupPatterns = Set(patterns.map(\.text))
  }

  private func addTimes(_ readings: [String: Reading], to state: inout AgentState) {
    guard state.cgroups.isKnown else { return }
    for (path, reading) in readings {
      let used: Int64
      if let last = state.cgroups.entries[path], last.identity == reading.baseline.identity {
        used = increase(of: reading.baseline.microseconds, since: last.microseconds)
      } else if wasBorn(path, state) {
        used = reading.baseline.microseconds
      } else {
        used = 0
      }
      state.add(Int128(used), to: .cpu, of: Subject(.cgroup, path))
      if let parent = meteredParent(of: path, readings) {
        state.add(-Int128(used), to: .cpu, of: Subject(.cgroup, parent))
      }
    }
    let account = Account(meter: .cpu, subject: Subject(.cgroup, CgroupSampler.root))
    if let units = state.accumulators[account]?.units {
      state.accumulators[account]!.units = max(units, -AgentLimits.rootDebtMicrosecondsMax)
    }
  }

  /// Whether a cgroup without a baseline is new, rather than only newly metered: then what it used before was
  /// counted for the cgroup above it.
  private func wasBorn(_ path: String, _ state: AgentState) -> Bool {
    CgroupSampler.isTop(path)
      || patterns.contains { $0.matchesChild(path) && state.cgroupPatterns.contains($0.text) }
  }

  private func setMemory(_ readings: [String: Reading], of state: inout AgentState) {
    var memory: [Subject: Int64] = [:]
    for (path, reading) in readings {
      guard let bytes = reading.memoryBytes else { continue }
      memory[Subject(.cgroup, path), default: 0] += bytes
      if let parent = meteredParent(of: path, readings), readings[parent]?.memoryBytes != nil {
        memory[Subject(.cgroup, parent), default: 0] -= bytes
      }
    }
    state.setGauges(.memory, of: [.user, .cgroup], memory.mapValues { max(0, $0) })
  }

  private func meteredPaths(_ kernel: some KernelSource) throws(KernelError) -> Set<String> {
    guard let top = try kernel.directories(of: mountPath) else {
      throw KernelError(path: mountPath, problem: "is not there")
    }
    var paths = Set(top.map { "/\($0)" })
    for pattern in patterns {
      if pattern.isPrefix {
        let parent = pattern.parentOfMatches
        for name in try kernel.directories(of: mountPath + parent) ?? [] {
          let path = "\(parent)/\(name)"
          if pattern.matches(path) { paths.insert(path) }
        }
      } else if pattern.text != CgroupSampler.root {
        paths.insert(pattern.text)
      }
    }
    return paths
  }

  private func read(_ path: String, _ kernel: some KernelSource) throws(KernelError) -> Reading? {
    let directory = mountPath + path
    guard let identity = try kernel.identity(of: directory),
      let text = try kernel.contents(of: "\(directory)/cpu.stat")
    else { return nil }
    guard let microseconds = cgroupValue("usage_usec", in: text) else {
      throw KernelError(path: "\(directory)/cpu.stat", problem: "has no usage_usec")
    }
    return Reading(
      baseline: CgroupBaseline(identity: identity, microseconds: microseconds),
      memoryBytes: try kernel.number(of: "\(directory)/memory.current"))
  }

  /// The root's usage_usec holds time that the hypervisor took away; its user and system time do not.
  private func readRoot(_ kernel: some KernelSource) throws(KernelError) -> Reading? {
    guard let text = try kernel.contents(of: "\(mountPath)/cpu.stat"),
      let user = cgroupValue("user_usec", in: text),
      let system = cgroupValue("system_usec", in: text)
    else { return nil }
    return Reading(baseline: CgroupBaseline(identity: 0, microseconds: user + system))
  }

  private func meteredParent(of path: String, _ readings: [String: Reading]) -> String? {
    guard path != CgroupSampler.root else { return nil }
    var path = path[...]
    while let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      path = path[..<slash]
      if readings[String(path)] != nil { return String(path) }
    }
    return CgroupSampler.root
  }

  static func isTop(_ path: String) -> Bool {
    path.utf8.count { $0 == UInt8(ascii: "/") } == 1
  }

  /// Whether cgroups of the hierarchy below `mountPath` have both counters.
  static func isOffered(_ kernel: some KernelSource, mountPath: String) throws(KernelError) -> Bool
  {
    for name in try kernel.directories(of: mountPath) ?? [] {
      if try kernel.contents(of: "\(mountPath)/\(name)/cpu.stat") != nil,
        try kernel.contents(of: "\(mountPath)/\(name)/memory.current") != nil
      {
        return true
      }
    }
    return false
  }
}

extension NamePattern {
  /// The cgroup whose children a prefix is compared with: everything before its last slash.
  fileprivate var parentOfMatches: String {
    String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
  }

  /// Whether the cgroup is one that this pattern maps: a prefix maps children, not their descendants.
  func matchesChild(_ path: String) -> Bool {
    guard matches(path) else { return false }
    return !isPrefix || !path.utf8.dropFirst(stem.utf8.count).contains(UInt8(ascii: "/"))
  }
}

/// The number after `name` in a text of `name number` lines.
private func cgroupValue(_ name: String, in text: [UInt8]) -> Int64? {
  for line in text.split(separator: UInt8(ascii: "\n")) {
    let fields = line.split(separator: 0x20)
    if fields.count == 2, fields[0].elementsEqual(name.utf8) { return Int64(decimal: fields[1]) }
  }
  return nil
}
