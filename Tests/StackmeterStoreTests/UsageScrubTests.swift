import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite struct UsageScrubTests {
  /// A database of three closed windows, with nothing in a WAL of SQLite.
  private func makeDatabase(_ place: TestDatabase) throws {
    let database = try place.store()
    for window in Int64(100)...102 {
      let rows = (0..<60).map { number in
        (
          window, Sample.series("s\(number % 7)", uri: "/resource/\(number)"),
          window - Int64(number % 3), Quantity(Int32(number))
        )
      }
      try database.commit(rows, next: UInt64(window), open: window + 1)
    }
    guard case .sqlite = place.database else { return }
    try place.byHand("PRAGMA wal_checkpoint(TRUNCATE)")
  }

  private func damage(_ place: TestDatabase) throws(StoreError) -> [String] {
    let reader = try place.reader()
    var problems = try reader.integrityProblems()
    var scrub = UsageScrub(reader)
    while true {
      switch try scrub.step(rowsMax: 25) {
      case .working: break
      case .damage(let problem): problems.append(problem)
      case .finished: return problems
      }
    }
  }

  /// What closed windows answer.
  private func answers(_ place: TestDatabase) throws(StoreError) -> [UsageAggregate] {
    let reader = try place.reader()
    return try reader.aggregates(
      windows: Hour(index: 0)..<Hour(index: 103), granularity: .hourly,
      filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 10_000
    ).aggregates
  }

  @Test(arguments: Engine.allCases)
  func `a database as it was written has no damage`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      try makeDatabase(place)
      #expect(try damage(place) == [])
      #expect(try answers(place).count == 180)
    }
  }

  @Test(arguments: [
    "UPDATE aggregate SET units = units + 1 WHERE window = 101 AND units = 7",
    "DELETE FROM aggregate WHERE window = 101 AND units = 7",
    "UPDATE series SET location = 'x' WHERE id = 16777217",
    "UPDATE closed_window SET end_position = 0 WHERE window = 100",
    "UPDATE closed_window SET row_count = 0 WHERE window = 102",
    "UPDATE closed_window SET oldest_usage = oldest_usage + 1 WHERE window = 102",
    "DELETE FROM closed_window WHERE window = 100",
  ])
  func `whoever takes the triggers away is found out`(sql: String) async throws {
    try await expectDamage(
      .sqlite,
      [
        "closed_update", "closed_delete", "series_update", "hash_update", "hash_delete",
      ].map { "DROP TRIGGER \($0)" }, sql)
  }

  @Test(arguments: [
    "UPDATE aggregate SET quantity = 8 WHERE reporting_window = 101 AND quantity = 7",
    "DELETE FROM aggregate WHERE reporting_window = 101 AND quantity = 7",
    "UPDATE series SET location = 'x' WHERE subscription = 1 AND id = 1",
    "DELETE FROM series WHERE subscription = 1 AND id = 1",
    "UPDATE closed_window SET end_position = 0 WHERE reporting_window = 100",
    "UPDATE closed_window SET row_count = 0 WHERE reporting_window = 102",
    "UPDATE closed_window SET oldest_usage = oldest_usage + 1 WHERE reporting_window = 102",
    "DELETE FROM closed_window WHERE reporting_window = 100",
  ])
  func `whoever takes the triggers of PostgreSQL away is found out`(sql: String) async throws {
    try await expectDamage(
      .postgresql,
      ["aggregate", "series", "closed_window"].map { "ALTER TABLE \($0) DISABLE TRIGGER USER" },
      sql)
  }

  private func expectDamage(_ engine: Engine, _ off: [String], _ sql: String) async throws {
    try await withDatabase(engine) { place in
      try makeDatabase(place)
      for statement in off { try place.byHand(statement) }
      try place.byHand(sql)
      let found = try damage(place)
      #expect(found.count == 1)
      #expect(found.first?.contains("is not as it was closed") == true)
    }
  }

  @Test func `a flipped bit is found, or is an error, or changes no answer`() throws {
    try withSeededRandom { random in
      let directory = try TemporaryDirectory()
      let original = "\(directory.path)/original.sqlite"
      let path = "\(directory.path)/flipped.sqlite"
      try makeDatabase(self.place(original))
      let expected = try answers(place(original))
      let bytes = try content(original)
      var found = 0
      var silent: [Int] = []
      for _ in 0..<300 {
        var flipped = bytes
        let place = Int.random(in: 0..<bytes.count, using: &random)
        flipped[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        try write(flipped, path)
        do throws(StoreError) {
          let damage = try self.damage(self.place(path))
          if !damage.isEmpty {
            found += 1
          } else if try answers(self.place(path)) != expected {
            silent.append(place)
          }
        } catch {
          found += 1
        }
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
      }
      try #require(silent == [], "bytes that changed an answer")
      try #require(found > 30)
    }
  }

  /// Each is one bit, after which a walk over keys would get the same row again and again.
  @Test(arguments: [
    // The number of a series becomes a blob, which SQLite orders behind all numbers and gives as zero: the header of
    // a record with the types of window 102 (one byte) and of its series (four bytes), then the bit in the second.
    (
      [0x06, 0x01, 0x04, 0x08, 0x01, 0x08, 0x66, 0x07, 0x00, 0x00, 0x07], 2, 0x10, "cannot be read"
    ),
    // Closed window 100 becomes a second 101, before the first: its number, then the header of its record.
    ([0x64, 0x06, 0x00, 0x01, 0x01, 0x01, 0x4C], 0, 0x01, "closed windows are not in order"),
  ])
  func `a row that is not in its place is damage, not read again and again`(
    record: [UInt8], offset: Int, bit: UInt8, problem: String
  ) throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/usage.sqlite"
    try makeDatabase(place(path))
    var bytes = try content(path)
    let places = bytes.indices.dropLast(record.count).filter {
      Array(bytes[$0..<$0 + record.count]) == record
    }
    let found = try #require(places.last)
    bytes[found + offset] ^= bit
    try write(bytes, path)
    do throws(StoreError) {
      let damage = try damage(place(path))
      #expect(damage.contains { $0.contains(problem) }, "\(damage)")
    } catch {
      #expect(error.message.contains(problem))
    }
  }

  private func place(_ path: String) -> TestDatabase {
    TestDatabase(database: .sqlite(path: path, cell: "local"))
  }

  private func content(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
  }

  private func write(_ bytes: [UInt8], _ path: String) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }
}

