import CSQLite
import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// Sample usage for the tests of this target.
enum Sample {
  static let catalog = try! MeterCatalog([
    meter("cpu", unit: "Core-Seconds"), meter("DISK", unit: "GB*hours"),
  ])

  static func meter(_ id: String, unit: String) -> Meter {
    Meter(
      id: id, name: id + " name", unit: unit, category: "Compute", resourceProvider: "test",
      aggregation: .sum, isBillable: true)
  }

  static func series(_ subscription: String, meter: String = "cpu", uri: String = "/r") -> Series {
    Series(
      subscription: subscription, meter: meter,
      resource: Resource(uri: uri, location: "local", tags: #"{"env":"prod"}"#))
  }

  static func position(_ next: UInt64, open: Int64) -> PipelinePosition {
    PipelinePosition(
      nextPosition: next, reportedTime: Hour(index: open).start, openWindow: Hour(index: open),
      journalID: .max - 1)
  }
}

extension UsageStore {
  /// Commits rows given as (window, series, usage hour, quantity), and closes the windows before `open`.
  func commit(
    _ rows: [(Int64, Series, Int64, Quantity)], next: UInt64, open: Int64
  ) throws {
    let writer = try UsageWriter(store: self, latenessLimitDays: 7)
    let start = try position()
    try writer.begin()
    do {
      var windows: [Int64: [SeriesHour: Quantity]] = [start.openWindow.index: [:]]
      for (window, series, hour, quantity) in rows.sorted(by: { $0.0 < $1.0 }) {
        let new = NewSeries(series, firstWindow: Hour(index: window), firstPosition: next - 1)
        let number = try #require(try writer.intern([new]) { _ in .sum }[0])
        let key = SeriesHour(series: number, usageHour: Hour(index: hour))
        windows[window, default: [:]][key] =
          windows[window, default: [:]][key, default: .zero].adding(quantity)
      }
      let changes = windows.sorted { $0.key < $1.key }.map { window, deltas in
        WindowChange(
          window: Hour(index: window),
          sums: deltas.sorted { $0.key < $1.key }.map { key, quantity in
            SumDelta(
              key: key, sum: quantity.attos, least: min(0, quantity.attos),
              greatest: max(0, quantity.attos), position: next - 1)
          }, endPosition: window < open ? next : nil)
      }
      let end = Sample.position(next, open: open)
      _ = try writer.count(changes, from: start, in: end.journalID, .bulk)
      try writer.commit(end)
    } catch {
      writer.rollback()
      throw error
    }
  }
}

@Suite struct UsageStoreTests {
  @Test(arguments: Engine.allCases)
  func `deltas add up exactly, across commits and signs`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let database = try place.store()
      #expect(try database.position().journalID == 0)
      let series = Sample.series("a")
      let tiny = try #require(Quantity(units: 0, attos: 1))
      try database.commit([(100, series, 100, tiny)], next: 2, open: 100)
      try database.commit([(100, series, 100, Quantity(-3))], next: 3, open: 100)
      try database.commit([(100, series, 99, Quantity(5))], next: 4, open: 100)
      let rows = try place.reader().all()
      #expect(rows.map(\.quantity.description) == ["5", "-2.999999999999999999"])
      #expect(try database.position() == Sample.position(4, open: 100))
      #expect(try place.reader().position() == Sample.position(4, open: 100))
    }
  }

