internal import Glibc

/// Directories of a run: made, measured and removed.
enum FileTree {
  /// Makes a directory with a name of its own below `parent`.
  static func makeTemporary(below parent: String, prefix: String) throws(BenchFailure) -> String {
    // The run of letters that mkdtemp replaces.
    var template = "\(parent)/\(prefix)\(String(repeating: "X", count: 6))".utf8CString
    let path = template.withUnsafeMutableBufferPointer { buffer in
      mkdtemp(buffer.baseAddress!).map { String(cString: $0) }
    }
    guard let path else { throw BenchFailure("make a directory below", parent, errno: errno) }
    return path
  }

  static func make(_ path: String) throws(BenchFailure) {
    guard mkdir(path, 0o700) == 0 else { throw BenchFailure("make", path, errno: errno) }
  }

  /// The bytes that the disk has given to everything below `path`.
  static func allocatedBytes(_ path: String) -> Int64 {
    var status = stat()
    guard lstat(path, &status) == 0 else { return 0 }
    guard isDirectory(status) else { return Int64(status.st_blocks) * 512 }
    return names(path).reduce(0) { $0 + allocatedBytes("\(path)/\($1)") }
  }

  /// Removes everything; what cannot be removed stays for the operator to find.
  static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard isDirectory(status) else {
      unlink(path)
      return
    }
    for name in names(path) { remove("\(path)/\(name)") }
    rmdir(path)
  }

  private static func isDirectory(_ status: stat) -> Bool {
    status.st_mode & S_IFMT == S_IFDIR
  }

  /// What lies directly in a directory.
  static func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }
}
