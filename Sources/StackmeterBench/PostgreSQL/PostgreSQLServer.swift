internal import Glibc
internal import StackmeterRuntime

/// A PostgreSQL 15 of the system's package, with data of its own, as durable as it is by default.
final class PostgreSQLServer: Sendable {
  static let programs = "/usr/lib/postgresql/15/bin"
  /// What differs from the defaults: room to work in, no network. `fsync`, `synchronous_commit` and
  /// `full_page_writes` are on, as they are by default.
  private static let settings = [
    "listen_addresses=", "shared_buffers=1GB", "effective_cache_size=2GB", "work_mem=64MB",
    "wal_buffers=64MB", "max_wal_size=16GB", "checkpoint_timeout=30min", "jit=off",
  ]

  private let path: String
  private let server: ChildProcess

  private init(path: String, server: ChildProcess) {
    self.path = path
    self.server = server
  }

  /// Finds out whether `start` can do its work below `parent`, before anything is started.
  static func check(below parent: String) throws(BenchFailure) {
    guard access("\(programs)/postgres", X_OK) == 0 else {
      throw BenchFailure("\(programs)/postgres is missing; apt-get install postgresql-15")
    }
    guard let user else { return }
    guard let entry = getpwnam(user) else {
      throw BenchFailure("there is no user \(user); apt-get install postgresql-15")
    }
    try FileTree.check(canBeReached: parent, by: entry.pointee.pw_uid, entry.pointee.pw_gid, user)
  }

  /// As root it runs as this user, because it refuses to run as root.
  private static var user: String? { geteuid() == 0 ? "postgres" : nil }

  /// Makes a database below `parent` and starts the server.
  static func start(below parent: String) async throws -> PostgreSQLServer {
    try check(below: parent)
    let path = try directory(below: parent, of: user)
    do {
      let made = try start(
        "initdb", ["-D", "\(path)/data", "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C"],
        in: path, as: user)
      let status = try await made.waitForExit()
      guard status == .exited(0) else { throw BenchFailure("initdb failed: \(log(path))") }
      let server = try start(
        "postgres", ["-D", "\(path)/data", "-k", path] + settings.flatMap { ["-c", $0] },
        in: path, as: user)
      return PostgreSQLServer(path: path, server: server)
    } catch {
      FileTree.remove(path)
      throw error
    }
  }

  /// A new directory that belongs to `user`.
  private static func directory(
    below parent: String, of user: String?
  ) throws(BenchFailure) -> String {
    let entry = user.flatMap { getpwnam($0) }
    let path = try FileTree.makeTemporary(below: parent, prefix: "stackmeter-bench-postgresql-")
    if let entry { try FileTree.giveTo(entry.pointee.pw_uid, entry.pointee.pw_gid, path) }
    return path
  }

  deinit {
    server.signal(SIGKILL)
    FileTree.remove(path)
  }

  /// What `PQconnectdb` takes.
  var connectionText: String { "host=\(path) user=bench dbname=postgres" }

  /// Throws where the server has ended.
  func checkIsRunning() throws(BenchFailure) {
    if let status = server.exitStatus {
      throw BenchFailure("PostgreSQL ended with \(status): \(PostgreSQLServer.log(path))")
    }
  }

  /// Asks it to end at once, and waits until it has.
  func stop() async throws {
    server.signal(SIGINT)
    _ = try await server.waitForExit()
  }

  private static func start(
    _ program: String, _ arguments: [String], in path: String, as user: String?
  ) throws -> ChildProcess {
    let log = open("\(path)/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw BenchFailure("write", "\(path)/log", errno: errno) }
    defer { close(log) }
    let asUser =
      user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups", "--"] } ?? []
    return try ChildProcess(
      "/usr/bin/env", ["--chdir=\(path)"] + asUser + ["\(programs)/\(program)"] + arguments,
      standardOutput: .descriptor(log), standardError: .descriptor(log))
  }

  private static func log(_ path: String) -> String {
    let text = (try? fileContent("\(path)/log")).map { String(decoding: $0, as: UTF8.self) }
    return String((text ?? "").suffix(2000))
  }
}
