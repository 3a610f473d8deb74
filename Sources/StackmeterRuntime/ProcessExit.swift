internal import Glibc
internal import Synchronization

/// The end of one child process: reaped once, told to everyone who waits.
///
/// The process is reaped under the same lock that signals are sent under, so that a signal never reaches
/// another process that got the same pid.
final class ProcessExit: Sendable {
  private struct State {
    var status: ExitStatus?
    var nextID = 0
    var waiters: [Int: CheckedContinuation<ExitStatus?, Never>] = [:]
  }

  private let pid: Int32
  private let state = Mutex(State())

  init(pid: Int32) {
    self.pid = pid
  }

  var status: ExitStatus? { state.withLock { $0.status } }

  func signal(_ number: Int32) {
    state.withLock { state in
      guard state.status == nil else { return }
      kill(pid, number)
    }
  }

  func wait() async throws(CancellationError) -> ExitStatus {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    let status = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let known: ExitStatus?? = state.withLock { state in
          if let status = state.status { return .some(status) }
          // The handler below may have run already; cancellation is seen here then.
          if Task.isCancelled { return .some(nil) }
          state.waiters[id] = continuation
          return nil
        }
        if let known { continuation.resume(returning: known) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
    }
    guard let status else { throw CancellationError() }
    return status
  }

  /// Waits for the end on a thread of its own, which keeps this object until then.
  func watch() {
    onThread { [self] in
      var information = siginfo_t()
      while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
      reap()
    }
  }

  private func reap() {
    let (status, waiters) = state.withLock { state in
      var code: Int32 = 0
      while waitpid(pid, &code, 0) < 0 && errno == EINTR {}
      let number = code & 0x7F
      let status: ExitStatus = number == 0 ? .exited((code >> 8) & 0xFF) : .signalled(number)
      state.status = status
      defer { state.waiters = [:] }
      return (status, state.waiters.values)
    }
    for waiter in waiters { waiter.resume(returning: status) }
  }
}
