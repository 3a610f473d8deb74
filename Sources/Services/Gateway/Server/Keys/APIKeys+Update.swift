internal import Glibc

extension APIKeys {
  /// Changes a key file in one step: readers see the old keys or the new ones, whatever happens meanwhile.
  ///
  /// A file that is not there is made with mode 0600; one that is there keeps its owner and mode. Two updates
  /// at once wait for each other.
  package static func update<Result>(
    file path: String, _ change: (inout APIKeys) throws(APIKeysError) -> Result
  ) throws(APIKeysError) -> Result {
    let directoryPath = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let directory = open(directoryPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure("open", directoryPath) }
    defer { close(directory) }
    while flock(directory, LOCK_EX) != 0 {
      guard errno == EINTR else { throw failure("lock", directoryPath) }
    }
    var status = stat()
    let exists = stat(path, &status) == 0
    if !exists && errno != ENOENT { throw failure("look at", path) }
    var keys = exists ? try APIKeys(file: path) : APIKeys()
    let result = try change(&keys)
    try write(keys.json(), to: path, like: exists ? status : nil)
    // The rename must be durable too: a key that was shown once must not vanish.
    guard fsync(directory) == 0 else { throw failure("sync", directoryPath) }
    return result
  }

  private static func write(
    _ content: [UInt8], to path: String, like existing: stat?
  ) throws(APIKeysError) {
    let temporary = "\(path).\(getpid()).new"
    let descriptor = open(
      temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("make", temporary) }
    do throws(APIKeysError) {
      defer { close(descriptor) }
      if let existing {
        // Without the right to give the file away it stays the caller's, who could write it anyway.
        _ = fchown(descriptor, existing.st_uid, existing.st_gid)
        guard fchmod(descriptor, existing.st_mode & 0o7777) == 0 else {
          throw failure("set the mode of", temporary)
        }
      }
      var rest = content[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw failure("write", temporary) }
        rest = rest.dropFirst(count)
      }
      guard fsync(descriptor) == 0 else { throw failure("sync", temporary) }
      guard rename(temporary, path) == 0 else { throw failure("replace", path) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private static func failure(_ operation: String, _ path: String) -> APIKeysError {
    APIKeysError(problems: ["cannot \(operation) \(path): \(String(cString: strerror(errno)))"])
  }
}