@Suite struct RetentionTests {
  @Test func `whole months are kept in front of the open one`() {
    let open = Day(parsing: "2026-03-17")!.firstHour
    func first(_ months: Int) -> String? {
      Retention.firstWindow(openWindow: open, months: months).map { "\($0.start)" }
    }
    #expect(first(0) == nil)
    #expect(first(1) == "2026-01-31T23:00:00Z")
    #expect(first(3) == "2025-11-30T23:00:00Z")
    #expect(first(15) == "2024-11-30T23:00:00Z")
  }

  @Test(arguments: Engine.allCases)
  func `old windows go in steps, their hashes stay, and nothing is answered in part`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let database = try place.store()
      for window in Int64(100)...102 {
        try database.commit(
          (0..<10).map { (window, Sample.series("s\($0)"), window, Quantity(1)) },
          next: UInt64(window), open: window + 1)
      }
      try database.retain(from: Hour(index: 101))
      let reader = try place.reader()
      for left in [7, 4, 1, 0, 0] {
        #expect(try reader.all().count == 20)
        #expect(try reader.windows(before: nil, limit: 9).map(\.hour.index) == [103, 102, 101])
        _ = try database.removeAggregates(limit: 3)
        #expect(try reader.rows(of: Hour(index: 100), after: nil, limit: 99).count == left)
      }
      #expect(
        try reader.closedWindows(before: nil, limit: 9).map(\.window.index) == [102, 101, 100])
      var scrub = UsageScrub(reader)
      while true {
        let step = try scrub.step(rowsMax: 100)
        if step == .finished { break }
        #expect(step == .working)
      }
      #expect(scrub.windowCount == 2)
      let filter = UsageFilter(subscriptions: nil, meters: nil)
      func totals(from hour: Int64) throws(StoreError) -> [UsageTotal] {
        try reader.totals(
          hours: Hour(index: hour)..<Hour(index: 103), byDay: false, bySubscription: false,
          filter: filter, limit: 9)
      }
      #expect(try totals(from: 102).map(\.quantity) == [Quantity(10)])
      let error = #expect(throws: StoreError.self) { try totals(from: 101) }
      #expect(error?.kind == .removed)
      try database.retain(from: Hour(index: 100))
      #expect(try database.position().retainedFrom == Hour(index: 101))
    }
  }
}
