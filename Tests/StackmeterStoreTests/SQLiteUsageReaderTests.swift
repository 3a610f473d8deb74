import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite struct SQLiteUsageReaderTests {
  private let everything = UsageFilter(subscriptions: nil, meters: nil)

  @Test(arguments: [Granularity.hourly, .daily], Engine.allCases)
  func `pages of any size walk every aggregate once, in one order`(
    granularity: Granularity, engine: Engine
  ) async throws {
    var random = try SeededRandom()
    let seed = random.seed
    do {
      try await withDatabase(engine) { place in
        let database = try place.store()
        var rows: [(Int64, Series, Int64, Quantity)] = []
        for _ in 0..<400 {
          let window = Int64.random(in: 240...290, using: &random)
          rows.append(
            (
              window, Sample.series("s\(Int.random(in: 0..<5, using: &random))"),
              window - Int64.random(in: 0...50, using: &random),
              Quantity(Int32.random(in: -9...9, using: &random))
            ))
        }
        try database.commit(rows, next: 2, open: 290)
        let reader = try place.reader()
        let windows = Hour(index: 240)..<Hour(index: 312)
        func page(_ after: UsageCursor?, _ limit: Int) throws -> (
          aggregates: [UsageAggregate], next: UsageCursor?
        ) {
          try reader.aggregates(
            windows: windows, granularity: granularity, filter: everything, after: after,
            limit: limit)
        }
        let whole = try page(nil, 10_000)
        #expect(whole.next == nil)
        for size in [1, 7, whole.aggregates.count, whole.aggregates.count - 1] {
          var walked: [UsageAggregate] = []
          var cursor: UsageCursor?
          repeat {
            let next = try page(cursor, size)
            #expect(next.aggregates.count <= size)
            walked += next.aggregates
            cursor = next.next
          } while cursor != nil
          try #require(walked == whole.aggregates)
        }
        var total = Quantity.zero
        for row in rows { total = try #require(total.adding(row.3)) }
        var listed = Quantity.zero
        for row in whole.aggregates { listed = try #require(listed.adding(row.quantity)) }
        try #require(listed == total)
      }
    } catch {
      throw SeededFailure(seed: seed, cause: error)
    }
  }

  @Test(arguments: Engine.allCases)
  func `a day is the exact sum of its hours, by the day that reported it`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let database = try place.store()
      let almostOne = try #require(Quantity(units: 0, attos: 999_999_999_999_999_999))
      let series = Sample.series("a")
      let hours = (240..<264).map { (Int64($0), series, Int64($0), almostOne) }
      try database.commit(hours + [(264, series, 263, Quantity(1))], next: 2, open: 264)
      let rows = try place.reader().aggregates(
        windows: Hour(index: 240)..<Hour(index: 288), granularity: .daily, filter: everything,
        after: nil, limit: 10
      ).aggregates
      #expect(rows.map(\.quantity.description) == ["23.999999999999999976", "1"])
      #expect(rows.map(\.window.index) == [240, 264])
      #expect(rows.map(\.usageStart) == [Day(index: 10).start, Day(index: 10).start])
      #expect(rows.map(\.usageEnd) == [Day(index: 11).start, Day(index: 11).start])
      #expect(rows.map(\.isProvisional) == [false, true])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a day is provisional until its last window is closed, also without rows in it`(
    engine: Engine
  )
    async throws
  {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.commit([(240, Sample.series("a"), 240, Quantity(1))], next: 2, open: 263)
      func isProvisional() throws -> [Bool] {
        try place.reader().aggregates(
          windows: Hour(index: 240)..<Hour(index: 264), granularity: .daily, filter: everything,
          after: nil, limit: 10
        ).aggregates.map(\.isProvisional)
      }
      #expect(try isProvisional() == [true])
      try database.commit([], next: 2, open: 264)
      #expect(try isProvisional() == [false])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a question that takes too long is given up, and the next one is answered`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let database = try place.store()
      let rows = (0..<3000).map { (Int64(100), Sample.series("s\($0)"), Int64(100), Quantity(1)) }
      try database.commit(rows, next: 2, open: 101)
      let reader = try place.reader()
      let error = #expect(throws: StoreError.self) {
        try reader.within(.zero) { (reader: any UsageReader) throws(StoreError) in
          try reader.totals(
            hours: Hour(index: 100)..<Hour(index: 101), byDay: true, bySubscription: true,
            filter: everything, limit: 10)
        }
      }
      #expect(error?.kind == .tooSlow)
      #expect(try reader.windows(before: nil, limit: 10).count == 2)
    }
  }

  @Test(arguments: Engine.allCases)
  func `a filter by subscription or meter lets nothing else through`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.commit(
        [
          (100, Sample.series("a"), 100, Quantity(1)),
          (100, Sample.series("b"), 100, Quantity(2)),
          (100, Sample.series("b", meter: "DISK"), 100, Quantity(4)),
          (100, Sample.series("a' OR 1=1 --"), 100, Quantity(8)),
        ], next: 2, open: 101)
      let reader = try place.reader()
      func sum(_ subscriptions: [String]?, _ meters: [String]?) throws -> [Quantity] {
        try reader.aggregates(
          windows: Hour(index: 0)..<Hour(index: 200), granularity: .hourly,
          filter: UsageFilter(subscriptions: subscriptions, meters: meters), after: nil,
          limit: 10
        ).aggregates.map(\.quantity)
      }
      #expect(try sum(["a"], nil) == [Quantity(1)])
      #expect(try sum(["a", "b"], ["disk"]) == [Quantity(4)])
      #expect(try sum(nil, ["disk"]) == [Quantity(4)])
      #expect(try sum([], nil) == [])
      #expect(try sum(["a' OR 1=1 --"], nil) == [Quantity(8)])
      #expect(try sum(["%"], nil) == [])
      #expect(try sum(["\" ] ,"], nil) == [])
    }
  }

  @Test(arguments: Engine.allCases)
  func `totals go by usage time, and never mix meters`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.commit(
        [
          // Usage of day 10, some of it reported a day and a week later.
          (240, Sample.series("a"), 240, Quantity(1)), (265, Sample.series("a"), 241, Quantity(2)),
          (408, Sample.series("b"), 263, Quantity(4)),
          (265, Sample.series("a", meter: "DISK"), 250, Quantity(8)),
          (265, Sample.series("a"), 264, Quantity(16)),
        ], next: 2, open: 408)
      let reader = try place.reader()
      func totals(_ hours: Range<Int64>, byDay: Bool = false, bySubscription: Bool = false) throws
        -> [String]
      {
        try reader.totals(
          hours: Hour(index: hours.lowerBound)..<Hour(index: hours.upperBound), byDay: byDay,
          bySubscription: bySubscription, filter: everything, limit: 100
        ).map {
          "\($0.day?.index ?? -1) \($0.subscription ?? "-") \($0.meter) \($0.quantity)"
            + ($0.isProvisional ? "*" : "")
        }
      }
      #expect(try totals(240..<264) == ["-1 - DISK 8", "-1 - cpu 7*"])
      #expect(
        try totals(240..<288, byDay: true, bySubscription: true) == [
          "10 a DISK 8", "10 a cpu 3", "10 b cpu 4*", "11 a cpu 16",
        ])
      #expect(try totals(241..<242) == ["-1 - cpu 2"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `windows are listed newest first, the open one even when it is empty`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let database = try place.store()
      try database.commit(
        [
          (100, Sample.series("a"), 100, Quantity(1)), (100, Sample.series("b"), 100, Quantity(1)),
          (103, Sample.series("b"), 100, Quantity(1)),
        ], next: 2, open: 105)
      let reader = try place.reader()
      let windows = try reader.windows(before: nil, limit: 10)
      #expect(windows.map(\.hour.index) == [105, 103, 100])
      #expect(windows.map(\.isClosed) == [false, true, true])
      #expect(windows.map(\.aggregates) == [0, 1, 2])
      #expect(
        try reader.windows(before: Hour(index: 103), limit: 1).map(\.hour.index) == [100])
    }
  }

  @Test func `a reader cannot write`() throws {
    try withDatabase { path in
      _ = try SQLiteUsageStore(path: path)
      let reader = try SQLite(path, .reader)
      #expect(throws: StoreError.self) { try reader.execute("DELETE FROM series") }
    }
  }
}
