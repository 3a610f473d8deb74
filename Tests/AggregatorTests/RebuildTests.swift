import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// A usage database that is made anew is the same, row for row.
@Suite(.timeLimit(.minutes(3))) struct RebuildTests {
  private static let journal = "/journal"

  /// A journal of a script's records, and the usage database that has counted it in a file.
  private struct Counted {
    let disk = SimulatedDisk()
    let script: JournalScript
    let path: String

    /// The mark at the end, behind which nothing is in doubt, needs room in the last segment.
    init(_ seed: UInt64, _ directory: String, segmentBytesMax: Int = 1 << 20) throws {
      var random = SeededRandom(seed: seed)
      script = JournalScript(&random)
      path = "\(directory)/usage.sqlite"
      var log = try RecordLog(
        disk: disk, directory: RebuildTests.journal, newID: JournalScript.journal,
        segmentBytesMax: segmentBytesMax)
      for record in script.records {
        log.append(record)
        try log.commit()
      }
      log.appendMark()
      try log.commit()
      while let seal = log.nextToSeal { log.didSeal(try seal.run()) }
      let counter = try JournalCounter(
        store: SQLiteUsageStore(path: path), catalog: JournalScript.catalog, latenessLimitDays: 7)
      for index in script.records.indices { try counter.apply([script.chunk(index..<index + 1)]) }
    }

    func rebuild(_ output: String) throws -> Rebuild.Report {
      try Rebuild(
        place: .file(output), cell: "local", catalog: try MeterCatalog([]),
        old: try SQLiteUsageReader(path: path), latenessLimitDays: 7
      ).run(disk: disk, journalDirectory: RebuildTests.journal)
    }
  }

  /// Every row of every table.
  static func content(_ path: String) throws -> [String] {
    let connection = try SQLite(path, .reader)
    var rows: [String] = []
    for (table, columns) in [
      ("meter", "quote(id), quote(name), aggregation, billable"),
      ("rule", "quote(meter), number, from_position, aggregation, quote(window), quote(from_hour)"),
      ("subscription", "id, quote(name), first_window"),
      ("series", "id, digest, first_window, first_position, quote(meter), quote(resource_uri)"),
      ("aggregate", "window, series, lag, units, attos"),
      ("closed_window", "window, end_position, row_count, oldest_usage, hex(hash)"),
      ("value_sample", "usage_hour, series, units, attos, hex(event)"),
      ("time_sample", "usage_hour, series, usage_end, usage_start, position, hex(event), units"),
      (
        "pipeline",
        """
        cell, next_position, reported_time, open_window, journal_id, retained_from, samples_from
        """
      ),
      ("unapplied", "position, window, series, usage_hour, units, attos, reason"),
    ] {
      let select = try connection.prepare(
        "SELECT \(columns.replacing(", ", with: " || '|' || ")) FROM \(table) ORDER BY 1")
      while try select.step() { rows.append("\(table) \(select.text(0))") }
    }
    return rows
  }

  @Test func `any database is made anew with the same rows, numbers and hashes`() async throws {
    var random = try SeededRandom()
    for number in 0..<max(1, CountingTests.seeds / 200) {
      let seed = number == 0 ? random.seed : random.next()
      do {
        try await withTemporaryDirectory { directory in
          let counted = try Counted(seed, directory)
          guard !counted.script.records.isEmpty else { return }
          let output = "\(directory)/new.sqlite"
          let report = try counted.rebuild(output)
          let closed = try SQLiteUsageReader(path: output).closedWindows(before: nil, limit: 1000)
          try #require(report.sameWindows == closed.count)
          let (made, old) = (try Self.content(output), try Self.content(counted.path))
          let difference = Set(made).symmetricDifference(old)
          try #require(made.count == old.count && difference.isEmpty, "\(difference)")
        }
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
  }

  @Test func `nothing is overwritten`() async throws {
    try await withTemporaryDirectory { directory in
      let counted = try Counted(1, directory)
      #expect(throws: RebuildError.exists(counted.path)) { try counted.rebuild(counted.path) }
    }
  }

  @Test func `what was begun goes on, by the same rules only`() async throws {
    try await withTemporaryDirectory { directory in
      let counted = try Counted(4, directory)
      try #require(counted.script.records.count > 3)
      let output = "\(directory)/new.sqlite"
      let counter = try JournalCounter(
        store: SQLiteUsageStore(path: "\(output).part"), catalog: JournalScript.catalog,
        latenessLimitDays: 7)
      try counter.apply([counted.script.chunk(0..<2)])
      let rules = try SQLiteUsageReader(path: "\(output).part").rules()
      let other = try SQLite("\(output).part", .writer)
      try other.execute("UPDATE rule SET aggregation = 'other' || aggregation")
      #expect(throws: StoreError.self) { try counted.rebuild(output) }
      try other.execute(
        "UPDATE rule SET aggregation = CASE aggregation WHEN 'othersum' THEN 'max' ELSE 'sum' END")
      #expect {
        try counted.rebuild(output)
      } throws: { error in
        guard case .otherRules? = error as? RebuildError else { return false }
        return true
      }
      for rule in rules {
        try other.execute(
          "UPDATE rule SET aggregation = '\(rule.aggregation.rawValue)' WHERE meter = '\(rule.meter)'"
        )
      }
    }
  }

  @Test func `a journal without its beginning is refused with what to do`() async throws {
    try await withTemporaryDirectory { directory in
      var seed: UInt64 = 1
      var counted = try Counted(seed, directory, segmentBytesMax: 1000)
      while try counted.disk.list(Self.journal).count < 3 {
        seed += 1
        counted = try Counted(seed, try Self.fresh(directory, seed), segmentBytesMax: 1000)
      }
      let oldest = try #require(try counted.disk.list(Self.journal).min())
      try counted.disk.remove("\(Self.journal)/\(oldest)")
      #expect {
        try counted.rebuild("\(directory)/new.sqlite")
      } throws: { error in
        guard case .beginningRemoved(let first)? = error as? RebuildError else { return false }
        return first > 1 && "\(error)".contains("restore a backup")
      }
    }
  }

  private static func fresh(_ directory: String, _ number: UInt64) throws -> String {
    let path = "\(directory)/\(number)"
    try FileDisk().makeDirectory(path)
    return path
  }
}
