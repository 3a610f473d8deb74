import Glibc
import StackmeterRPC
import StackmeterTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct ListeningSocketTests {
  @Test(arguments: [0o000, 0o022, 0o077, 0o777] as [mode_t])
  func `the directory is 0750 and the socket 0660 under any umask`(mask: mode_t) async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/run/s"
      let previous = umask(mask)
      let socket = Result { () throws(ListeningSocketError) in try ListeningSocketBox(path) }
      umask(previous)
      let held = try socket.get()
      #expect(mode(path) == 0o660)
      #expect(mode(directory + "/run") == 0o750)
      #expect(held.path == path)
    }
  }

  @Test func `a directory that is there already keeps its mode`() async throws {
    try await withTemporaryDirectory { directory in
      chmod(directory, 0o711)
      let socket = try ListeningSocket(path: directory + "/s")
      #expect(mode(directory) == 0o711)
      _ = consume socket
    }
  }

  @Test func `the file is gone with the socket, and the place is free again`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      for _ in 0..<2 {
        let socket = try ListeningSocket(path: path)
        #expect(exists(path))
        _ = consume socket
        #expect(!exists(path))
      }
    }
  }

  @Test func `a socket that a killed process left is removed`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      try leaveSocketFile(path)
      #expect(throws: RawConnection.Failure.self) { _ = try RawConnectionBox(path) }
      let socket = try ListeningSocket(path: path)
      #expect(mode(path) == 0o660)
      _ = consume socket
    }
  }

  @Test func `a place that is held is refused and left as it is`() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/s"
      let first = try ListeningSocket(path: path)
      #expect(throws: ListeningSocketError.inUse(path: path)) { _ = try ListeningSocketBox(path) }
      #expect(exists(path))
      _ = consume first
    }
  }

  @Test func `what is not a socket is never removed`() async throws {
    try await withTemporaryDirectory { directory in
      let file = directory + "/file"
      let link = directory + "/link"
      let target = directory + "/target"
      close(open(file, O_CREAT | O_WRONLY, 0o600))
      try leaveSocketFile(target)
      symlink(target, link)
      for path in [file, link] {
        #expect(throws: ListeningSocketError.notASocket(path: path)) {
          _ = try ListeningSocketBox(path)
        }
        #expect(exists(path))
      }
      #expect(exists(target))
      // The lock was let go: the place can be had once it is free.
      unlink(file)
      _ = try ListeningSocket(path: file)
    }
  }

  @Test func `a path has at most 107 bytes`() async throws {
    try await withTemporaryDirectory { directory in
      func path(_ count: Int) -> String {
        directory + "/" + String(repeating: "x", count: count - directory.utf8.count - 1)
      }
      #expect(throws: ListeningSocketError.pathTooLong(path: path(108), max: 107)) {
        _ = try ListeningSocketBox(path(108))
      }
      let socket = try ListeningSocket(path: path(107))
      #expect(exists(path(107)))
      _ = consume socket
    }
  }

  @Test func `a directory that cannot be made is named with the reason`() async throws {
    try await withTemporaryDirectory { directory in
      let error = #expect(throws: ListeningSocketError.self) {
        _ = try ListeningSocketBox(directory + "/a/b/s")
      }
      #expect(
        error
          == .system(operation: "make the directory", path: directory + "/a/b", errno: ENOENT))
      #expect(
        error?.description
          == "cannot make the directory \(directory)/a/b: No such file or directory")
    }
  }

  /// Binds a socket and closes it, as the kernel does for a process that is killed.
  private func leaveSocketFile(_ path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
  }
}

/// A socket where a copyable value is wanted.
private final class ListeningSocketBox {
  private let socket: ListeningSocket
  var path: String { socket.path }

  init(_ path: String) throws(ListeningSocketError) {
    socket = try ListeningSocket(path: path)
  }
}

private final class RawConnectionBox {
  private let connection: RawConnection

  init(_ path: String) throws(RawConnection.Failure) {
    connection = try RawConnection(path)
  }
}
