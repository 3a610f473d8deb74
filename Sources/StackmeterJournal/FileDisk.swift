internal import CStackmeterSupport
internal import Glibc

func errorText(_ errno: Int32) -> String { String(cString: strerror(errno)) }

/// The host's file system.
package struct FileDisk: Disk {
  package init() {}

  private func failure(_ operation: String, _ path: String) -> DiskError {
    DiskError(operation: operation, path: path, errno: errno)
  }

  package func makeDirectory(_ path: String) throws(DiskError) {
    guard mkdir(path, 0o750) == 0 || errno == EEXIST else {
      throw failure("make the directory", path)
    }
  }

  package func list(_ directory: String) throws(DiskError) -> [String] {
    guard let stream = opendir(directory) else { throw failure("list", directory) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      // The end and an error look the same but for the error number.
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    guard errno == 0 else { throw failure("list", directory) }
    return names
  }

  package func size(_ path: String) throws(DiskError) -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw failure("look at", path) }
    return Int(status.st_size)
  }

  package func read(_ path: String, from offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open", path) }
    defer { Glibc.close(descriptor) }
    var problem: DiskError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = 0
      while filled < count {
        let result = pread(
          descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset + filled))
        if result < 0 && errno == EINTR { continue }
        if result < 0 { problem = failure("read", path) }
        if result <= 0 { return }
        filled += result
      }
    }
    if let problem { throw problem }
    return bytes
  }

  package func create(_ path: String) throws(DiskError) -> any DiskFile {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw failure("create", path) }
    return OpenFile(path: path, descriptor: descriptor)
  }

  package func rename(_ source: String, to target: String) throws(DiskError) {
    guard Glibc.rename(source, target) == 0 else { throw failure("rename to", target) }
  }

  package func remove(_ path: String) throws(DiskError) {
    guard unlink(path) == 0 else { throw failure("remove", path) }
  }

  package func syncDirectory(_ path: String) throws(DiskError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open", path) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("sync", path) }
  }

  package func expectReading(_ path: String) {
    // Only advice: where it is not taken, nothing is lost but speed.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { Glibc.close(descriptor) }
    _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_WILLNEED)
  }

  package func freeBytes(_ path: String) throws(DiskError) -> UInt64 {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw failure("look at the disk of", path) }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }
}

/// A file of the host, open for writing.
private final class OpenFile: DiskFile {
  private let path: String
  private var descriptor: Int32

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  private func failure(_ operation: String) -> DiskError {
    DiskError(operation: operation, path: path, errno: errno)
  }

  func allocate(_ size: Int) throws(DiskError) -> Bool {
    while stackmeter_allocate(descriptor, Int64(size)) != 0 {
      if errno == EINTR { continue }
      if errno == EOPNOTSUPP { return false }
      throw failure("allocate \(size) bytes for")
    }
    return true
  }

  func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
    var written = 0
    while written < bytes.count {
      let result = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + written, $0.count - written, off_t(offset + written))
      }
      if result < 0 && errno == EINTR { continue }
      guard result > 0 else {
        throw DiskError(operation: "write", path: path, errno: result == 0 ? ENOSPC : errno)
      }
      written += result
    }
  }

  func truncate(_ size: Int) throws(DiskError) {
    while ftruncate(descriptor, off_t(size)) != 0 {
      guard errno == EINTR else { throw failure("cut") }
    }
  }

  func sync() throws(DiskError) {
    guard fdatasync(descriptor) == 0 else { throw failure("sync") }
  }

  func rest() {
    // Only advice: where it is not taken, nothing is lost but speed.
    _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  deinit {
    close()
  }
}
