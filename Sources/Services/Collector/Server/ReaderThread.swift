internal import StackmeterRuntime

/// One thread on which calls read files, so that no task is held up by a disk. It ends with its owner.
final class ReaderThread: Sendable {
  /// Reads that wait. More are refused at once.
  static let waitingMax = 256

  private let queue = CommitQueue<@Sendable () -> Void>(weightMax: ReaderThread.waitingMax)

  init() {
    onThread { [queue] in
      while let reads = queue.take(timeout: .seconds(3600)) {
        for read in reads { read() }
      }
    }
  }

  deinit {
    queue.close()
  }

  /// What `body` gives, run on the thread after what waits for it already.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable () throws(CollectorError) -> Value
  ) async throws(CollectorError) -> Value {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Value, CollectorError>, Never>) in
      do throws(CommitQueue<@Sendable () -> Void>.Refused) {
        try queue.put(
          {
            do throws(CollectorError) {
              continuation.resume(returning: .success(try body()))
            } catch {
              continuation.resume(returning: .failure(error))
            }
          }, weight: 1)
      } catch {
        continuation.resume(returning: .failure(error == .full ? .queueFull : .stopping))
      }
    }
    return try result.get()
  }
}
