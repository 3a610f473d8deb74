import StackmeterCore
import StackmeterTesting
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// Whatever call of the store fails, with or without its effect, everything is counted once.
@Suite(.timeLimit(.minutes(2))) struct FailedCallTests {
  private static let seeds: ClosedRange<UInt64> = 1...6

  /// What a database holds in the end.
  private struct Content: Equatable {
    let aggregates: [UsageAggregate]
    let windows: [ClosedWindow]
    let sources: [ReportingSource]
    let missing: [ReportingWindow]
    let unapplied: UInt64

    init(_ store: SQLiteUsageStore) throws {
      let reader = SQLiteUsageReader(store.connection)
      aggregates = try reader.aggregates(
        windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
        filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100_000
      ).aggregates
      windows = try reader.closedWindows(before: nil, limit: 1000)
      sources = try reader.sources()
      missing = try reader.windows(before: nil, limit: 1000)
      unapplied = try reader.unappliedCount()
    }
  }

  /// Counts a script record by record under a failing call, as an aggregator does that follows the journal.
  private func count(
    _ script: JournalScript, failing call: Int, isDone: Bool
  ) throws -> (content: Content, hasFailed: Bool)? {
    let sqlite = try SQLiteUsageStore(path: ":memory:")
    let store = FailingStore(sqlite, failing: call, isDone: isDone)
    let counter: JournalCounter
    do throws(StoreError) {
      counter = try JournalCounter(
        store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
    } catch {
      // The process ends and is started again; that is another test's matter.
      return nil
    }
    var (from, failures) = (0, 0)
    while from < script.records.count {
      do {
        try counter.apply([script.chunk(from..<from + 1)])
        from += 1
      } catch let error as StoreError {
        #expect(error.kind == .system)
        failures += 1
        // The stream begins anew where the counter is, or in front of it.
        from = max(0, from - 1)
      }
    }
    #expect(failures == (store.hasFailed ? 1 : 0))
    return (try Content(sqlite), store.hasFailed)
  }

  @Test(arguments: [false, true])
  func `a call that fails, before or after it had its effect, changes nothing in the end`(
    isDone: Bool
  ) throws {
    var calls = 0
    for seed in Self.seeds {
      var random = SeededRandom(seed: seed)
      let script = JournalScript(&random)
      guard !script.records.isEmpty else { continue }
      let expected = try #require(try count(script, failing: .max, isDone: isDone))
      try #require(!expected.hasFailed)
      var call = 1
      while true {
        defer { call += 1 }
        guard let found = try count(script, failing: call, isDone: isDone) else { continue }
        guard found.hasFailed else { break }
        calls += 1
        try #require(found.content == expected.content, "seed \(seed), call \(call)")
      }
    }
    #expect(calls > 100)
  }
}
