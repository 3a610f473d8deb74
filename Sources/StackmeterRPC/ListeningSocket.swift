internal import Glibc

/// Why a service cannot listen at its place.
package enum ListeningSocketError: Error, Equatable, CustomStringConvertible {
  case pathTooLong(path: String, max: Int)
  case inUse(path: String)
  case notASocket(path: String)
  case system(operation: String, path: String, errno: Int32)

  package var description: String {
    switch self {
    case .pathTooLong(let path, let max):
      "socket path \(path) is longer than \(max) bytes; choose a shorter run directory"
    case .inUse(let path): "another process serves \(path); stop it or choose another run directory"
    case .notASocket(let path): "\(path) exists and is not a socket; move it away"
    case .system(let operation, let path, let errno):
      "cannot \(operation) \(path): \(String(cString: strerror(errno)))"
    }
  }
}

/// A bound Unix socket that only its owner and group can reach, and the lock that makes it the only one.
///
/// The directory is made with mode 0750 and the socket with 0660. A socket file that a killed process left is
/// removed only while the lock file beside it is held, so that a live service never loses its socket to a
/// second one. The lock goes with the process.
package struct ListeningSocket: ~Copyable {
  /// `sockaddr_un.sun_path` less its NUL.
  package static let pathBytesMax = 107

  package let path: String
  private let lock: Int32
  private var descriptor: Int32

  package init(path: String) throws(ListeningSocketError) {
    guard path.utf8.count <= ListeningSocket.pathBytesMax else {
      throw .pathTooLong(path: path, max: ListeningSocket.pathBytesMax)
    }
    (lock, descriptor) = try ListeningSocket.lockAndBind(path)
    self.path = path
  }

  private static func lockAndBind(
    _ path: String
  ) throws(ListeningSocketError) -> (lock: Int32, descriptor: Int32) {
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      let directory = String(path[..<slash])
      if mkdir(directory, 0o750) == 0 {
        // The umask may have taken the group's bits.
        guard chmod(directory, 0o750) == 0 else {
          throw .system(operation: "set the mode of", path: directory, errno: errno)
        }
      } else if errno != EEXIST {
        throw .system(operation: "make the directory", path: directory, errno: errno)
      }
    }
    let lockPath = path + ".lock"
    let lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
    guard lock >= 0 else { throw .system(operation: "open", path: lockPath, errno: errno) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      let error = errno
      close(lock)
      throw error == EWOULDBLOCK
        ? .inUse(path: path) : .system(operation: "lock", path: lockPath, errno: error)
    }
    do throws(ListeningSocketError) {
      try removeStale(path)
      return (lock, try bind(path))
    } catch {
      close(lock)
      throw error
    }
  }

  private static func removeStale(_ path: String) throws(ListeningSocketError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
    guard unlink(path) == 0 else {
      throw .system(operation: "remove the stale socket", path: path, errno: errno)
    }
  }

  private static func bind(_ path: String) throws(ListeningSocketError) -> Int32 {
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(operation: "make", path: path, errno: errno) }
    // Linux gives the file the mode of the unbound socket, so it is never open to others.
    fchmod(descriptor, 0o660)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // The umask may have taken the group's bits.
    guard result == 0, chmod(path, 0o660) == 0 else {
      let error = errno
      close(descriptor)
      throw .system(operation: "bind", path: path, errno: error)
    }
    return descriptor
  }

  /// Gives the descriptor to a server, which closes it.
  package mutating func takeDescriptor() -> Int32 {
    precondition(descriptor >= 0, "the descriptor is given away once")
    defer { descriptor = -1 }
    return descriptor
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    // Still under the lock, so this is our own file.
    unlink(path)
    close(lock)
  }
}
