import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite struct UsageTotalsTests {
  private static let windows: Range<Int64> = 100..<130

  /// One row of each series and usage hour in a window: mostly of the window's own hour, some of much earlier ones.
  private func rows(
    _ window: Int64, _ random: inout SeededRandom
  ) -> [(Int64, Series, Int64, Quantity)] {
    var rows: [(Int64, Series, Int64, Quantity)] = []
    for number in 0..<6 {
      let series = Sample.series("s\(number % 3)", uri: "/resource/\(number)")
      var hours = [window]
      if random.next() % 4 == 0 { hours.append(window - Int64(random.next() % 25) - 1) }
      for hour in hours {
        rows.append((window, series, hour, Quantity(Int32(random.next() % 1000))))
      }
    }
    return rows
  }

  @Test(arguments: Engine.allCases)
  func `totals have every row of their usage hours, in whichever window it was reported`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { place in
      var random = SeededRandom(seed: 7)
      var all: [(window: Int64, series: Series, hour: Int64, quantity: Quantity)] = []
      let store = try place.store()
      for window in Self.windows {
        // A window without usage has no hash, and the last one stays open.
        let rows = window % 7 == 3 ? [] : rows(window, &random)
        all += rows.map { ($0.0, $0.1, $0.2, $0.3) }
        let open = min(window + 1, Self.windows.upperBound - 1)
        try store.commit(rows, next: UInt64(window), open: open)
      }
      let reader = try place.reader()
      #expect(try reader.position().openWindow.index == Self.windows.upperBound - 1)
      for subscriptions in [nil, ["s1"], ["s0", "s2"]] as [[String]?] {
        for from in stride(from: Int64(76), to: 130, by: 7) {
          for length in [1, 5, 60] as [Int64] {
            let totals = try reader.totals(
              hours: Hour(index: from)..<Hour(index: from + length), byDay: false,
              bySubscription: true,
              filter: UsageFilter(subscriptions: subscriptions, meters: nil), limit: 9)
            var expected: [String: (attos: Int128, isProvisional: Bool)] = [:]
            for row in all
            where row.hour >= from && row.hour < from + length
              && subscriptions?.contains(row.series.subscription) ?? true
            {
              let isOpen = row.window == Self.windows.upperBound - 1
              let known = expected[row.series.subscription] ?? (0, false)
              expected[row.series.subscription] =
                (known.attos + row.quantity.attos, known.isProvisional || isOpen)
            }
            #expect(
              totals.map { "\($0.subscription ?? "") \($0.quantity.attos) \($0.isProvisional)" }
                == expected.sorted { $0.key < $1.key }
                .map { "\($0.key) \($0.value.attos) \($0.value.isProvisional)" })
          }
        }
      }
    }
  }
}
