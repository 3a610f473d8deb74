import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite(.timeLimit(.minutes(2))) struct UsageSumsTests {
  private static let windows: Range<Int64> = 240..<312

  private struct Row {
    let window: Int64
    let series: Series
    let hour: Int64
    let quantity: Quantity
  }

  /// Some subscriptions with many resources, late usage and corrections, and windows without any.
  private static func rows(_ random: inout SeededRandom) -> [Row] {
    (0..<600).map { _ in
      let window = Int64.random(in: windows.lowerBound..<windows.upperBound - 8, using: &random)
      return Row(
        window: window == 250 ? 251 : window,
        series: Sample.series(
          "s\(Int.random(in: 0..<6, using: &random))",
          meter: ["cpu", "DISK", "disk"].randomElement(using: &random)!,
          uri: "/r/\(Int.random(in: 0..<5, using: &random))"),
        hour: window
          - (Bool.random(using: &random) ? 0 : Int64.random(in: -1...40, using: &random)),
        quantity: Quantity(Int32.random(in: -99...99, using: &random)))
    }
  }

  private static func text(_ line: UsageAggregate) -> String {
    "\(line.series.subscription) \(line.usageStart) \(line.usageEnd) \(line.series.meter) "
      + "\(line.quantity)"
  }

  /// What the lines must be, counted from the rows.
  private static func expected(_ rows: [Row], _ question: SumsQuestion) -> [String] {
    struct Key: Hashable {
      let subscription: String
      let period: Int64
      let meter: String
    }
    let hours = question.granularity == .daily ? Int64(24) : 1
    var sums: [Key: Quantity] = [:]
    for row in rows
    where question.windows.contains(Hour(index: row.window))
      && question.filter.subscriptions?.contains(row.series.subscription) ?? true
      && question.filter.meters?.contains(row.series.meter.asciiLowercased) ?? true
    {
      let key = Key(
        subscription: row.series.subscription, period: row.hour.flooredDivision(by: hours),
        meter: row.series.meter)
      sums[key] = sums[key, default: .zero].adding(row.quantity)
    }
    return sums.sorted { left, right in
      (left.key.subscription, left.key.period, left.key.meter)
        < (right.key.subscription, right.key.period, right.key.meter)
    }.map { key, sum in
      let start = Hour(index: key.period * hours)
      let end = Hour(index: start.index + hours)
      return "\(key.subscription) \(start) \(end) \(key.meter) \(sum)"
    }
  }

  /// All lines, page by page.
  private static func walk(
    _ reader: any UsageReader, _ question: SumsQuestion, limit: Int,
    until deadline: ContinuousClock.Instant = .now + .seconds(60)
  ) throws -> [String] {
    var lines: [String] = []
    var cursor: UsageCursor?
    repeat {
      let page = try reader.sums(question, after: cursor, limit: limit, until: deadline)
      #expect(page.aggregates.count <= limit)
      if deadline > .now, page.next != nil { #expect(page.aggregates.count == limit) }
      lines += page.aggregates.map(text)
      cursor = page.next
    } while cursor != nil
    return lines
  }

  @Test(arguments: Engine.allCases)
  func `pages of any size have each sum of a subscription, period and meter once, exactly`(
    engine: Engine
  ) async throws {
    var random = try SeededRandom()
    let seed = random.seed
    do {
      try await withDatabase(engine) { place in
        let rows = Self.rows(&random)
        let store = try place.store()
        try store.commit(
          rows.map { ($0.window, $0.series, $0.hour, $0.quantity) }, next: 2, open: 310)
        let reader = try place.reader()
        for granularity in [Granularity.hourly, .daily] {
          for windows in [240..<312, 252..<253, 264..<288, 250..<251] as [Range<Int64>] {
            for (subscriptions, meters) in [
              (nil, nil), (["s4", "nobody", "s1", "s4"], nil), (nil, ["disk"]), ([], nil),
            ] as [([String]?, [String]?)] {
              let question = SumsQuestion(
                windows: Hour(index: windows.lowerBound)..<Hour(index: windows.upperBound),
                granularity: granularity,
                filter: UsageFilter(subscriptions: subscriptions, meters: meters))
              let expected = Self.expected(rows, question)
              for limit in [1, 7, 1000] where limit > 1 || expected.count < 60 {
                try #require(try Self.walk(reader, question, limit: limit) == expected)
              }
              // Where the time is always up, a page has the lines of one subscription at most.
              try #require(
                try Self.walk(reader, question, limit: 1000, until: .now - .seconds(1))
                  == expected)
            }
          }
        }
      }
    } catch {
      throw SeededFailure(seed: seed, cause: error)
    }
  }

  @Test(arguments: Engine.allCases)
  func `of more lines than are kept in memory the first ones are shown`(engine: Engine) async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let count = 1500
      // The later a window, the earlier its usage: what was forgotten comes again.
      let rows = (0..<count).flatMap { index -> [(Int64, Series, Int64, Quantity)] in
        let window = 2000 + Int64(index % 3)
        return [
          (window, Sample.series("a", uri: "/1"), 2000 - Int64(index), Quantity(1)),
          (2003, Sample.series("a", uri: "/2"), 2000 - Int64(index), Quantity(2)),
        ]
      }
      try store.commit(rows, next: 2, open: 2004)
      let question = SumsQuestion(
        windows: Hour(index: 2000)..<Hour(index: 2004), granularity: .hourly,
        filter: UsageFilter(subscriptions: ["a"], meters: nil))
      let reader = try place.reader()
      for limit in [10, 400, count] {
        let lines = try Self.walk(reader, question, limit: limit)
        #expect(lines.count == count)
        #expect(lines.allSatisfy { $0.hasSuffix(" cpu 3") })
        #expect(lines.sorted() == lines)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `a sum that does not fit is refused, and one of the open window is provisional`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      try store.commit(
        [
          (100, Sample.series("a", uri: "/1"), 100, Quantity(1)),
          (101, Sample.series("b", uri: "/1"), 100, .max),
          (101, Sample.series("b", uri: "/2"), 100, Quantity(1)),
        ], next: 2, open: 101)
      let reader = try place.reader()
      func sums(_ windows: Range<Int64>, _ subscription: String) throws -> [UsageAggregate] {
        try reader.sums(
          SumsQuestion(
            windows: Hour(index: windows.lowerBound)..<Hour(index: windows.upperBound),
            granularity: .hourly,
            filter: UsageFilter(subscriptions: [subscription], meters: nil)), after: nil, limit: 9,
          until: .now + .seconds(60)
        ).aggregates
      }
      #expect(try sums(100..<101, "a").map(\.isProvisional) == [false])
      #expect(try sums(100..<102, "a").map(\.isProvisional) == [true])
      #expect(try sums(100..<101, "a").map(\.series.resource.uri) == [""])
      let error = #expect(throws: StoreError.self) { try sums(100..<102, "b") }
      #expect(error?.kind == .overflow)
    }
  }

  @Test func `the cells of a database are added up`() async throws {
    try await withDatabase(.postgresql) { place in
      let (north, south) = (try place.store(cell: "north"), try place.store(cell: "south"))
      let (a, b) = (Sample.series("a"), Sample.series("b"))
      try north.commit(
        [(100, b, 100, Quantity(1)), (101, a, 100, Quantity(2))], next: 3, open: 102)
      try south.commit(
        [(100, a, 100, Quantity(4)), (101, b, 101, Quantity(8))], next: 3, open: 102)
      let question = SumsQuestion(
        windows: Hour(index: 100)..<Hour(index: 102), granularity: .hourly,
        filter: UsageFilter(subscriptions: nil, meters: nil))
      let reader = try place.reader()
      for limit in [1, 2, 9] {
        #expect(
          try Self.walk(reader, question, limit: limit).map { $0.split(separator: " ") }
            .map { "\($0[0]) \($0[4])" } == ["a 6", "b 1", "b 8"])
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `a subscription can be narrowed to some of its usage hours`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let series = Sample.series("a")
      try store.commit(
        [(100, series, 98, Quantity(1)), (100, series, 99, Quantity(2))]
          + [(101, series, 100, Quantity(4)), (101, series, 101, Quantity(8))], next: 2, open: 102)
      let source: any SumsSource =
        switch place.database {
        case .sqlite(let path, _): try SQLiteSumsSource(SQLite(path, .reader))
        case .postgresql(let text, _): try PostgreSQLSumsSource(PostgreSQL(text))
        }
      let windows = try source.sumsWindows(Hour(index: 0)..<Hour(index: 200))
      for (hours, expected) in [
        (nil, 15), ([], 0), ([99..<101], 6), ([0..<99, 101..<500], 9), ([98..<99, 98..<99], 1),
      ] as [([Range<Int64>]?, Int128)] {
        var sum: Int128 = 0
        try source.addUp("a", windows[...], hours, hoursPerPeriod: 24) {
          (_, period, attos) throws(StoreError) in
          #expect(period == 4)
          sum += attos
        }
        #expect(sum == expected * Quantity.attosPerUnit)
      }
    }
  }
}
