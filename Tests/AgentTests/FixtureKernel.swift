internal import Synchronization

@testable import AgentServer

/// A kernel whose files a test writes. Starts as an idle host with no processes, cgroups or interfaces.
final class FixtureKernel: KernelSource {
  private let contentsByPath: Mutex<Contents>
  let ticksPerSecond: Int64 = 100
  let pageBytes: Int64 = 4096

  struct Contents {
    var files: [String: String] = [:]
    var emptyDirectories: Set<String> = ["/proc"]
    var identities: [String: UInt64] = [:]
    var usedBytes: [String: Int64] = [:]
    var devices: [String: String] = [:]
    var allocatedBytes: [String: Int64] = [:]
    var failingPaths: Set<String> = []
  }

  init() {
    var contents = Contents()
    contents.files["/proc/sys/kernel/hostname"] = "node-1\n"
    contents.files["/proc/sys/kernel/random/boot_id"] = "11111111-2222-3333-4444-555555555555\n"
    contents.files["/proc/self/mountinfo"] = ""
    contentsByPath = Mutex(contents)
  }

  func change(_ body: (inout sending Contents) -> Void) {
    contentsByPath.withLock { body(&$0) }
  }

  func setFile(_ path: String, _ text: String?) { change { $0.files[path] = text } }

  func setProcess(
    _ pid: Int, parent: Int = 1, start: Int = 10, own: Int, reaped: Int = 0, user: Int,
    pages: Int = 0
  ) {
    let stat =
      "\(pid) (a) b) c) S \(parent) 1 1 0 -1 0 0 0 0 0 \(own) 0 \(reaped) 0 20 0 1 0 \(start) 0 \(pages) 0\n"
    setFile("/proc/\(pid)/stat", stat)
    setFile("/proc/\(pid)/status", "Name:\tx\nUid:\t\(user)\t0\t0\t0\nGid:\t0\t0\t0\t0\n")
  }

  func removeProcess(_ pid: Int) {
    setFile("/proc/\(pid)/stat", nil)
    setFile("/proc/\(pid)/status", nil)
  }

  func setCgroup(_ path: String, microseconds: Int, memory: Int? = nil, identity: UInt64 = 1) {
    let directory = "/sys/fs/cgroup" + (path == "/" ? "" : path)
    setFile(
      "\(directory)/cpu.stat",
      "usage_usec \(microseconds)\nuser_usec \(microseconds)\nsystem_usec 0\n")
    setFile("\(directory)/memory.current", memory.map { "\($0)\n" })
    change { $0.identities[directory] = identity }
  }

  func removeCgroup(_ path: String) {
    setFile("/sys/fs/cgroup\(path)/cpu.stat", nil)
    setFile("/sys/fs/cgroup\(path)/memory.current", nil)
  }

  func setInterfaces(_ counters: [(name: String, index: Int, received: UInt64, sent: UInt64)]) {
    var text = "Inter-| Receive | Transmit\n face |bytes packets |bytes packets\n"
    for counter in counters {
      text += "\(counter.name): \(counter.received) 1 0 0 0 0 0 0 \(counter.sent) 1 0 0 0 0 0 0\n"
      setFile("/sys/class/net/\(counter.name)/ifindex", "\(counter.index)\n")
    }
    setFile("/proc/net/dev", text)
  }

  private func read<Value: Sendable>(
    _ path: String, _ body: (Contents) -> Value?
  ) throws(KernelError) -> Value? {
    let contents = contentsByPath.withLock { $0 }
    guard !contents.failingPaths.contains(path) else {
      throw KernelError(path: path, problem: "too many open files")
    }
    return body(contents)
  }

  func contents(of path: String) throws(KernelError) -> [UInt8]? {
    try read(path) { contents in contents.files[path].map { Array($0.utf8) } }
  }

  func directories(of path: String) throws(KernelError) -> [String]? {
    try read(path) { contents in
      let prefix = path + "/"
      let names = contents.files.keys.filter { $0.hasPrefix(prefix) }
        .map { $0.dropFirst(prefix.count).split(separator: "/") }
        .filter { $0.count > 1 }.map { String($0[0]) }
      let isThere = !names.isEmpty || contents.files.keys.contains { $0.hasPrefix(prefix) }
      return isThere || contents.emptyDirectories.contains(path) ? Set(names).sorted() : nil
    }
  }

  func identity(of path: String) throws(KernelError) -> UInt64? {
    try read(path) { $0.identities[path] }
  }

  func usedBytes(ofFilesystemAt path: String) throws(KernelError) -> Int64? {
    try read(path) { $0.usedBytes[path] }
  }

  func device(of path: String) throws(KernelError) -> String? {
    try read(path) { $0.devices[path] }
  }

  func allocatedBytes(
    below path: String, excluding excluded: Set<String>
  ) throws(KernelError) -> Int64? {
    try read(path) { $0.allocatedBytes[path] }
  }

  func userName(_ id: UInt32) -> String? { id == 1000 ? "alice" : nil }
}
