internal import Glibc
internal import StackmeterRuntime
internal import Synchronization

/// A PostgreSQL 15 of the system's package with data of its own, for benchmarks and tests. It does not outlive this
/// process, and takes its data with it.
package final class PostgreSQLServer: Sendable {
  package static let programs = "/usr/lib/postgresql/15/bin"
  /// Lets `initdb` and `createdb` be without a password; only this host's users reach the socket.
  private static let superuser = "stackmeter"
  /// The servers' guards live as long as the process, so that none is killed before it has done its work.
  private static let guards = Mutex<[ChildProcess]>([])

  private let path: String
  private let user: String?
  private let options: String
  /// The writing end of the guard's standard input.
  private let leash: Int32
  private let databaseCount = Mutex(0)

  private init(path: String, user: String?, settings: [String]) throws {
    self.path = path
    self.user = user
    options = (["listen_addresses=''"] + settings).map { "-c \($0)" }.joined(separator: " ")
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw PostgreSQLServerError("there is no pipe: errno \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    leash = ends[1]
    let script = """
      trap '' INT TERM HUP; cat > /dev/null
      read -r server < "$1/data/postmaster.pid" && kill -QUIT "$server"
      rm -rf "$1"
      """
    let watch = try ChildProcess(
      "/bin/sh", ["-c", script, "guard", path], standardInput: .descriptor(ends[0]),
      standardOutput: .null, standardError: .null)
    PostgreSQLServer.guards.withLock { $0.append(watch) }
  }

  deinit {
    close(leash)
  }

  /// Makes a database below `parent` and starts the server, which answers then. As root it runs as the user
  /// `postgres`, because it refuses to run as root. `settings` are what differs from the defaults, as `name=value`.
  package static func start(
    below parent: String, settings: [String]
  ) async throws -> PostgreSQLServer {
    try check(below: parent)
    let server = try PostgreSQLServer(
      path: directory(below: parent), user: user, settings: settings)
    try await server.run(
      "initdb",
      ["-D", server.data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
    try await server.launch("start")
    return server
  }

  /// As root it runs as this user, because it refuses to run as root.
  private static var user: String? { geteuid() == 0 ? "postgres" : nil }

  /// Finds out whether `start` can do its work below `parent`, before anything is started.
  package static func check(below parent: String) throws(PostgreSQLServerError) {
    guard access("\(programs)/postgres", X_OK) == 0 else {
      throw PostgreSQLServerError("\(programs)/postgres is missing; apt-get install postgresql-15")
    }
    guard let user else { return }
    guard let entry = getpwnam(user) else {
      throw PostgreSQLServerError("there is no user \(user); apt-get install postgresql-15")
    }
    try check(canBeReached: parent, by: entry.pointee.pw_uid, entry.pointee.pw_gid, user)
  }

  /// Throws where a user that is in no group but its own may not enter `path` or a folder on the way to it.
  static func check(
    canBeReached path: String, by uid: uid_t, _ gid: gid_t, _ user: String
  ) throws(PostgreSQLServerError) {
    guard let resolved = realpath(path, nil) else {
      throw PostgreSQLServerError("\(path) is not there: errno \(errno)")
    }
    defer { free(resolved) }
    var folder = ""
    for name in String(cString: resolved).split(separator: "/") {
      folder += "/\(name)"
      var status = stat()
      guard stat(folder, &status) == 0 else {
        throw PostgreSQLServerError("cannot look at \(folder): errno \(errno)")
      }
      let mayEnter =
        status.st_uid == uid ? S_IXUSR : status.st_gid == gid ? S_IXGRP : S_IXOTH
      guard status.st_mode & S_IFMT == S_IFDIR, status.st_mode & mayEnter != 0 else {
        throw PostgreSQLServerError(
          "the user \(user) cannot enter \(folder), so PostgreSQL cannot run below \(path); "
            + "choose another directory, or chmod o+x \(folder)")
      }
    }
  }

  /// A new directory that belongs to `user`.
  private static func directory(below parent: String) throws -> String {
    var template = "\(parent)/stackmeter-postgresql-XXXXXX".utf8CString
    let path = template.withUnsafeMutableBufferPointer { buffer in
      mkdtemp(buffer.baseAddress!).map { String(cString: $0) }
    }
    guard let path else {
      throw PostgreSQLServerError("no directory can be made below \(parent): errno \(errno)")
    }
    guard let user else { return path }
    guard let entry = getpwnam(user), chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0
    else {
      rmdir(path)
      throw PostgreSQLServerError("there is no user \(user); apt-get install postgresql-15")
    }
    return path
  }

  private var data: String { "\(path)/data" }

  /// What libpq takes.
  package func connectionText(database: String = "postgres") -> String {
    "host=\(path) user=\(PostgreSQLServer.superuser) dbname=\(database)"
  }

  /// The process that all others of the server are children of; nil where it does not run.
  package var process: Int32? {
    let lines = (try? fileContent("\(data)/postmaster.pid")).map {
      String(decoding: $0, as: UTF8.self)
    }
    return lines?.split(separator: "\n").first.flatMap { Int32($0) }
  }

  /// Makes one more database; what libpq takes to connect to it.
  package func makeDatabase() async throws -> String {
    let number = databaseCount.withLock { count in
      count += 1
      return count
    }
    let name = "database\(number)"
    try await run("createdb", ["-h", path, "-U", PostgreSQLServer.superuser, name])
    return connectionText(database: name)
  }

  /// Asks it to end, and waits until it has.
  package func stop() async throws {
    try await run("pg_ctl", ["stop", "-D", data, "-m", "fast", "-w", "-s"])
  }

  package func start() async throws {
    try await launch("start")
  }

  /// Ends it as a crash would, starts it again, and waits until it has recovered and answers.
  package func crash() async throws {
    try await launch("restart", "-m", "immediate")
  }

  private func launch(_ action: String, _ more: String...) async throws {
    try await run(
      "pg_ctl",
      [action] + more
        + ["-D", data, "-w", "-t", "60", "-s", "-l", "\(path)/log", "-o", "-k \(path) \(options)"])
  }

  private func run(_ program: String, _ arguments: [String]) async throws {
    let log = "\(path)/log"
    let output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw PostgreSQLServerError("\(log): errno \(errno)") }
    defer { close(output) }
    if let user, let entry = getpwnam(user) {
      fchown(output, entry.pointee.pw_uid, entry.pointee.pw_gid)
    }
    let asUser =
      user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups", "--"] } ?? []
    let process = try ChildProcess(
      "/usr/bin/env",
      ["--chdir=\(path)"] + asUser + ["\(PostgreSQLServer.programs)/\(program)"] + arguments,
      standardOutput: .descriptor(output), standardError: .descriptor(output))
    let status = try await process.waitForExit()
    guard status == .exited(0) else {
      let text = (try? fileContent(log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      throw PostgreSQLServerError("\(program) ended with \(status): \(text.suffix(2000))")
    }
  }
}

/// Why there is no server. Names what to do.
package struct PostgreSQLServerError: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) {
    self.description = description
  }
}
