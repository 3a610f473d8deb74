internal import Glibc

/// What an audit log has at one moment, for a copy of it. Lines are only ever added, so the first `byteCount` bytes of
/// a file stay as they are for as long as the file is there.
package struct AuditSnapshot: Hashable, Sendable {
  package struct File: Hashable, Sendable {
    package let name: String
    package let byteCount: Int
    /// Tells a file from another that has its name later.
    let inode: UInt64
  }

  /// In the order of their lines.
  package let files: [File]
  /// What the file `AuditSnapshot.headName` says then; nil where there is none.
  package let head: [UInt8]?

  package static let headName = "head"

  /// Nil where there is no log.
  package init?(directory: String) throws(AuditError) {
    let places = AuditFiles(directory: directory)
    guard access(directory, F_OK) == 0 else { return nil }
    // Nobody writes between the look at the files and that at their head.
    let lock = try places.takeTurn()
    defer { close(lock) }
    var files: [File] = []
    for path in try places.all() {
      var status = stat()
      guard stat(path, &status) == 0 else { throw .failure("look at", path) }
      let name = path.split(separator: "/").last.map(String.init) ?? path
      files.append(File(name: name, byteCount: Int(status.st_size), inode: UInt64(status.st_ino)))
    }
    self.files = files
    head = places.readHead()?.bytes
  }

  /// Whether the files that this one names are still there under their names, so that a copy made meanwhile has them.
  package func isContained(in later: AuditSnapshot) -> Bool {
    files.allSatisfy { file in
      later.files.contains { $0.name == file.name && $0.inode == file.inode }
    }
  }
}
