internal import StackmeterRPC
internal import Synchronization

/// Wakes whoever waits, or who waits next.
final class Wakeup: Sendable {
  private let signal = Mutex(StopSignal())

  func wake() {
    signal.withLock { $0 }.raise()
  }

  /// Returns once somebody has called `wake` since the last wait, the time is over, or the task is cancelled. Without
  /// a time, nothing happens until then.
  func wait(for time: Duration? = nil) async {
    let signal = signal.withLock { $0 }
    if let time, !signal.isRaised {
      await withTaskGroup { group in
        group.addTask { await signal.wait() }
        group.addTask { try? await Task.sleep(for: time) }
        await group.next()
        group.cancelAll()
      }
    } else {
      await signal.wait()
    }
    if signal.isRaised {
      self.signal.withLock { current in
        if current === signal { current = StopSignal() }
      }
    }
  }
}
