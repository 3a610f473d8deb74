internal import NIOCore
internal import NIOPosix

/// Runs tasks on the thread of an event loop.
///
/// A call takes a dozen steps between its transport and its task, and most of them take less than to wake another
/// thread. On one thread they wake none. Whatever computes for long belongs on another executor.
final class LoopExecutor: TaskExecutor {
  let loop: any EventLoop

  /// The loops of the process take turns.
  init(loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()) {
    self.loop = loop
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
