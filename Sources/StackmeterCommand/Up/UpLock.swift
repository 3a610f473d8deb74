internal import Glibc
internal import StackmeterRuntime

/// Makes the supervisor of a run directory the only one. Goes with the process, however it ends.
///
/// The file holds the supervisor's pid, for people and scripts.
struct UpLock: ~Copyable {
  private let descriptor: Int32

  init(runDirectory: String) throws(CommandFailure) {
    let path = UpLock.path(runDirectory)
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
    guard descriptor >= 0 else {
      throw CommandFailure("\(path): \(String(cString: strerror(errno)))", exitCode: EX_CANTCREAT)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let holder = (try? fileContent(path, bytesMax: 64)) ?? []
      let pid = String(decoding: holder, as: UTF8.self).split(separator: "\n").first ?? "unknown"
      close(descriptor)
      throw CommandFailure(
        "stackmeter up runs already in \(runDirectory), pid \(pid)", exitCode: EX_TEMPFAIL)
    }
    ftruncate(descriptor, 0)
    let text = "\(getpid())\n"
    _ = Array(text.utf8).withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  static func path(_ runDirectory: String) -> String { "\(runDirectory)/up.lock" }

  deinit {
    close(descriptor)
  }
}

/// Makes a directory and those above it; `mode` is for the last one, if it is made.
func makeDirectories(_ path: String, mode: mode_t) throws(CommandFailure) {
  var made = path.hasPrefix("/") ? "/" : ""
  let parts = path.split(separator: "/")
  for (index, part) in parts.enumerated() {
    made += index == 0 ? part : "/" + part
    if mkdir(made, index == parts.count - 1 ? mode : 0o755) != 0 && errno != EEXIST {
      throw CommandFailure(
        "cannot make the directory \(made): \(String(cString: strerror(errno)))",
        exitCode: EX_CANTCREAT)
    }
  }
}
