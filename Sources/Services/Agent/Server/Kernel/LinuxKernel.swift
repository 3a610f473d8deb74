internal import Glibc

/// The kernel of this host.
package struct LinuxKernel: KernelSource {
  package let ticksPerSecond: Int64
  package let pageBytes: Int64

  package init() {
    ticksPerSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
    pageBytes = Int64(sysconf(Int32(_SC_PAGESIZE)))
  }

  package func contents(of path: String) throws(KernelError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return try absent(path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    // The kernel makes these texts as they are read, so their size is not known before.
    let isWhole = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
      while bytes.count < AgentLimits.fileBytesMax {
        let count = read(descriptor, buffer.baseAddress, buffer.count)
        if count == 0 { return true }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        bytes.append(contentsOf: buffer[..<count])
      }
      errno = EFBIG
      return false
    }
    return isWhole ? bytes : try absent(path)
  }

  package func directories(of path: String) throws(KernelError) -> [String]? {
    guard let directory = opendir(path) else { return try absent(path) }
    defer { closedir(directory) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(directory) {
      // Only filesystems of the kernel's own are listed here, and they say the type of each entry.
      guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
      let name = entryName(entry)
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { return try absent(path) }
    return names
  }

  package func identity(of path: String) throws(KernelError) -> UInt64? {
    try status(of: path).map { UInt64($0.st_ino) }
  }

  package func device(of path: String) throws(KernelError) -> String? {
    try status(of: path).map { status in
      // The layout of dev_t, which C has as macros only.
      let device = UInt64(status.st_dev)
      let major = (device >> 8 & 0xFFF) | (device >> 32 & ~0xFFF)
      let minor = (device & 0xFF) | (device >> 12 & 0xFFFF_FF00)
      return "\(major):\(minor)"
    }
  }

  private func status(of path: String) throws(KernelError) -> stat? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return try absent(path) }
    return status
  }

  package func usedBytes(ofFilesystemAt path: String) throws(KernelError) -> Int64? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return try absent(path) }
    let blocks = UInt64(status.f_blocks) - min(UInt64(status.f_bfree), UInt64(status.f_blocks))
    let (bytes, overflow) = blocks.multipliedReportingOverflow(by: UInt64(status.f_frsize))
    guard !overflow, let used = Int64(exactly: bytes) else {
      throw KernelError(path: path, problem: "more bytes in use than can be")
    }
    return used
  }

  package func allocatedBytes(
    below path: String, excluding excluded: Set<String>
  ) throws(KernelError) -> Int64? {
    guard try status(of: path) != nil else { return nil }
    return try DirectoryWalk.allocatedBytes(below: path, excluding: excluded)
  }

  package func userName(_ id: UInt32) -> String? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
      guard getpwuid_r(id, &entry, buffer.baseAddress!, buffer.count, &found) == 0, found != nil,
        let name = entry.pw_name
      else { return nil }
      return String(validatingCString: name)
    }
  }
}

/// Nil where errno says that there is nothing to see; all else is an error.
private func absent<Value>(_ path: String) throws(KernelError) -> Value? {
  let code = errno
  switch code {
  case ENOENT, ESRCH, ENODEV, ENOTDIR, EACCES, EPERM, EOPNOTSUPP: return nil
  default: throw KernelError(path: path, problem: String(cString: strerror(code)))
  }
}

/// The name of a directory's entry.
func entryName(_ entry: UnsafeMutablePointer<dirent>) -> String {
  withUnsafePointer(to: &entry.pointee.d_name) { name in
    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
  }
}
