internal import CStackmeterSupport
internal import Glibc
internal import Synchronization

/// Why a program could not be started.
package struct ChildProcessError: Error, Equatable, CustomStringConvertible {
  package let executable: String
  package let errno: Int32

  package var description: String {
    "cannot start \(executable): \(String(cString: strerror(errno)))"
  }
}

/// How a process ended.
package enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  package var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .signalled(let number): "signal \(number)"
    }
  }
}

/// A program that this process started, in a process group of its own, and that does not outlive its owner:
/// it is killed when the value goes.
///
/// It gets the three standard descriptors and no other, every signal at its default and none blocked.
/// A class, and not a noncopyable value, so that fixtures and supervisors can keep many of them by name.
package final class ChildProcess: Sendable {
  /// Where a standard descriptor of the child leads.
  package enum Stream: Sendable {
    case null
    /// The descriptor stays the caller's.
    case descriptor(Int32)
    /// As this process has it.
    case inherited
  }

  /// What the child reads.
  package enum Input: Sendable {
    case null
    case descriptor(Int32)
    /// A pipe that nothing is written to and whose other end this value keeps, so that the child sees the
    /// end of its standard input once this process is gone, however it ended.
    case leash
  }

  package let pid: Int32
  private let leash: Int32?
  private let exit: ProcessExit

  /// Starts the program at `executable`, a path. `arguments` are those after the program's name.
  package init(
    _ executable: String, _ arguments: [String] = [],
    environment: [String: String] = processEnvironment(), standardInput: Input = .null,
    standardOutput: Stream = .inherited, standardError: Stream = .inherited
  ) throws(ChildProcessError) {
    var pipeEnds: [Int32] = [-1, -1]
    var actions = SpawnActions()
    switch standardInput {
    case .null: actions.open("/dev/null", as: STDIN_FILENO)
    case .descriptor(let descriptor): actions.duplicate(descriptor, as: STDIN_FILENO)
    case .leash:
      guard stackmeter_pipe(&pipeEnds) == 0 else {
        throw ChildProcessError(executable: executable, errno: Glibc.errno)
      }
      actions.duplicate(pipeEnds[0], as: STDIN_FILENO)
    }
    actions.connect(standardOutput, as: STDOUT_FILENO)
    actions.connect(standardError, as: STDERR_FILENO)
    let result = actions.spawn(executable, arguments, environment)
    if pipeEnds[0] >= 0 { close(pipeEnds[0]) }
    guard case .success(let pid) = result else {
      if pipeEnds[1] >= 0 { close(pipeEnds[1]) }
      guard case .failure(let code) = result else { preconditionFailure("a result is one of two") }
      throw ChildProcessError(executable: executable, errno: code.number)
    }
    self.pid = pid
    leash = pipeEnds[1] >= 0 ? pipeEnds[1] : nil
    exit = ProcessExit(pid: pid)
    exit.watch()
  }

  deinit {
    exit.signal(SIGKILL)
    if let leash { close(leash) }
  }

  /// Nil while it runs.
  package var exitStatus: ExitStatus? { exit.status }

  /// Sends a signal; nothing happens once the process has ended.
  package func signal(_ number: Int32) {
    exit.signal(number)
  }

  /// Returns when the process has ended; throws when the waiting task is cancelled.
  package func waitForExit() async throws(CancellationError) -> ExitStatus {
    try await exit.wait()
  }
}

/// An error number, so that `posix_spawn`'s answer is a `Result`.
private struct SystemErrorCode: Error {
  let number: Int32
}

/// What `posix_spawn` does in the child before the program starts.
private struct SpawnActions: ~Copyable {
  private var actions = posix_spawn_file_actions_t()

  init() {
    posix_spawn_file_actions_init(&actions)
  }

  deinit {
    var actions = actions
    posix_spawn_file_actions_destroy(&actions)
  }

  mutating func open(_ path: String, as target: Int32) {
    posix_spawn_file_actions_addopen(&actions, target, path, O_RDWR, 0)
  }

  mutating func duplicate(_ descriptor: Int32, as target: Int32) {
    posix_spawn_file_actions_adddup2(&actions, descriptor, target)
  }

  mutating func connect(_ stream: ChildProcess.Stream, as target: Int32) {
    switch stream {
    case .null: open("/dev/null", as: target)
    case .descriptor(let descriptor): duplicate(descriptor, as: target)
    case .inherited: duplicate(target, as: target)
    }
  }

  mutating func spawn(
    _ executable: String, _ arguments: [String], _ environment: [String: String]
  ) -> Result<Int32, SystemErrorCode> {
    stackmeter_close_from(&actions, STDERR_FILENO + 1)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var argv = ([executable] + arguments).map { strdup($0) } + [nil]
    var envp =
      environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, executable, &actions, &attributes, &argv, &envp)
    return code == 0 ? .success(pid) : .failure(SystemErrorCode(number: code))
  }
}
