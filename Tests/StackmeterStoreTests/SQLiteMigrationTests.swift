import Foundation
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite struct SQLiteMigrationTests {
  /// The tables of version 1, with two series of one subscription around one of another.
  private static let version1 = """
    PRAGMA journal_mode=WAL;
    CREATE TABLE meter (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, unit TEXT NOT NULL,
      category TEXT NOT NULL, resource_provider TEXT NOT NULL, aggregation TEXT NOT NULL,
      billable INTEGER NOT NULL) STRICT;
    CREATE TABLE series (id INTEGER PRIMARY KEY, subscription TEXT NOT NULL, meter TEXT NOT NULL,
      resource_uri TEXT NOT NULL, location TEXT NOT NULL, tags TEXT NOT NULL,
      additional_info TEXT NOT NULL,
      UNIQUE (subscription, meter, resource_uri, location, tags, additional_info)) STRICT;
    CREATE TABLE aggregate (window INTEGER NOT NULL, series INTEGER NOT NULL,
      usage_hour INTEGER NOT NULL, units INTEGER NOT NULL, attos INTEGER NOT NULL,
      PRIMARY KEY (window, series, usage_hour)) STRICT, WITHOUT ROWID;
    CREATE TABLE pipeline (id INTEGER PRIMARY KEY CHECK (id = 1), next_position INTEGER NOT NULL,
      reported_time INTEGER NOT NULL, open_window INTEGER NOT NULL,
      journal_id INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE unapplied (id INTEGER PRIMARY KEY, position INTEGER NOT NULL,
      window INTEGER NOT NULL, series INTEGER NOT NULL, usage_hour INTEGER NOT NULL,
      units INTEGER NOT NULL, attos INTEGER NOT NULL) STRICT;
    CREATE TRIGGER closed_insert BEFORE INSERT ON aggregate WHEN 0 BEGIN SELECT 1; END;
    CREATE TRIGGER closed_update BEFORE UPDATE ON aggregate WHEN 0 BEGIN SELECT 1; END;
    CREATE TRIGGER closed_delete BEFORE DELETE ON aggregate WHEN 0 BEGIN SELECT 1; END;
    CREATE TRIGGER window_never_reopens BEFORE UPDATE ON pipeline WHEN 0 BEGIN SELECT 1; END;
    CREATE VIEW usage AS SELECT a.window FROM aggregate a JOIN series s ON s.id = a.series;
    INSERT INTO meter VALUES ('cpu', 'cpu name', 's', 'Compute', 'test', 'sum', 1);
    INSERT INTO series VALUES (1, 'a', 'cpu', '/1', '', '', ''), (2, 'b', 'cpu', '/2', '', '', ''),
      (3, 'a', 'cpu', '/3', '', '', '');
    INSERT INTO aggregate VALUES (100, 1, 99, 5, 0), (100, 2, 100, 7, 0), (101, 3, 101, -1, -5),
      (102, 1, 101, 9, 0);
    INSERT INTO pipeline VALUES (1, 42, 367200000000001, 102, 77);
    INSERT INTO unapplied VALUES (1, 3, 100, 2, 100, 8, 0);
    PRAGMA user_version = 1;
    """

  @Test func `what version 1 had answers the same, and its closed windows have hashes`() throws {
    try withDatabase { path in
      try SQLite(path, .writer).execute(Self.version1)
      let early = #expect(throws: StoreError.self) { _ = try SQLiteUsageReader(path: path) }
      #expect(early?.kind == .olderSchema)
      let store = try SQLiteUsageStore(path: path)
      let reader = try SQLiteUsageReader(path: path)
      #expect(
        try reader.all().map {
          "\($0.window.index) \($0.series.subscription)\($0.series.resource.uri) "
            + "\($0.usageStart.hour.index) \($0.quantity)" + ($0.isProvisional ? "*" : "")
        } == [
          "100 a/1 99 5", "100 b/2 100 7", "101 a/3 101 -1.000000000000000005", "102 a/1 101 9*",
        ])
      let position = try store.position()
      #expect(position.nextPosition == 42 && position.journalID == 77)
      #expect(position.openWindow == Hour(index: 102))
      #expect(try reader.unappliedCount() == 1)
      #expect(try reader.rules().map(\.aggregation) == [.sum])
      #expect(try reader.closedWindows(before: nil, limit: 9).map(\.window.index) == [101, 100])
      var scrub = UsageScrub(reader)
      while true {
        let step = try scrub.step(rowsMax: 2)
        if step == .finished { break }
        #expect(step == .working)
      }
      #expect(try reader.integrityProblems() == [])
      // It goes on counting, and a second start has nothing to do.
      try store.commit(
        [(102, Sample.series("a"), 102, Quantity(1))], next: 43, open: 103)
      _ = try SQLiteUsageStore(path: path)
      #expect(try reader.closedWindows(before: nil, limit: 1).map(\.rowCount) == [2])
    }
  }

  /// A file that the program of version 1 has written: 12 windows, two meters, negative and fractional quantities.
  @Test func `a file of version 1 has the same aggregates afterwards, one by one`() throws {
    let golden = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    try withDatabase { path in
      try Data(fileContent("/\(golden)/Golden/usage-1.sqlite"))
        .write(to: URL(fileURLWithPath: path))
      var before: [String: Quantity] = [:]
      do {
        let old = try SQLite(path, .reader)
        let select = try old.prepare(
          """
          SELECT a.window, a.usage_hour, s.subscription, s.meter, s.resource_uri, s.location,
            s.tags, s.additional_info, a.units, a.attos
          FROM aggregate a JOIN series s ON s.id = a.series
          """)
        while try select.step() {
          before[(0..<8).map { select.text($0) }.joined(separator: "|")] =
            try old.quantity(select, 8)
        }
      }
      #expect(before.count > 700)
      let store = try SQLiteUsageStore(path: path)
      let reader = try SQLiteUsageReader(path: path)
      let after = try reader.all().map { row in
        let texts = [
          row.series.subscription, row.series.meter, row.series.resource.uri,
          row.series.resource.location, row.series.resource.tags,
          row.series.resource.additionalInfo,
        ]
        return (
          "\(row.window.index)|\(row.usageStart.hour.index)|" + texts.joined(separator: "|"),
          row.quantity
        )
      }
      #expect(after.count == before.count)
      #expect(Dictionary(uniqueKeysWithValues: after) == before)
      #expect(try store.position().journalID == 0x0102_0304_0506_0708)
      #expect(try reader.unappliedCount() == 1)
      #expect(try reader.closedWindows(before: nil, limit: 99).count == 11)
      #expect(try reader.integrityProblems() == [])
    }
  }

  /// A file that the program of version 3 has written: 8 closed windows, meters that are counted in different ways.
  @Test func `a file of version 3 is what it was, and takes rate cards`() throws {
    let golden = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    try withDatabase { path in
      try Data(fileContent("/\(golden)/Golden/usage-3.sqlite"))
        .write(to: URL(fileURLWithPath: path))
      let early = #expect(throws: StoreError.self) { _ = try SQLiteUsageReader(path: path) }
      #expect(early?.kind == .olderSchema)
      #expect(early?.message.contains("brings it to 5 when it starts") == true)
      func content() throws -> [String] {
        let connection = try SQLite(path, .reader)
        return try ["aggregate", "series", "closed_window", "rule", "pipeline", "time_sample"]
          .flatMap {
            table in
            let select = try connection.prepare("SELECT * FROM \(table)")
            var rows: [String] = []
            while try select.step() {
              rows.append("\(table) " + (0..<4).map { select.text($0) }.joined(separator: "|"))
            }
            return rows
          }
      }
      let before = try content()
      #expect(before.count > 100)
      for _ in 1...2 {
        let store = try SQLiteUsageStore(path: path)
        #expect(try store.lastStatement(of: 2026) == 0)
      }
      #expect(try content() == before)
      let reader = try SQLiteUsageReader(path: path)
      #expect(try reader.closedWindows(before: nil, limit: 99).count == 8)
      #expect(try reader.rateCards(named: nil) == [])
      #expect(try reader.integrityProblems() == [])
    }
  }

  @Test func `a file of version 4 is what it was, and takes budgets`() throws {
    try withDatabase { path in
      do {
        let store = try SQLiteUsageStore(path: path)
        try store.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 5)
        // What version 5 has added goes: that is version 4.
        try SQLite(path, .writer).execute(
          "DROP VIEW budgets; DROP VIEW alerts; DROP TABLE budget; DROP TABLE alert; PRAGMA user_version = 4"
        )
      }
      #expect(throws: StoreError.self) { _ = try SQLiteUsageReader(path: path) }
      for _ in 1...2 { _ = try SQLiteUsageStore(path: path) }
      let reader = try SQLiteUsageReader(path: path)
      #expect(try reader.all().map(\.quantity) == [Quantity(1)])
      #expect(try reader.alerts(of: nil) == [])
    }
  }

  @Test func `what is interrupted has not begun`() throws {
    try withDatabase { path in
      let old = try SQLite(path, .writer)
      try old.execute(Self.version1)
      // The third series has no room, so the last step fails.
      #expect(throws: StoreError.self) { _ = try SQLiteUsageStore(path: path, seriesMax: 1) }
      #expect(try old.schemaVersion() == 1)
      _ = try SQLiteUsageStore(path: path)
      #expect(try SQLiteUsageReader(path: path).all().count == 4)
    }
  }

  @Test func `the database of another cell is refused once it has counted something`() throws {
    try withDatabase { path in
      #expect(try SQLiteUsageStore(path: path, cell: "north").cell == "north")
      let store = try SQLiteUsageStore(path: path, cell: "south")
      try store.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 1)
      let error = #expect(throws: StoreError.self) {
        _ = try SQLiteUsageStore(path: path, cell: "north")
      }
      #expect(error?.kind == .otherCell)
      #expect(try SQLiteUsageReader(path: path).cell() == "south")
    }
  }
}
