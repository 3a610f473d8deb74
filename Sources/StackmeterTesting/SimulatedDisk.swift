internal import Glibc
package import StackmeterJournal
internal import Synchronization

/// A disk in memory that forgets, tears and refuses as real ones do.
///
/// What a file holds and which names a directory has is durable only once it was synced. A sync that failed
/// loses what it should have covered for good, although it can still be read and a later sync succeeds.
package final class SimulatedDisk: Disk {
  package enum Operation: Hashable, Sendable {
    case makeDirectory, list, size, read, create, rename, remove, syncDirectory, allocate, write,
      truncate, sync
  }

  struct Fault {
    var operations: Set<Operation>
    /// How many of these still succeed.
    var countdown: Int
    var errno: Int32
    var isLasting: Bool
  }

  struct State {
    var directories: [String: SimulatedDirectory] = [:]
    var durableDirectories: Set<String> = ["/"]
    var files: [Int: SimulatedContent] = [:]
    var nextFile = 0
    var counts: [Operation: Int] = [:]
    var fault: Fault?
    var freeBytes: UInt64 = 1 << 40
    var syncMicroseconds: UInt32 = 0
    var canAllocate = true
  }

  private let state = Mutex(State())

  package init() {
    state.withLock { $0.directories["/"] = SimulatedDirectory() }
  }

  /// Lets `after` operations of these kinds succeed and fails the next; with `isLasting` also all that follow,
  /// as when the power is off.
  package func fail(
    _ operations: Set<Operation>, after: Int, errno: Int32, isLasting: Bool = false
  ) {
    state.withLock {
      $0.fault = Fault(
        operations: operations, countdown: after, errno: errno, isLasting: isLasting)
    }
  }

  /// The fault is there and has not struck yet.
  package var isFaultPending: Bool { state.withLock { ($0.fault?.countdown ?? -1) >= 0 } }

  package func heal() { state.withLock { $0.fault = nil } }

  package func count(_ operation: Operation) -> Int {
    state.withLock { $0.counts[operation, default: 0] }
  }

  package func setFreeBytes(_ bytes: UInt64) { state.withLock { $0.freeBytes = bytes } }

  /// Whether files can be allocated in advance, as most file systems can.
  package func setCanAllocate(_ canAllocate: Bool) {
    state.withLock { $0.canAllocate = canAllocate }
  }

  /// How long a sync takes: none unless told.
  package func setSyncMicroseconds(_ microseconds: UInt32) {
    state.withLock { $0.syncMicroseconds = microseconds }
  }

  /// What becomes of writes and names that no sync has covered.
  package enum Unsynced: CaseIterable, Sendable {
    case dropped
    case kept
    /// Of each file some blocks, of each directory the first so many changes.
    case torn
  }

  /// The power fails and comes back: what is read from now on is what the disk has kept.
  package func crash(keepingUnsynced unsynced: Unsynced, _ random: inout SeededRandom) {
    var generator = random
    state.withLock { state in
      state.fault = nil
      for path in state.directories.keys.sorted() {
        guard unsynced == .kept || state.durableDirectories.contains(path) else {
          state.directories[path] = nil
          continue
        }
        state.directories[path]?.crash(unsynced, &generator)
      }
      for file in state.files.keys.sorted() {
        state.files[file]?.crash(unsynced, &generator)
      }
    }
    random = generator
  }

  /// Another disk with the same content, durable or not, and without a fault.
  package func copy() -> SimulatedDisk {
    let copy = SimulatedDisk()
    let state = state.withLock { $0 }
    copy.state.withLock {
      $0 = state
      $0.fault = nil
    }
    return copy
  }

  /// Runs `body` while no operation fails or counts towards the fault that is set.
  package func withoutFault<Result>(_ body: () throws -> Result) rethrows -> Result {
    let fault = state.withLock { state in
      defer { state.fault = nil }
      return state.fault
    }
    defer { state.withLock { $0.fault = fault } }
    return try body()
  }

  /// Flips the bits of `mask` in one byte of a file.
  package func damage(_ path: String, at offset: Int, mask: UInt8) throws {
    try change(path) { $0[offset] ^= mask }
  }

  /// Puts other bytes into a file, all of them durable.
  package func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
    try state.withLock { state in
      let file = try state.file(path, "change")
      state.files[file]!.replace(body)
    }
  }

  private func perform<Result: Sendable>(
    _ operation: Operation, _ path: String, partly: (inout State) -> Void = { _ in },
    body: (inout State) throws(DiskError) -> Result
  ) throws(DiskError) -> Result {
    let outcome: Swift.Result<Result, DiskError> = state.withLock { state in
      state.counts[operation, default: 0] += 1
      if var fault = state.fault, fault.operations.contains(operation) {
        fault.countdown -= 1
        state.fault = fault
        if fault.countdown == -1 || fault.countdown < 0 && fault.isLasting {
          partly(&state)
          return .failure(
            DiskError(operation: "\(operation)", path: path, errno: fault.errno))
        }
      }
      do throws(DiskError) { return .success(try body(&state)) } catch { return .failure(error) }
    }
    return try outcome.get()
  }

  package func makeDirectory(_ path: String) throws(DiskError) {
    try perform(.makeDirectory, path) { state in
      if state.directories[path] == nil { state.directories[path] = SimulatedDirectory() }
    }
  }

  package func list(_ directory: String) throws(DiskError) -> [String] {
    try perform(.list, directory) { state throws(DiskError) in
      guard let found = state.directories[directory] else {
        throw DiskError(operation: "list", path: directory, errno: ENOENT)
      }
      // In an order that is the same in each run.
      return found.names.keys.sorted()
    }
  }

  package func size(_ path: String) throws(DiskError) -> Int {
    try perform(.size, path) { state throws(DiskError) in
      state.files[try state.file(path, "look at")]!.bytes.count
    }
  }

  package func read(_ path: String, from offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    try perform(.read, path) { state throws(DiskError) in
      let bytes = state.files[try state.file(path, "read")]!.bytes
      return Array(bytes.dropFirst(offset).prefix(count))
    }
  }

  package func create(_ path: String) throws(DiskError) -> any DiskFile {
    let file = try perform(.create, path) { state throws(DiskError) in
      let (directory, name) = SimulatedDisk.split(path)
      guard let found = state.directories[directory] else {
        throw DiskError(operation: "create", path: path, errno: ENOENT)
      }
      guard found.names[name] == nil else {
        throw DiskError(operation: "create", path: path, errno: EEXIST)
      }
      state.nextFile += 1
      state.files[state.nextFile] = SimulatedContent()
      state.directories[directory]!.apply(.add(name, state.nextFile))
      return state.nextFile
    }
    return SimulatedFile(disk: self, path: path, file: file)
  }

  package func rename(_ source: String, to target: String) throws(DiskError) {
    try perform(.rename, target) { state throws(DiskError) in
      _ = try state.file(source, "rename")
      let (directory, name) = SimulatedDisk.split(source)
      let (targetDirectory, targetName) = SimulatedDisk.split(target)
      precondition(directory == targetDirectory, "a log renames inside of its directory")
      state.directories[directory]!.apply(.rename(name, targetName))
    }
  }

  package func remove(_ path: String) throws(DiskError) {
    try perform(.remove, path) { state throws(DiskError) in
      _ = try state.file(path, "remove")
      let (directory, name) = SimulatedDisk.split(path)
      state.directories[directory]!.apply(.remove(name))
    }
  }

  package func syncDirectory(_ path: String) throws(DiskError) {
    try perform(.syncDirectory, path) { state throws(DiskError) in
      guard state.directories[path] != nil else {
        throw DiskError(operation: "sync", path: path, errno: ENOENT)
      }
      state.directories[path]!.sync()
      for child in state.directories.keys where SimulatedDisk.split(child).directory == path {
        state.durableDirectories.insert(child)
      }
    }
  }

  package func freeBytes(_ path: String) throws(DiskError) -> UInt64 {
    state.withLock { $0.freeBytes }
  }

  fileprivate func allocate(_ file: Int, _ path: String, _ size: Int) throws(DiskError) -> Bool {
    // One that fails for lack of space leaves what it got so far.
    try perform(
      .allocate, path,
      partly: { state in
        let count = state.files[file]!.bytes.count
        if count < size { state.files[file]!.resize((count + size) / 2) }
      },
      body: { state in
        guard state.canAllocate else { return false }
        if state.files[file]!.bytes.count < size { state.files[file]!.resize(size) }
        return true
      })
  }

  fileprivate func write(
    _ file: Int, _ path: String, _ bytes: [UInt8], at offset: Int
  ) throws(DiskError) {
    try perform(
      .write, path,
      partly: { $0.files[file]!.write(bytes.prefix(bytes.count / 2), at: offset) },
      body: { state in state.files[file]!.write(bytes[...], at: offset) })
  }

  fileprivate func truncate(_ file: Int, _ path: String, _ size: Int) throws(DiskError) {
    try perform(.truncate, path) { state in state.files[file]!.resize(size) }
  }

  fileprivate func sync(_ file: Int, _ path: String) throws(DiskError) {
    let pause = state.withLock { $0.syncMicroseconds }
    if pause > 0 { usleep(pause) }
    try perform(
      .sync, path, partly: { $0.files[file]!.hasLostWrites = true },
      body: { state in state.files[file]!.sync() })
  }

  static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (
      slash == path.startIndex ? "/" : String(path[..<slash]),
      String(path[path.index(after: slash)...])
    )
  }
}

/// A file that is open for writing. The disk's lock guards what it holds.
private final class SimulatedFile: DiskFile {
  private let disk: SimulatedDisk
  private let path: String
  private let file: Int

  init(disk: SimulatedDisk, path: String, file: Int) {
    self.disk = disk
    self.path = path
    self.file = file
  }

  func allocate(_ size: Int) throws(DiskError) -> Bool {
    try disk.allocate(file, path, size)
  }
  func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
    try disk.write(file, path, bytes, at: offset)
  }
  func truncate(_ size: Int) throws(DiskError) { try disk.truncate(file, path, size) }
  func sync() throws(DiskError) { try disk.sync(file, path) }
  func close() {}
}
