internal import NIOPosix
internal import StackmeterStore
internal import Synchronization

/// A few read-only connections, each used by one thread at a time. Questions past `waitingMax` are refused.
final class ReaderPool: Sendable {
  static let readersMax = 4
  static let waitingMax = 64
  /// A little less than callers wait, so that they learn why.
  static let questionMax: Duration = .seconds(8)

  /// Idle connections. Taken under the lock, used outside of it by one thread.
  private struct Idle: Sendable {
    // A reader is in this list or in the hands of one thread, never both.
    nonisolated(unsafe) var readers: [any UsageReader] = []
    var waiting = 0
  }

  private let database: UsageDatabase
  /// Why the database could not be reached when it was last asked; nil where it could be.
  private let away = Mutex<String?>(nil)
  private let threads = NIOThreadPool(numberOfThreads: ReaderPool.readersMax)
  private let idle = Mutex(Idle())

  init(_ database: UsageDatabase) {
    self.database = database
    threads.start()
  }

  func stop() async {
    try? await threads.shutdownGracefully()
  }

  /// Why the database could not be reached when it was last asked; nil where it could be.
  var problem: String? { away.withLock { $0 } }

  /// Runs a question on a thread that may block.
  func read<Answer: Sendable>(
    _ question: @escaping @Sendable (any UsageReader) throws(StoreError) -> Answer
  ) async throws(QueryError) -> Answer {
    let isRoom = idle.withLock { idle in
      guard idle.waiting < ReaderPool.waitingMax else { return false }
      idle.waiting += 1
      return true
    }
    guard isRoom else { throw .busy }
    defer { idle.withLock { $0.waiting -= 1 } }
    do {
      let found = try await threads.runIfActive { [self] in
        try answer(question)
      }
      away.withLock { $0 = nil }
      return found
    } catch let error as StoreError {
      away.withLock { $0 = error.kind == .interrupted ? error.message : nil }
      throw .store(error)
    } catch {
      throw .busy
    }
  }

  /// After an error the connection is not used again: the file may have been replaced, the server restarted.
  private func answer<Answer>(
    _ question: (any UsageReader) throws(StoreError) -> Answer
  ) throws(StoreError) -> Answer {
    var reader: any UsageReader
    let answer: Answer
    do throws(StoreError) {
      if let idle = take() { reader = idle } else { reader = try database.reader() }
      answer = try reader.within(ReaderPool.questionMax, question)
    } catch {
      // A connection that was idle may be lost: a new one tells.
      guard error.kind == .interrupted else { throw error }
      reader = try database.reader()
      answer = try reader.within(ReaderPool.questionMax, question)
    }
    give(reader)
    return answer
  }

  private func take() -> (any UsageReader)? {
    idle.withLock { idle in
      // It leaves the list here, so that only this thread has it.
      nonisolated(unsafe) let reader = idle.readers.popLast()
      return reader
    }
  }

  private func give(_ reader: any UsageReader) {
    // This thread gives it up here.
    nonisolated(unsafe) let reader = reader
    idle.withLock { $0.readers.append(reader) }
  }
}
