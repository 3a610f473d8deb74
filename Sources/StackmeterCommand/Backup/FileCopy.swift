internal import Crypto
internal import Glibc
internal import StackmeterCore

/// Copies and hashes files: what is copied is durable when the call returns.
enum FileCopy {
  private static let pieceBytes = 1 << 20

  /// What a file has: its bytes, and their SHA-256 in hexadecimal.
  struct Content: Hashable, Sendable {
    let byteCount: Int
    let digest: String
  }

  private static func failure(_ operation: String, _ path: String) -> CommandFailure {
    CommandFailure(
      "cannot \(operation) \(path): \(String(cString: strerror(errno)))",
      exitCode: errno == ENOENT ? EX_NOINPUT : EX_IOERR)
  }

  /// Copies a file, or its first `byteCount` bytes, to a new one of `mode`, with zeros up to `paddedCount` bytes. Nil
  /// where the source is missing. Throws where it is shorter.
  static func copy(
    _ source: String, to target: String, byteCount: Int? = nil, paddedCount: Int = 0, mode: mode_t
  ) throws(CommandFailure) -> Content? {
    let input = open(source, O_RDONLY | O_CLOEXEC)
    if input < 0, errno == ENOENT { return nil }
    guard input >= 0 else { throw failure("open", source) }
    defer { close(input) }
    // What was written by another process is on the disk before it is taken for true.
    guard fdatasync(input) == 0 else { throw failure("sync", source) }
    let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard output >= 0 else { throw failure("create", target) }
    defer { close(output) }
    var digest = SHA256()
    var copied = 0
    try pieces(input, source, byteCount ?? .max) { (piece) throws(CommandFailure) in
      digest.update(bufferPointer: piece)
      var start = 0
      while start < piece.count {
        let count = Glibc.write(output, piece.baseAddress! + start, piece.count - start)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw failure("write", target) }
        start += count
      }
      copied += piece.count
    }
    guard byteCount == nil || copied == byteCount else {
      throw CommandFailure("\(source) has become shorter", exitCode: EX_TEMPFAIL)
    }
    if copied < paddedCount {
      guard ftruncate(output, off_t(paddedCount)) == 0 else { throw failure("extend", target) }
      let zeros = [UInt8](repeating: 0, count: pieceBytes)
      while copied < paddedCount {
        let count = min(pieceBytes, paddedCount - copied)
        digest.update(data: zeros[..<count])
        copied += count
      }
    }
    guard fsync(output) == 0 else { throw failure("sync", target) }
    // So that who reads it next reads the disk.
    _ = posix_fadvise(output, 0, 0, POSIX_FADV_DONTNEED)
    return Content(byteCount: copied, digest: hexadecimal(digest.finalize()))
  }

  /// Writes a new file.
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(CommandFailure) {
    let output = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard output >= 0 else { throw failure("create", path) }
    defer { close(output) }
    guard Glibc.write(output, bytes, bytes.count) == bytes.count, fsync(output) == 0 else {
      throw failure("write", path)
    }
  }

  /// Reads a whole file.
  static func content(of path: String) throws(CommandFailure) -> Content {
    let input = open(path, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw failure("open", path) }
    defer { close(input) }
    var digest = SHA256()
    var byteCount = 0
    try pieces(input, path, .max) { (piece) throws(CommandFailure) in
      digest.update(bufferPointer: piece)
      byteCount += piece.count
    }
    return Content(byteCount: byteCount, digest: hexadecimal(digest.finalize()))
  }

  private static func pieces(
    _ input: Int32, _ path: String, _ byteCount: Int,
    _ body: (UnsafeRawBufferPointer) throws(CommandFailure) -> Void
  ) throws(CommandFailure) {
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 16)
    defer { piece.deallocate() }
    var rest = byteCount
    while rest > 0 {
      let count = read(input, piece.baseAddress, min(rest, pieceBytes))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      rest -= count
    }
  }

  /// Makes what was written in a directory, and its names, durable.
  static func sync(_ path: String) throws(CommandFailure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open", path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("sync", path) }
  }

  static func makeDirectory(_ path: String, mode: mode_t) throws(CommandFailure) {
    guard mkdir(path, mode) == 0 else { throw failure("make the directory", path) }
  }

  static func rename(_ source: String, to target: String) throws(CommandFailure) {
    guard Glibc.rename(source, target) == 0 else { throw failure("rename to", target) }
  }

  static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// The names in a directory, sorted; empty where there is none.
  static func names(_ path: String) throws(CommandFailure) -> [String] {
    guard let stream = opendir(path) else {
      if errno == ENOENT { return [] }
      throw failure("list", path)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The files in a directory and in the directories of it.
  static func tree(_ path: String) throws(CommandFailure) -> [String] {
    var files: [String] = []
    for name in try names(path) {
      var status = stat()
      guard lstat("\(path)/\(name)", &status) == 0 else { throw failure("look at", path) }
      if status.st_mode & S_IFMT == S_IFDIR {
        files += try tree("\(path)/\(name)").map { "\(name)/\($0)" }
      } else {
        files.append(name)
      }
    }
    return files
  }

  /// Removes a directory of ours that was not finished: files, and directories of files.
  static func removeTree(_ path: String) throws(CommandFailure) {
    for file in try tree(path) where unlink("\(path)/\(file)") != 0 {
      throw failure("remove", "\(path)/\(file)")
    }
    for name in try names(path) where rmdir("\(path)/\(name)") != 0 {
      throw failure("remove", "\(path)/\(name)")
    }
    guard rmdir(path) == 0 || errno == ENOENT else { throw failure("remove", path) }
  }
}
