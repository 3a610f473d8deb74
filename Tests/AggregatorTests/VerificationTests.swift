import StackmeterAudit
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// The second implementation of counting against the first, and what it finds where a database was changed.
@Suite(.timeLimit(.minutes(5))) struct VerificationTests {
  private static let directory = "/journal"

  /// A journal in files, and a usage database that has counted it.
  private struct Counted {
    let disk = SimulatedDisk()
    let store: SQLiteUsageStore
    let script: JournalScript

    var reader: SQLiteUsageReader { SQLiteUsageReader(store.connection) }

    init(_ seed: UInt64, segmentBytesMax: Int = 2000) throws {
      var random = SeededRandom(seed: seed)
      script = JournalScript(&random)
      store = try SQLiteUsageStore(path: ":memory:")
      var log = try RecordLog(
        disk: disk, directory: VerificationTests.directory, newID: JournalScript.journal,
        segmentBytesMax: segmentBytesMax)
      for record in script.records {
        log.append(record)
        try log.commit()
      }
      while let seal = log.nextToSeal { log.didSeal(try seal.run()) }
      let counter = try JournalCounter(
        store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
      if !script.records.isEmpty {
        // Behind the journal's end, now and then.
        let end = Int.random(in: 1...script.records.count, using: &random)
        try counter.apply([script.chunk(0..<end)])
      }
    }

    func verify() throws -> VerificationReport {
      var verification = try Verification(
        reader: reader, disk: disk, journalDirectory: VerificationTests.directory,
        latenessLimitDays: 7)
      return try verification.run()
    }

    /// Changes the database behind its triggers.
    func tamper(_ sql: String) throws {
      for trigger in [
        "closed_insert", "closed_update", "closed_delete", "hash_insert", "hash_update",
        "hash_delete", "series_update", "series_delete", "subscription_update", "missing_update",
        "missing_delete", "missing_insert",
      ] { try store.connection.execute("DROP TRIGGER IF EXISTS \(trigger)") }
      try store.connection.execute(sql)
      try #require(store.connection.changes > 0, "\(sql)")
    }
  }

  /// A journal with closed windows, and with a correction and every kind of meter in it.
  private static func rich(segmentBytesMax: Int = 2000) throws -> Counted {
    var seed: UInt64 = 1
    while true {
      let counted = try Counted(seed, segmentBytesMax: segmentBytesMax)
      if try counted.reader.closedWindows(before: nil, limit: 10).count > 3,
        try counted.reader.rules().count == 4,
        counted.script.records.contains(where: { $0.kind == .correction }),
        hasLatestTwice(counted.script.records), try !counted.reader.sources().isEmpty,
        try counted.reader.windows(before: nil, limit: 10).contains(where: {
          $0.isClosed && !$0.missingAtClose.isEmpty
        }),
        try !counted.reader.rows(
          of: counted.store.position().openWindow, after: nil, limit: 1
        ).isEmpty
      {
        return counted
      }
      seed += 1
    }
  }

  /// Whether one series and usage hour has two events of the meter whose latest counts, so that a sum would differ.
  private static func hasLatestTwice(_ records: [Record]) -> Bool {
    let keys = records.filter { $0.kind == .batch }.compactMap(\.countedEvents).flatMap { batch in
      (0..<batch.count).map { batch.event($0) }.filter {
        $0.series.meter == "latest" && $0.quantity != .zero
      }.map { "\($0.series) \($0.usageStart.hour)" }
    }
    return Set(keys).count < keys.count
  }

  @Test func `any journal is verified by an implementation of its own`() throws {
    var random = try SeededRandom()
    var (windows, rows): (UInt64, UInt64) = (0, 0)
    for number in 0..<max(1, CountingTests.seeds / 10) {
      let seed = number == 0 ? random.seed : random.next()
      do {
        let report = try Counted(seed).verify()
        try #require(report.isGood, "\(report.differences)")
        try #require(report.incomparableRows == 0)
        try #require(report.hashes == report.windows)
        windows += report.windows
        rows += report.rows
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
    #expect(windows > 0 && rows > 0)
  }

  @Test(arguments: [
    (
      """
      UPDATE aggregate SET units = units + 1, attos = 0
      WHERE (window, series, lag) = (SELECT window, series, lag FROM aggregate LIMIT 1)
      """, "expected"
    ),
    (
      """
      DELETE FROM aggregate
      WHERE (window, series, lag) = (SELECT window, series, lag FROM aggregate LIMIT 1)
      """, "found nothing"
    ),
    (
      "INSERT INTO aggregate SELECT min(window), series, lag + 5000, 1, 0 FROM aggregate",
      "expected nothing"
    ),
    (
      """
      UPDATE aggregate SET units = 77, attos = 0 WHERE (window, series, lag) = (
        SELECT window, series, lag FROM aggregate
        WHERE window = (SELECT open_window FROM pipeline) LIMIT 1)
      """, "found 77"
    ),
    (
      "UPDATE closed_window SET hash = zeroblob(32) WHERE window = (SELECT max(window) FROM closed_window)",
      "hash"
    ),
    (
      "UPDATE closed_window SET end_position = end_position + 1 WHERE window = (SELECT min(window) FROM closed_window)",
      "ended at position"
    ),
    (
      "UPDATE closed_window SET oldest_usage = oldest_usage + 1 WHERE window = (SELECT min(window) FROM closed_window)",
      "its earliest usage"
    ),
    (
      "DELETE FROM closed_window WHERE window = (SELECT min(window) FROM closed_window)",
      "not closed"
    ),
    (
      "INSERT INTO closed_window SELECT min(window) - 1, 1, 1, 0, zeroblob(32) FROM closed_window",
      "the journal has nothing for it"
    ),
    ("UPDATE series SET resource_uri = '/other' WHERE id = (SELECT min(id) FROM series)", "series"),
    (
      "UPDATE series SET first_position = first_position + 1 WHERE id = (SELECT max(id) FROM series)",
      "found number"
    ),
    (
      "UPDATE source SET complete_until = complete_until + 1 WHERE name = (SELECT min(name) FROM source)",
      "complete until"
    ),
    ("UPDATE source SET heard_time = heard_time + 1000000000", "heard at"),
    ("DELETE FROM source WHERE name = (SELECT min(name) FROM source)", "found nothing"),
    ("INSERT INTO source VALUES ('zz', 60, 1, 1, 1)", "source zz: expected nothing"),
    ("UPDATE window_missing SET others = 5", "and 5 others"),
    ("DELETE FROM window_missing", "to its end, found no source"),
    (
      """
      INSERT INTO window_missing SELECT window, '["a"]', 0 FROM closed_window
      WHERE window NOT IN (SELECT window FROM window_missing) LIMIT 1
      """, "expected that no source had not reported"
    ),
    ("DELETE FROM rule WHERE meter = 'max'", "no rule"),
    ("UPDATE rule SET aggregation = 'sum' WHERE meter = 'latest'", "expected"),
  ])
  func `whatever was changed by hand is found`(sql: String, sentence: String) throws {
    let counted = try Self.rich()
    #expect(try counted.verify().isGood)
    try counted.tamper(sql)
    let report = try counted.verify()
    #expect(report.differenceCount > 0)
    #expect(report.differences.contains { $0.contains(sentence) }, "\(report.differences)")
  }

  @Test func `a journal that ends before the database does is said to`() throws {
    let counted = try Self.rich()
    try counted.tamper("UPDATE pipeline SET next_position = 100000")
    #expect {
      try counted.verify()
    } throws: { error in
      guard case .journalEnds(_, expected: 100_000)? = error as? AuditError else { return false }
      return true
    }
  }

  @Test func `another journal is refused`() throws {
    let counted = try Self.rich()
    try counted.tamper("UPDATE pipeline SET journal_id = 7")
    #expect(
      throws: AuditError.otherJournal(JournalScript.journal, read: LogID(rawValue: 7)!)
    ) {
      try counted.verify()
    }
  }

  @Test func `of a journal without its beginning, the windows behind it are verified`() throws {
    let counted = try Self.rich(segmentBytesMax: 300)
    let names = try counted.disk.list(Self.directory).filter { $0.hasSuffix(".sealed") }.sorted()
    try #require(names.count > 2)
    for name in names.prefix(2) { try counted.disk.remove("\(Self.directory)/\(name)") }
    let report = try counted.verify()
    #expect(report.isGood, "\(report.differences)")
    #expect(report.skippedWindows > 0 && report.positions.lowerBound > 1)
    #expect(report.rows > 0)
  }
}
