/// The bytes in use of each filesystem and of each configured directory.
///
/// A configured directory is taken out of the filesystem that it lies on, and out of a configured directory
/// above it, so that no byte counts twice. A directory whose tree is past the limits of a walk is not metered
/// and stays with its filesystem.
struct StorageSampler {
  let filesystems: [AgentConfiguration.PathRule]
  let directories: [AgentConfiguration.PathRule]
  /// What the last walks found: bytes and device by path.
  private var walked: [String: (bytes: Int64, device: String)] = [:]

  init(
    filesystems: [AgentConfiguration.PathRule], directories: [AgentConfiguration.PathRule]
  ) {
    self.filesystems = filesystems
    self.directories = directories
  }

  /// Walks the configured directories. Gives the problem of each that could not be metered.
  mutating func walk(_ kernel: some KernelSource) -> [KernelError] {
    walked = [:]
    var problems: [KernelError] = []
    let paths = Set(directories.map(\.path))
    for path in paths.sorted() {
      do throws(KernelError) {
        guard let device = try kernel.device(of: path),
          let bytes = try kernel.allocatedBytes(below: path, excluding: paths.subtracting([path]))
        else { throw KernelError(path: path, problem: "is not there or may not be read") }
        walked[path] = (bytes, device)
      } catch {
        problems.append(error)
      }
    }
    return problems
  }

  /// Reads the filesystems and sets the gauges of the state. After an error nothing changed.
  func sample(_ kernel: some KernelSource, into state: inout AgentState) throws(KernelError) {
    guard let text = try kernel.contents(of: "/proc/self/mountinfo") else {
      throw KernelError(path: "/proc/self/mountinfo", problem: "is not there")
    }
    var gauges: [Subject: Int64] = [:]
    var walkedByDevice: [String: Int64] = [:]
    for (path, found) in walked {
      gauges[Subject(.directory, path)] = found.bytes
      walkedByDevice[found.device, default: 0] += found.bytes
    }
    let mounts = MountTable(mountinfo: text).filesystems(configured: Set(filesystems.map(\.path)))
    for mount in mounts {
      guard let used = try kernel.usedBytes(ofFilesystemAt: mount.path) else { continue }
      let rest = max(0, used - (walkedByDevice[mount.device] ?? 0))
      gauges[Subject(.filesystem, mount.path)] = rest
    }
    state.setGauges(.storage, of: [.filesystem, .directory], gauges)
  }
}
