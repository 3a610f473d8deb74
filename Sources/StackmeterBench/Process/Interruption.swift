internal import Synchronization
internal import UnixSignals

/// SIGINT and SIGTERM: what was started is ended and what was made is removed before the program goes.
enum Interruption {
  private static let isRaised = Atomic<Bool>(false)

  /// For loops that block, once in each round.
  static func check() throws(BenchFailure) {
    if isRaised.load(ordering: .relaxed) { throw BenchFailure("interrupted") }
  }

  /// Runs `body`; a signal cancels it.
  static func guarding<Result: Sendable>(
    _ body: @Sendable @escaping () async throws -> Result
  ) async throws -> Result {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    return try await withThrowingTaskGroup(of: Result.self) { group in
      group.addTask { try await body() }
      group.addTask {
        for await _ in signals {
          isRaised.store(true, ordering: .relaxed)
          throw BenchFailure("interrupted")
        }
        throw CancellationError()
      }
      defer { group.cancelAll() }
      guard let result = try await group.next() else { throw CancellationError() }
      return result
    }
  }
}
