internal import Glibc
internal import NIOPosix
package import StackmeterCore
internal import StackmeterRuntime
internal import Synchronization

/// The audit log: what operators and providers asked of others' usage, and everything that was changed, as JSON lines
/// that only ever are added to, each with a hash over itself and the line before.
///
/// A change is on the disk before it is done; a read within a second. Whoever cannot be written down is refused what
/// they ask. Several processes may write: they take turns. Full files keep the chain; the oldest go when all of them
/// have more than `bytesMax`.
package final class AuditLog: Sendable {
  static let filesMax: Int64 = 8
  /// How long a line may be off the disk that is no change.
  static let syncInterval: Duration = .seconds(1)

  /// Where this process has left the log. Others may have gone on.
  private struct State {
    var synced: Duration?
    var size: off_t = -1
    var inode: ino_t = 0
    var sequence: UInt64 = 0
    var hash = AuditLine.noHash
  }

  private let files: AuditFiles
  private let bytesMax: Int64
  private let clock: any HostClock
  private let state = Mutex(State())
  private let threads = NIOThreadPool(numberOfThreads: 1)

  /// Makes the directory where there is none, and looks whether a line could be written.
  package init(
    directory: String, bytesMax: Int, clock: any HostClock
  ) throws(AuditError) {
    files = AuditFiles(directory: directory)
    self.bytesMax = Int64(bytesMax)
    self.clock = clock
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw .failure("make the directory", directory)
    }
    try state.withLock { (state) throws(AuditError) in
      try locked { (current) throws(AuditError) in try catchUp(&state, current) }
    }
    threads.start()
  }

  package func stop() async {
    try? await threads.shutdownGracefully()
  }

  /// Writes an entry down. Off the caller's thread, which must not wait for the disk.
  package func append(_ entry: AuditEntry) async throws(AuditError) {
    do {
      try await threads.runIfActive { [self] in try write(entry) }
    } catch let error as AuditError {
      throw error
    } catch {
      throw AuditError(description: "the audit log is closed")
    }
  }

  /// Writes an entry down on this thread.
  package func write(_ entry: AuditEntry) throws(AuditError) {
    try state.withLock { (state) throws(AuditError) in
      try locked { (current) throws(AuditError) in
        try catchUp(&state, current)
        var current = current
        if state.size >= bytesMax / AuditLog.filesMax {
          current = try rotate(&state, current)
        }
        let line = AuditLine(
          content: entry.content(sequence: state.sequence + 1, time: clock.now()),
          sequence: state.sequence + 1, after: state.hash)
        let bytes = line.bytes
        guard Glibc.write(current, bytes, bytes.count) == bytes.count else {
          let error = AuditError.failure("write", files.current)
          // What was written in part is no line.
          _ = ftruncate(current, state.size)
          throw error
        }
        let now = clock.elapsed()
        let isDue = state.synced.map { now - $0 >= AuditLog.syncInterval } ?? true
        if entry.action != .read || isDue {
          guard fdatasync(current) == 0 else { throw .failure("sync", files.current) }
          try files.write(
            AuditHead(
              first: try files.full().first?.first ?? files.readHead()?.first ?? line.sequence,
              last: line.sequence, hash: line.hash))
          state.synced = now
        }
        state.size += off_t(bytes.count)
        (state.sequence, state.hash) = (line.sequence, line.hash)
      }
    }
  }

  /// Takes the turn among processes, and lends the file that grows.
  private func locked(_ body: (Int32) throws(AuditError) -> Void) throws(AuditError) {
    let lock = try files.takeTurn()
    defer { close(lock) }
    let current = try openCurrent()
    // A rotation closes what it was lent and opens another.
    defer { close(current) }
    try body(current)
  }

  private func openCurrent() throws(AuditError) -> Int32 {
    let current = open(
      files.current, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard current >= 0 else { throw .failure("open", files.current) }
    return current
  }

  /// Reads the last line where somebody else has written since.
  private func catchUp(_ state: inout State, _ current: Int32) throws(AuditError) {
    var status = stat()
    guard fstat(current, &status) == 0 else { throw .failure("look at", files.current) }
    guard status.st_size != state.size || status.st_ino != state.inode else { return }
    var last = try AuditLog.lastLine(files.current)
    if last == nil, let full = try files.full().last { last = try AuditLog.lastLine(full.path) }
    let head = files.readHead()
    state.sequence = last?.sequence ?? head?.last ?? 0
    state.hash = last?.hash ?? head?.hash ?? AuditLine.noHash
    // The lines behind it are lost; their numbers are not given again, so that it shows.
    if let head, head.last > state.sequence { state.sequence = head.last }
    // A line that was cut off by a power cut was never acknowledged.
    let whole = try AuditLog.wholeBytes(files.current)
    if whole < status.st_size {
      guard ftruncate(current, whole) == 0 else { throw .failure("cut", files.current) }
    }
    state.size = whole
    state.inode = status.st_ino
  }

  /// Sets a full file aside, removes the oldest ones that are too many, and begins a new one, whose descriptor it
  /// gives.
  private func rotate(_ state: inout State, _ current: Int32) throws(AuditError) -> Int32 {
    guard fsync(current) == 0 else { throw .failure("sync", files.current) }
    guard let first = try AuditLog.firstLine(files.current) else { return current }
    guard rename(files.current, files.full(first: first.sequence)) == 0 else {
      throw .failure("rename", files.current)
    }
    let fresh = try openCurrent()
    defer { close(fresh) }
    // The descriptor that is lent is that of the new file from here on.
    guard dup2(fresh, current) >= 0 else { throw .failure("open", files.current) }
    var status = stat()
    guard fstat(current, &status) == 0 else { throw .failure("look at", files.current) }
    (state.size, state.inode) = (0, status.st_ino)
    let full = try files.full()
    for old in full.dropLast(Int(AuditLog.filesMax) - 1) {
      guard unlink(old.path) == 0 else { throw .failure("remove", old.path) }
    }
    try files.write(
      AuditHead(
        first: try files.full().first?.first ?? first.sequence, last: state.sequence,
        hash: state.hash))
    return current
  }

  private static func content(_ path: String) throws(AuditError) -> [UInt8] {
    do {
      return try fileContent(path, bytesMax: 1 << 30)
    } catch {
      throw AuditError(description: "the audit log: \(error)")
    }
  }

  private static func wholeBytes(_ path: String) throws(AuditError) -> off_t {
    off_t((try content(path).lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)
  }

  private static func lastLine(_ path: String) throws(AuditError) -> AuditLine? {
    try content(path).split(separator: UInt8(ascii: "\n")).reversed().lazy
      .compactMap { AuditLine($0) }.first
  }

  private static func firstLine(_ path: String) throws(AuditError) -> AuditLine? {
    try content(path).split(separator: UInt8(ascii: "\n"), maxSplits: 1).first.flatMap {
      AuditLine($0)
    }
  }
}
