/// What is learned of the host once, when the agent starts.
struct HostFacts {
  let name: String
  let bootID: String
  /// Where the unified hierarchy is mounted, where cgroups are metered.
  let cgroupMount: String?

  init(
    _ kernel: some KernelSource, mode: AgentConfiguration.Mode
  ) throws(KernelError) {
    func line(_ path: String) throws(KernelError) -> String {
      guard let line = try kernel.line(of: path), !line.isEmpty else {
        throw KernelError(path: path, problem: "is not there")
      }
      return line
    }
    name = try line("/proc/sys/kernel/hostname")
    bootID = try line("/proc/sys/kernel/random/boot_id")
    guard kernel.ticksPerSecond > 0, 1_000_000 % kernel.ticksPerSecond == 0 else {
      throw KernelError(
        path: "/proc", problem: "a clock tick of 1/\(kernel.ticksPerSecond) s is not supported")
    }
    guard mode != .user else {
      cgroupMount = nil
      return
    }
    let mounts = MountTable(mountinfo: try kernel.contents(of: "/proc/self/mountinfo") ?? [])
    switch (mode, mounts.unifiedCgroups) {
    case (.cgroup, let mount?): cgroupMount = mount
    case (.cgroup, nil):
      throw KernelError(
        path: "/proc/self/mountinfo", problem: "no cgroup2 mount, which mode cgroup needs")
    case (_, let mount?):
      cgroupMount = try CgroupSampler.isOffered(kernel, mountPath: mount) ? mount : nil
    case (_, nil): cgroupMount = nil
    }
  }
}
