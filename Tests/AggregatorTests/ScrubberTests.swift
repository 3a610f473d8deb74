import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// The scrub in the background: what it tells, and when.
@Suite(.timeLimit(.minutes(1))) struct ScrubberTests {
  /// What was reported, in order.
  private final class Reports: Sendable {
    private let reports = Mutex<[[String]]>([])

    var all: [[String]] { reports.withLock { $0 } }
    func add(_ report: [String]) { reports.withLock { $0.append(report) } }

    /// The first report after the first `count` that is as `isWanted` says.
    func next(after count: Int, _ isWanted: ([String]) -> Bool) async throws -> [String] {
      try await eventually { all.dropFirst(count).first(where: isWanted) }
    }
  }

  /// A database with five closed windows, each with a row.
  private static func makeDatabase(_ path: String) throws -> SQLiteUsageStore {
    let store = try SQLiteUsageStore(path: path)
    let counter = try JournalCounter(
      store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
    var bytes: [UInt8] = []
    for number in 0..<6 {
      Sample.record(
        [Sample.event("\(number)")], at: UInt64(number + 1),
        time: Hour(index: Sample.start.index + Int64(number)).start
      ).write(to: &bytes, of: JournalScript.journal, startsCommit: true)
    }
    try counter.apply([
      JournalChunk(
        records: bytes, nextPosition: 7, durablePosition: 7,
        journalID: JournalScript.journal.rawValue)
    ])
    return store
  }

  private static func scrubbing(
    _ path: String, _ body: (Reports) async throws -> Void
  ) async throws {
    let reports = Reports()
    let scrubber = Scrubber(
      open: { () throws(StoreError) in try SQLiteUsageReader(path: path) },
      report: { reports.add($0) }, pause: .milliseconds(1), cycle: .milliseconds(20))
    let running = Task { try await scrubber.run() }
    try await body(reports)
    running.cancel()
    await #expect(throws: CancellationError.self) { try await running.value }
  }

  @Test func `a whole database is scrubbed again and again, and nothing is told`() async throws {
    try await withTemporaryDirectory { directory in
      let store = try Self.makeDatabase("\(directory)/usage.sqlite")
      try await Self.scrubbing("\(directory)/usage.sqlite") { reports in
        _ = try await eventually { reports.all.count >= 3 ? true : nil }
        #expect(reports.all.allSatisfy { $0.isEmpty })
      }
      _ = store
    }
  }

  @Test func `damage is told in the cycle that finds it, and gone once it was put right`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let store = try Self.makeDatabase(path)
      try await Self.scrubbing(path) { reports in
        _ = try await eventually { reports.all.isEmpty ? nil : true }
        try store.connection.execute("DROP TRIGGER closed_update")
        try store.connection.execute(
          "UPDATE aggregate SET units = units + 1 WHERE window = \(Sample.start.next.index)")
        let found = try await reports.next(after: 0) { !$0.isEmpty }
        #expect(found.count == 1)
        #expect(
          found[0].hasPrefix(
            "the closed window \(Sample.start.next.start) is not as it was closed"),
          "\(found)")
        try store.connection.execute(
          "UPDATE aggregate SET units = units - 1 WHERE window = \(Sample.start.next.index)")
        let count = reports.all.count
        _ = try await reports.next(after: count) { $0.isEmpty }
      }
    }
  }

  @Test func `more damage than can be read is told up to a limit`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let store = try SQLiteUsageStore(path: path)
      let counter = try JournalCounter(
        store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
      for number in 0..<16 {
        var bytes: [UInt8] = []
        Sample.record(
          [Sample.event("\(number)")], at: UInt64(number + 1),
          time: Hour(index: Sample.start.index + Int64(number)).start
        ).write(to: &bytes, of: JournalScript.journal, startsCommit: true)
        try counter.apply([
          JournalChunk(
            records: bytes, nextPosition: UInt64(number + 2), durablePosition: 17,
            journalID: JournalScript.journal.rawValue)
        ])
      }
      try store.connection.execute("DROP TRIGGER closed_update")
      try store.connection.execute("UPDATE aggregate SET units = 9")
      try await Self.scrubbing(path) { reports in
        let found = try await reports.next(after: 0) { $0.count >= 10 }
        #expect(found.count == 10)
        _ = try await eventually { reports.all.count >= 25 ? true : nil }
        #expect(reports.all.allSatisfy { $0.count <= 10 })
      }
    }
  }

  @Test func `a database that cannot be opened is told, and scrubbed once it can`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      try await Self.scrubbing(path) { reports in
        let found = try await reports.next(after: 0) { !$0.isEmpty }
        #expect(found[0].contains("the usage database cannot be checked"), "\(found)")
        let store = try Self.makeDatabase(path)
        let count = reports.all.count
        _ = try await reports.next(after: count) { $0.isEmpty }
        _ = store
      }
    }
  }
}
