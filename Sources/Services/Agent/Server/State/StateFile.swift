internal import Glibc

/// The durable home of one agent's state. Held by one process at a time.
///
/// A write replaces the file whole: a new file is written and synced, takes the old one's name, and the
/// directory is synced. After a crash at any instant the file is the old state or the new one.
struct StateFile: ~Copyable {
  let path: String
  /// The descriptor whose lock keeps a second agent away. The kernel drops it with the process.
  private let lock: Int32

  /// Takes the lock beside the file. The directory must exist.
  init(path: String) throws(AgentError) {
    self.path = path
    lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else {
      throw .stateUnavailable(path: path, problem: String(cString: strerror(errno)))
    }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw .stateInUse(path: path)
    }
  }

  deinit { close(lock) }

  /// The file's bytes, or nil where there is none yet.
  func read() throws(AgentError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw failure()
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    let isWhole = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
      while bytes.count <= AgentLimits.fileBytesMax {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if count == 0 { return true }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        bytes.append(contentsOf: buffer[..<count])
      }
      errno = EFBIG
      return false
    }
    guard isWhole else { throw failure() }
    return bytes
  }

  /// Replaces the file durably. After an error the file is the old one or the new one, whole.
  func write(_ bytes: [UInt8]) throws(AgentError) {
    guard bytes.count <= AgentLimits.fileBytesMax else {
      throw .stateUnavailable(path: path, problem: "the state is too large to be read again")
    }
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure() }
    let isWritten = bytes.withUnsafeBytes { buffer in
      var rest = buffer[...]
      while !rest.isEmpty {
        let count = Glibc.write(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
      }
      return true
    }
    let isSynced = isWritten && fsync(descriptor) == 0
    let code = errno
    let isClosed = close(descriptor) == 0
    guard isSynced && isClosed else {
      if !isSynced { errno = code }
      throw failure()
    }
    guard rename(temporary, path) == 0 else { throw failure() }
    try syncDirectory()
  }

  private func syncDirectory() throws(AgentError) {
    let slash = path.lastIndex(of: "/")
    let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure() }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw failure() }
  }

  private func failure() -> AgentError {
    .stateUnavailable(path: path, problem: String(cString: strerror(errno)))
  }
}
