import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// Rows by either time, in periods of any length, of some series, as of some window: compared with what every hourly
/// row makes when it is added up here.
@Suite(.timeLimit(.minutes(5))) struct UsageScanTests {
  /// A row of an answer, as a test compares it.
  private struct Line: Hashable, CustomStringConvertible {
    let reported: Int64
    let usage: Instant
    let series: Series
    let quantity: Quantity
    let isProvisional: Bool

    var description: String {
      "\(reported) \(usage) \(series.subscription) \(series.meter) \(quantity) \(isProvisional)"
    }
  }

  /// The answer by the definition.
  private static func expected(_ scan: UsageScan, of rows: [UsageAggregate]) -> Set<Line> {
    struct Key: Hashable {
      let reported: Int64
      let usage: Int64
      let series: Series
    }
    var sums: [Key: (attos: Int128, last: Int64)] = [:]
    let granularity = scan.granularity
    for row in rows {
      let (window, hour) = (row.window, row.usageStart.hour)
      guard RandomUsage.isAsked(row, scan) else { continue }
      let key = Key(
        reported: scan.axis == .reported ? granularity.period(ofHour: window.index) : 0,
        usage: granularity.period(ofHour: hour.index), series: row.series)
      let old = sums[key] ?? (0, .min)
      sums[key] = (old.attos + row.quantity.attos, max(old.last, window.index))
    }
    let open = min(RandomUsage.openWindow, scan.asOf?.index ?? RandomUsage.openWindow)
    return Set(
      sums.map { key, sum in
        let reported =
          scan.axis == .reported
          ? granularity.hours(ofPeriod: key.reported) : sum.last..<sum.last + 1
        return Line(
          reported: reported.lowerBound,
          usage: Hour(index: granularity.firstHour(ofPeriod: key.usage)).start,
          series: key.series, quantity: Quantity(attos: sum.attos)!,
          isProvisional: reported.upperBound > open)
      })
  }

  private static func isBehind(_ next: UsageCursor, _ cursor: UsageCursor) -> Bool {
    if next.window != cursor.window { return next.window > cursor.window }
    if next.cell != cursor.cell { return next.cell > cursor.cell }
    return (next.series, next.usage) > (cursor.series, cursor.usage)
  }

  private static func walk(_ reader: any UsageReader, _ scan: UsageScan, limit: Int) throws
    -> (rows: [UsageAggregate], pages: Int)
  {
    var (rows, pages): ([UsageAggregate], Int) = ([], 0)
    var cursor: UsageCursor?
    repeat {
      let page = try reader.usage(scan, after: cursor, limit: limit)
      try #require(page.aggregates.count <= limit)
      if let cursor, let next = page.next {
        try #require(isBehind(next, cursor), "a walk does not go on: \(cursor) \(next)")
      }
      rows += page.aggregates
      pages += 1
      cursor = page.next
    } while cursor != nil
    return (rows, pages)
  }

  @Test(arguments: [TimeAxis.reported, .usage], Engine.allCases)
  func `every question has the rows of its definition, in pages of any size`(
    axis: TimeAxis, engine: Engine
  ) async throws {
    var random = try SeededRandom()
    let seed = random.seed
    let rows = RandomUsage.rows(&random)
    do {
      try await withDatabase(engine) { place in
        try place.store().commit(rows, next: 2, open: RandomUsage.openWindow)
        let reader = try place.reader()
        let all = try reader.all()
        for granularity in Granularity.allCases {
          let hours =
            Hour(
              index: granularity.firstHour(
                ofPeriod: granularity.period(
                  ofHour: RandomUsage.firstWindow - 20)))..<Hour(
              index: granularity.firstHour(
                ofPeriod: granularity.period(ofHour: RandomUsage.openWindow - 3) + 1))
          for selection in [.all]
            + RandomUsage.selections.dropFirst().shuffled(using: &random).prefix(3)
          {
            var scan = UsageScan(
              axis: axis, hours: hours, granularity: granularity,
              filter: RandomUsage.filter(selection, &random),
              asOf: Bool.random(using: &random)
                ? nil
                : Hour(
                  index: Int64.random(
                    in: RandomUsage.firstWindow...RandomUsage.openWindow, using: &random)))
            let whole = try reader.usage(scan, after: nil, limit: 10_000)
            try #require(whole.next == nil)
            let lines = whole.aggregates.map {
              Line(
                reported: $0.window.index, usage: $0.usageStart, series: $0.series,
                quantity: $0.quantity, isProvisional: $0.isProvisional)
            }
            let expected = Self.expected(scan, of: all)
            try #require(
              Set(lines) == expected && lines.count == expected.count,
              "\(scan) \(Set(lines).symmetricDifference(expected))")
            try #require(try Self.walk(reader, scan, limit: 7).rows == whole.aggregates)
            // A page that has looked at enough ends, with what it has, and nothing is lost.
            // For each usage hour, each series of all windows that may have it is looked at.
            let isLong = axis == .usage && (engine == .postgresql || granularity == .hourly)
            scan.rowsMax = isLong ? 500 : 5
            let short = try Self.walk(reader, scan, limit: 100)
            try #require(short.rows == whole.aggregates)
            if whole.aggregates.count > 20, !isLong { #expect(short.pages > 3) }
          }
        }
      }
    } catch {
      throw SeededFailure(seed: seed, cause: error)
    }
  }

  @Test(arguments: Engine.allCases)
  func `what was known at an instant never changes, and is refused once it is not whole`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { place in
      let series = Sample.series("a")
      let store = try place.store()
      try store.commit(
        [(100, series, 100, Quantity(1)), (101, series, 100, Quantity(2))], next: 3, open: 102)
      let reader = try place.reader()
      func known(_ axis: TimeAxis, at window: Int64) throws -> [UsageAggregate] {
        try reader.usage(
          UsageScan(
            axis: axis, hours: Hour(index: 96)..<Hour(index: 120), granularity: .daily,
            filter: UsageFilter(subscriptions: nil, meters: nil), asOf: Hour(index: window)),
          after: nil, limit: 10
        ).aggregates
      }
      let first = try (known(.reported, at: 102), known(.usage, at: 102))
      #expect(first.0.map(\.quantity) == [Quantity(3)] && first.1.map(\.quantity) == [Quantity(3)])
      #expect(try known(.usage, at: 101).map(\.quantity) == [Quantity(1)])
      #expect(try known(.usage, at: 100) == [])
      // The day was not over then, and never is in this answer.
      #expect(first.0.map(\.isProvisional) == [true] && first.1.map(\.isProvisional) == [false])
      try store.commit([(102, series, 100, Quantity(4))], next: 4, open: 130)
      #expect(try known(.reported, at: 102) == first.0)
      #expect(try known(.usage, at: 102) == first.1)
      #expect(try known(.usage, at: 103).map(\.quantity) == [Quantity(7)])
      try place.byHand("UPDATE pipeline SET retained_from = 101")
      for axis in [TimeAxis.reported, .usage] {
        let error = #expect(throws: StoreError.self) { _ = try known(axis, at: 102) }
        #expect(error?.kind == .removed)
      }
    }
  }

  @Test(arguments: Engine.allCases)
  func `more series than are sought one by one are found in all rows`(engine: Engine) async throws {
    try await withDatabase(engine) { place in
      let count = UsagePage.seriesSoughtMax + 100
      let rows = (0..<count).map { number in
        (
          Int64(100),
          Sample.series("a", meter: number % 2 == 0 ? "cpu" : "DISK", uri: "/r/\(number)"),
          Int64(100), Quantity(1)
        )
      }
      try place.store().commit(rows, next: 2, open: 101)
      let reader = try place.reader()
      func found(_ meters: [String]?, _ prefix: String) throws -> Int {
        var selection = SeriesSelection()
        selection.resourceURIPrefixes = [prefix]
        return try reader.usage(
          UsageScan(
            hours: Hour(index: 0)..<Hour(index: 200), granularity: .hourly,
            filter: UsageFilter(subscriptions: nil, meters: meters, series: selection)),
          after: nil, limit: 10_000
        ).aggregates.count
      }
      #expect(try found(nil, "/r/") == count)
      #expect(try found(["disk"], "/r/") == count / 2)
      #expect(try found(["disk"], "/r/77") == 6)
    }
  }

  @Test func `a period that too many windows have usage of is refused`() {
    let windows = UsageWindows(
      (0...Int64(UsagePage.windowsOfPeriodMax)).map {
        UsageWindows.Window(hour: $0, cell: 0, oldestUsage: 0)
      })
    let error = #expect(throws: StoreError.self) { try windows.windows(ofUsage: 0..<1) }
    #expect(error?.kind == .tooLarge)
    let fewer = UsageWindows(
      (0..<9).map { .init(hour: $0, cell: 0, oldestUsage: $0 % 3 == 0 ? 0 : $0) })
    #expect(try! fewer.windows(ofUsage: 1..<2).map(\.hour) == [0, 1, 3, 6])
    #expect(fewer.usageHours == 0..<10)
  }
}
