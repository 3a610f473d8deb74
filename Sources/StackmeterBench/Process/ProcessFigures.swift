internal import Glibc
internal import StackmeterRuntime

/// What the kernel says about a process.
struct ProcessFigures: Equatable {
  /// Time on the processors, in user and kernel mode.
  var cpu: Duration = .zero
  /// Memory now and at most so far.
  var residentBytes: Int64 = 0
  var residentBytesMax: Int64 = 0

  init() {}

  /// Zeros where the process is gone.
  init(pid: Int32) {
    if let text = try? fileContent("/proc/\(pid)/stat") {
      cpu = ProcessFigures.cpu(stat: String(decoding: text, as: UTF8.self))
    }
    if let text = try? fileContent("/proc/\(pid)/status") {
      let status = String(decoding: text, as: UTF8.self)
      residentBytes = ProcessFigures.bytes("VmRSS", status)
      residentBytesMax = ProcessFigures.bytes("VmHWM", status)
    }
  }

  /// A process and its children together.
  init(tree pid: Int32) {
    self.init(pid: pid)
    for name in FileTree.names("/proc") {
      guard let child = Int32(name), let text = try? fileContent("/proc/\(child)/stat"),
        ProcessFigures.parent(stat: String(decoding: text, as: UTF8.self)) == pid
      else { continue }
      let figures = ProcessFigures(pid: child)
      cpu += figures.cpu
      residentBytes += figures.residentBytes
      residentBytesMax += figures.residentBytesMax
    }
  }

  /// The 4th field.
  static func parent(stat: String) -> Int32? {
    let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
    return fields.count > 2 ? Int32(fields[2]) : nil
  }

  static func ofThisProcess() -> ProcessFigures { ProcessFigures(pid: getpid()) }

  /// The 14th and 15th field: ticks of user and kernel mode. The 2nd, the name, may hold spaces.
  static func cpu(stat: String) -> Duration {
    let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
    guard fields.count > 13, let user = Int64(fields[12]), let kernel = Int64(fields[13]) else {
      return .zero
    }
    return .nanoseconds((user + kernel) * (1_000_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK)))))
  }

  static func bytes(_ name: String, _ status: String) -> Int64 {
    for line in status.split(separator: "\n") where line.hasPrefix("\(name):") {
      let words = line.dropFirst(name.count + 1).split { $0 == " " || $0 == "\t" }
      return (words.first.flatMap { Int64($0) } ?? 0) * 1024
    }
    return 0
  }
}
