internal import Glibc

/// Puts a file in place, durably: it appears whole or not at all.
enum FileReplacement {
  static func write(_ content: [UInt8], to path: String, mode: mode_t) throws(BridgeError) {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw failure("create", temporary) }
    defer { close(descriptor) }
    var start = 0
    while start < content.count {
      let count = content[start...].withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure("write", temporary) }
      start += count
    }
    guard fsync(descriptor) == 0 else { throw failure("sync", temporary) }
    guard rename(temporary, path) == 0 else { throw failure("replace", path) }
    try syncDirectory(of: path)
  }

  /// Makes what is in the directory durable.
  static func syncDirectory(of path: String) throws(BridgeError) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[..<$0]) } ?? "."
    let descriptor = open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open", directory) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("sync", directory) }
  }

  static func failure(_ operation: String, _ path: String) -> BridgeError {
    .storage("cannot \(operation) \(path): \(String(cString: strerror(errno)))")
  }
}