  @Test(arguments: Engine.allCases)
  func `a commit that fails leaves nothing behind`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 101)
      // The first row lies in a closed window, so the second must vanish with it.
      #expect(throws: StoreError.self) {
        try database.commit(
          [
            (101, Sample.series("b"), 101, Quantity(1)),
            (100, Sample.series("a"), 100, Quantity(1)),
          ], next: 3, open: 101)
      }
      #expect(try place.reader().all().map(\.quantity) == [Quantity(1)])
      #expect(try database.position().nextPosition == 2)
      try database.commit([(101, Sample.series("b"), 101, Quantity(7))], next: 3, open: 101)
      #expect(
        try place.reader().all().map(\.quantity) == [Quantity(1), Quantity(7)])
    }
  }

  @Test(
    arguments: [
      "UPDATE aggregate SET units = 9 WHERE window = 100",
      "DELETE FROM aggregate WHERE window = 100",
      "INSERT INTO aggregate VALUES (99, 16777217, 0, 1, 0)",
      "INSERT OR REPLACE INTO aggregate SELECT window, series, lag, 9, 0 FROM aggregate",
      "UPDATE aggregate SET window = 100 WHERE window = 101",
      "UPDATE OR REPLACE aggregate SET window = 100",
      "UPDATE pipeline SET open_window = 100",
      "UPDATE closed_window SET row_count = 2",
      "DELETE FROM closed_window",
      "INSERT OR REPLACE INTO closed_window VALUES (100, 1, 1, 100, x'00')",
      "UPDATE series SET resource_uri = '/other'",
      "UPDATE series SET id = id + 1",
      "DELETE FROM series",
      "INSERT OR REPLACE INTO series SELECT * FROM series",
      "UPDATE subscription SET name = 'b'",
      "DELETE FROM subscription",
      "INSERT OR REPLACE INTO subscription (name, first_window) VALUES ('a', 101)",
    ])
  func `a closed window refuses every change by hand`(sql: String) throws {
    try withDatabase { path in
      let database = try SQLiteUsageStore(path: path)
      try database.commit(
        [
          (100, Sample.series("a"), 100, Quantity(1)), (101, Sample.series("a"), 101, Quantity(2)),
        ], next: 3, open: 101)
      let byHand = try SQLite(path, .writer)
      let error = #expect(throws: StoreError.self) { try byHand.execute(sql) }
      #expect(error?.message.contains("closed reporting window never") == true)
      #expect(
        try SQLiteUsageReader(path: path).all().map(\.quantity) == [Quantity(1), Quantity(2)])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a series gets one number, and every field tells series apart`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.begin()
      func intern(_ series: Series) throws -> Int64? {
        try database.intern([
          NewSeries(series, firstWindow: Hour(index: 1), firstPosition: 1)
        ])[0]
      }
      let first = try intern(Sample.series("a"))
      #expect(try intern(Sample.series("a")) == first)
      var others: [Series] = []
      for change in [
        { $0.subscription = "b" }, { $0.meter = "m" }, { $0.resource.uri = "/é" },
        { $0.resource.uri = "/e\u{301}" }, { $0.resource.location = "" },
        { $0.resource.tags = "" }, { $0.resource.additionalInfo = "x" },
      ] as [(inout Series) -> Void] {
        var series = Sample.series("a")
        change(&series)
        others.append(series)
      }
      let numbers = try others.map { try intern($0) }
      #expect(Set(numbers + [first]).count == others.count + 1)
      // Those of one subscription are neighbours.
      let (a, b): (Int64, Int64) = (0x0100_0000, 0x0200_0000)
      #expect(first == a + 1)
      #expect(numbers == [b + 1, a + 2, a + 3, a + 4, a + 5, a + 6, a + 7])
      database.rollback()
    }
  }

  @Test(arguments: Engine.allCases)
  func `a subscription has no more series than can be numbered`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let database = try place.store(seriesMax: 2)
      try database.begin()
      let numbers = try database.intern(
        ["/1", "/2", "/3", "/1"].map {
          NewSeries(Sample.series("a", uri: $0), firstWindow: Hour(index: 1), firstPosition: 1)
        })
      #expect(numbers == [0x0100_0001, 0x0100_0002, nil, 0x0100_0001])
      database.rollback()
    }
  }

  @Test(arguments: Engine.allCases)
  func `the catalog is replaced, but a meter that usage speaks of stays`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.replaceCatalog(Sample.catalog)
      try database.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 100)
      try database.replaceCatalog(try MeterCatalog([Sample.meter("net", unit: "Bytes")]))
      #expect(try place.reader().meters().map(\.id) == ["cpu", "net"])
    }
  }

  @Test func `the sqlite3 shell reads names and decimals`() throws {
    try withDatabase { path in
      let database = try SQLiteUsageStore(path: path)
      try database.replaceCatalog(Sample.catalog)
      let half = try #require(Quantity(units: 0, attos: -500_000_000_000_000_000))
      try database.commit([(498_736, Sample.series("a"), 498_735, half)], next: 2, open: 498_736)
      let statement = try SQLite(path, .reader).prepare(
        "SELECT window, state, usage_hour, subscription, meter, quantity, unit FROM usage")
      #expect(try statement.step())
      #expect(
        (0..<7).map { statement.text($0) } == [
          "2026-11-23T16:00:00Z", "provisional", "2026-11-23T15:00:00Z", "a", "cpu name",
          "-0.500000000000000000", "Core-Seconds",
        ])
    }
  }

  @Test func `the sqlite3 shell reads exact days, also below zero`() throws {
    try withDatabase { path in
      let database = try SQLiteUsageStore(path: path)
      let almostOne = try #require(Quantity(units: 0, attos: 999_999_999_999_999_999))
      let tiny = try #require(Quantity(units: 0, attos: -1))
      let rows =
        (240..<263).map { (Int64($0), Sample.series("a"), Int64($0), almostOne) } + [
          (263, Sample.series("b"), 240, Quantity(-2)), (263, Sample.series("b"), 241, almostOne),
          (263, Sample.series("c"), 241, tiny), (263, Sample.series("d"), 241, Quantity(-3)),
          (263, Sample.series("e"), 241, .max),
        ]
      try database.commit(rows, next: 2, open: 264)
      let statement = try SQLite(path, .reader).prepare(
        "SELECT window_day, state, usage_day, subscription, quantity FROM usage_daily ORDER BY 4")
      var days: [String] = []
      while try statement.step() {
        days.append((0..<5).map { statement.text($0) }.joined(separator: " "))
      }
      #expect(
        days == [
          "1970-01-11 closed 1970-01-11 a 22.999999999999999977",
          "1970-01-11 closed 1970-01-11 b -1.000000000000000001",
          "1970-01-11 closed 1970-01-11 c -0.000000000000000001",
          "1970-01-11 closed 1970-01-11 d -3.000000000000000000",
          "1970-01-11 closed 1970-01-11 e \(Quantity.max)",
        ])
      let windows = try SQLite(path, .reader).prepare(
        "SELECT window, aggregates, state FROM windows")
      #expect(try windows.step())
      #expect(windows.text(0) == "1970-01-11T00:00:00Z" && windows.integer(1) == 1)
    }
  }

  @Test(
    arguments: [(6, StoreError.Kind.newerSchema, "newer"), (2, .olderSchema, "never released")])
  func `a database of a newer program, or of a draft, is refused by writer and reader`(
    version: Int, kind: StoreError.Kind, words: String
  ) throws {
    try withDatabase { path in
      _ = try SQLiteUsageStore(path: path)
      try SQLite(path, .writer).execute("PRAGMA user_version = \(version)")
      let writing = #expect(throws: StoreError.self) { _ = try SQLiteUsageStore(path: path) }
      let reading = #expect(throws: StoreError.self) { _ = try SQLiteUsageReader(path: path) }
      for error in [writing, reading] {
        #expect(error?.kind == kind && error?.message.contains(words) == true)
      }
    }
  }

  @Test func `a file that is no database is refused`() throws {
    try withDatabase { path in
      let file = try #require(fopen(path, "w"))
      fputs(String(repeating: "not a database ", count: 1000), file)
      fclose(file)
      #expect(throws: StoreError.self) { _ = try SQLiteUsageStore(path: path) }
    }
  }

  @Test(arguments: Engine.allCases)
  func `a reader before the first writer says that the database is missing`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let error = #expect(throws: StoreError.self) { _ = try place.reader() }
      #expect(error?.kind == .missing)
    }
  }
}

/// Lends the path of a database that is not there yet.
func withDatabase(_ body: (String) throws -> Void) throws {
  let directory = try TemporaryDirectory()
  try body("\(directory.path)/usage.sqlite")
}

@Suite struct SQLiteSizeTests {
  /// How many rows: `STACKMETER_SIZE_ROWS`, else 40,000.
  private static var rows: Int {
    getenv("STACKMETER_SIZE_ROWS").flatMap { Int(String(cString: $0)) } ?? 40_000
  }

  /// Of whole quantities, and of those with 18 digits after the point.
  @Test(arguments: [(true, Int64(23)), (false, 31)])
  func `an aggregate takes about 22 to 30 bytes, in whatever order series report`(
    isWhole: Bool, bytesMax: Int64
  ) throws {
    try withSeededRandom { random in
      try withDatabase { path in
        let store = try SQLiteUsageStore(path: path)
        let seriesPerWindow = 10_000
        let start = Int64(498_736)
        try store.begin()
        for window in 0..<Self.rows / seriesPerWindow {
          let hour = Hour(index: start + Int64(window))
          // Each reports at its own minute, mostly of this hour and now and then of an older one.
          for part in (0..<seriesPerWindow).shuffled(using: &random).chunks(of: 500) {
            let rows = part.sorted().map { number in
              let lag = Int64(number % 10 == 0 ? Int.random(in: 1...100, using: &random) : 0)
              let key = SeriesHour(
                series: SeriesNumbers.range(ofSubscription: Int64(number / 10) + 1).lowerBound
                  + Int64(number % 10) + 1, usageHour: Hour(index: hour.index - lag))
              let attos = Int128(UInt64.random(in: 0...9_900_000_000_000_000_000, using: &random))
              let whole = attos - attos % Quantity.attosPerUnit
              return (key: key, quantity: Quantity(attos: isWhole ? whole : attos)!)
            }
            try store.put(aggregates: rows, of: hour)
          }
          try store.commit(
            PipelinePosition(
              nextPosition: 2, reportedTime: hour.start, openWindow: hour, journalID: 1))
          try store.begin()
        }
        store.rollback()
        let size = try store.connection.prepare(
          "SELECT sum(pgsize), (SELECT count(*) FROM aggregate) FROM dbstat WHERE name = 'aggregate'"
        )
        try #require(try size.step())
        let (bytes, count) = (size.integer(0), size.integer(1))
        try #require(bytes <= count * bytesMax, "\(bytes) bytes of \(count) rows")
      }
    }
  }
}

extension Array {
  fileprivate func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
