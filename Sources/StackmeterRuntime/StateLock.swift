internal import Glibc

/// Another process owns what this one needs. It may be about to end, so trying again makes sense.
package struct StateLockError: Error, Equatable, CustomStringConvertible {
  package let path: String

  package var description: String { "another process holds \(path); stop it first" }
}

/// Makes this process the only owner of something on the disk, for as long as it lives.
package enum StateLock {
  /// Takes the lock file, making it and its directory where there is none. The kernel gives the lock back when
  /// the process ends, however it ends.
  package static func take(_ path: String) throws {
    func failure(_ operation: String) -> SettingsError {
      SettingsError(problems: ["cannot \(operation) \(path): \(String(cString: strerror(errno)))"])
    }
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      try makeDirectory(String(path[..<slash]))
    }
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
    guard descriptor >= 0 else { throw failure("open") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      guard errno == EWOULDBLOCK else { throw failure("lock") }
      throw StateLockError(path: path)
    }
    // The descriptor stays open on purpose: closing it would give the lock back.
  }

  /// Makes the last part of a directory's path, with mode 0750, where there is none.
  package static func makeDirectory(_ path: String) throws(SettingsError) {
    guard mkdir(path, 0o750) == 0 || errno == EEXIST else {
      throw SettingsError(problems: [
        "cannot make the directory \(path): \(String(cString: strerror(errno)))"
      ])
    }
  }
}
