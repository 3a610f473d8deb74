internal import Glibc
internal import StackmeterRuntime

/// Where a run keeps its processes' data: removed at the end, whatever the end is.
final class BenchDirectory: Sendable {
  /// On the disk that is measured.
  let path: String
  /// For sockets, whose paths are short.
  let runPath: String

  init(below parent: String) throws(BenchFailure) {
    path = try FileTree.makeTemporary(below: parent, prefix: "stackmeter-bench-")
    runPath = try FileTree.makeTemporary(below: "/tmp", prefix: "sm-bench-")
  }

  deinit {
    FileTree.remove(path)
    FileTree.remove(runPath)
  }

  /// The directory of the programs: that of this one.
  static let programs: String = {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    let path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
  }()

  /// Starts a program that was built beside this one; what it says goes to a file of its name.
  func start(
    _ program: String, _ arguments: [String] = [], environment: [String: String]
  ) throws -> ChildProcess {
    let executable = "\(BenchDirectory.programs)/\(program)"
    guard access(executable, X_OK) == 0 else {
      throw BenchFailure(
        "\(executable) is missing; build it beside this program: swift build --product \(program)")
    }
    let log = open(logPath(program), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw BenchFailure("write", logPath(program), errno: errno) }
    defer { close(log) }
    // A service goes when this program does, however that ends.
    let supervised = environment.merging(["STACKMETER_SUPERVISED": "1"]) { $1 }
    return try ChildProcess(
      executable, arguments, environment: supervised, standardInput: .leash,
      standardOutput: .descriptor(log), standardError: .descriptor(log))
  }

  /// The end of what a program said.
  func log(_ program: String) -> String {
    let text = (try? fileContent(logPath(program))).map { String(decoding: $0, as: UTF8.self) }
    return String((text ?? "").suffix(2000))
  }

  private func logPath(_ program: String) -> String { "\(path)/\(program).log" }
}
