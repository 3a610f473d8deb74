import Logging
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import AggregatorServer

@Suite(.timeLimit(.minutes(1))) struct AggregatorOpeningTests {
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Opens a database after it could not be reached a number of times.
  private final class Flaky: Sendable {
    private let failures: Mutex<[StoreError]>

    init(_ failures: [StoreError]) {
      self.failures = Mutex(failures)
    }

    func open() throws -> Aggregator {
      if let failure = failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw failure }
      return try Aggregator(
        store: SQLiteUsageStore(path: ":memory:"), catalog: try MeterCatalog([]),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
  }

  @Test func `a database that cannot be reached is waited for, and why is told`() async throws {
    let flaky = Flaky([
      StoreError(.interrupted, "refused"), StoreError(.interrupted, "starting up"),
    ])
    let opening = AggregatorOpening(logger: quiet, open: flaky.open)
    #expect(!opening.isReady())
    #expect(try await opening.attempt() == nil)
    #expect(!opening.isReady() && opening.status().problem == "usage database: refused")
    #expect(!opening.status().isFollowing)
    let hasRun = Mutex(0)
    try await opening.run([
      { _ in hasRun.withLock { $0 += 1 } }, { _ in hasRun.withLock { $0 += 1 } },
    ])
    #expect(hasRun.withLock { $0 } == 2)
    #expect(opening.isReady() && opening.status().problem.isEmpty)
  }

  @Test func `what a person must mend here is an error at once`() async throws {
    for kind in [StoreError.Kind.newerSchema, .otherCell, .otherWriter, .system] {
      let opening = AggregatorOpening(
        logger: quiet, open: Flaky([StoreError(kind, "no")]).open)
      await #expect(throws: StoreError(kind, "no")) { try await opening.run([]) }
    }
  }

  @Test func `the first part that fails ends the others`() async throws {
    let opening = AggregatorOpening(logger: quiet, open: Flaky([]).open)
    await #expect(throws: StoreError(.system, "part")) {
      try await opening.run([
        { _ in try await Task.sleep(for: .seconds(3600)) },
        { _ in throw StoreError(.system, "part") },
      ])
    }
  }
}
