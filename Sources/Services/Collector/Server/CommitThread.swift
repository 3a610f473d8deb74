internal import Glibc

/// The thread that blocks in writes and syncs, so that no task has to.
final class CommitThread: Sendable {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) {
    self.body = body
  }

  func start() {
    var thread = pthread_t()
    let retained = Unmanaged.passRetained(self)
    let result = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<CommitThread>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, retained.toOpaque())
    precondition(result == 0, "the system has a thread for the journal")
    pthread_detach(thread)
  }
}
