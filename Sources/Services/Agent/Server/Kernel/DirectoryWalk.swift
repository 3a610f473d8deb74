internal import Glibc

/// Sums what a directory's tree occupies, as `du` does.
///
/// Counts the allocated blocks of each file and directory once, however many links it has; follows no symbolic
/// link and does not leave the filesystem. Bounded by `AgentLimits` in entries, depth and time; past a bound it
/// throws, because a part of a tree is not its size. What is removed while it walks is not counted.
struct DirectoryWalk {
  private let device: dev_t
  private let excluded: Set<String>
  private let deadline: ContinuousClock.Instant
  private var entriesLeft = AgentLimits.walkEntriesMax
  private var blocks: Int64 = 0
  /// Files of several links that were counted already.
  private var linkedInodes: Set<ino_t> = []

  static func allocatedBytes(
    below path: String, excluding excluded: Set<String>
  ) throws(KernelError) -> Int64 {
    var root = stat()
    guard stat(path, &root) == 0 else { throw failure(path) }
    var walk = DirectoryWalk(
      device: root.st_dev, excluded: excluded,
      deadline: ContinuousClock.now + AgentLimits.walkDuration)
    walk.blocks = Int64(root.st_blocks)
    if root.st_mode & S_IFMT == S_IFDIR { try walk.visit(path, depth: 0) }
    // A block of st_blocks is 512 bytes on every filesystem of Linux.
    return walk.blocks * 512
  }

  private init(device: dev_t, excluded: Set<String>, deadline: ContinuousClock.Instant) {
    self.device = device
    self.excluded = excluded
    self.deadline = deadline
  }

  private mutating func visit(_ path: String, depth: Int) throws(KernelError) {
    guard depth < AgentLimits.walkDepthMax else {
      throw KernelError(path: path, problem: "deeper than \(AgentLimits.walkDepthMax) directories")
    }
    guard let directory = opendir(path) else {
      if errno == ENOENT { return }
      throw DirectoryWalk.failure(path)
    }
    defer { closedir(directory) }
    errno = 0
    while let entry = readdir(directory) {
      let name = entryName(entry)
      if name != "." && name != ".." {
        let below = path == "/" ? "/\(name)" : "\(path)/\(name)"
        try count(name, in: directory, path: below, depth: depth)
      }
      errno = 0
    }
    guard errno == 0 else { throw DirectoryWalk.failure(path) }
  }

  private mutating func count(
    _ name: String, in directory: OpaquePointer, path: String, depth: Int
  ) throws(KernelError) {
    entriesLeft -= 1
    guard entriesLeft >= 0 else {
      throw KernelError(path: path, problem: "more than \(AgentLimits.walkEntriesMax) entries")
    }
    guard entriesLeft % 1024 != 0 || ContinuousClock.now < deadline else {
      throw KernelError(path: path, problem: "the walk takes more than \(AgentLimits.walkDuration)")
    }
    var status = stat()
    guard fstatat(dirfd(directory), name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return }
      throw DirectoryWalk.failure(path)
    }
    guard status.st_dev == device, !excluded.contains(path) else { return }
    let isDirectory = status.st_mode & S_IFMT == S_IFDIR
    if !isDirectory && status.st_nlink > 1 {
      guard linkedInodes.insert(status.st_ino).inserted else { return }
    }
    blocks += Int64(status.st_blocks)
    if isDirectory { try visit(path, depth: depth + 1) }
  }

  private static func failure(_ path: String) -> KernelError {
    KernelError(path: path, problem: String(cString: strerror(errno)))
  }
}
