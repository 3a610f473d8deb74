import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite(.timeLimit(.minutes(5))) struct TotalsPropertyTests {
  /// The totals by the definition, one line for each.
  private static func expected(
    _ scan: TotalsScan, of rows: [UsageAggregate]
  ) -> Set<String> {
    struct Sum {
      var attos: Int128 = 0
      var isProvisional = false
    }
    var sums: [String: Sum] = [:]
    for row in rows where RandomUsage.isAsked(row, scan.rows) {
      let hour = scan.axis == .usage ? row.usageStart.hour : row.window
      let period = scan.granularity.map {
        "\(Hour(index: $0.firstHour(ofPeriod: $0.period(ofHour: hour.index))))"
      }
      let groups = scan.names.map { grouping in
        grouping == .subscription
          ? row.series.subscription : row.series.resource.value(of: grouping)
      }
      let key = Self.key(period, groups, row.series.meter)
      sums[key, default: Sum()].attos += row.quantity.attos
      if row.window.index >= RandomUsage.openWindow { sums[key]?.isProvisional = true }
    }
    return Set(sums.map { "\($0) \(Quantity(attos: $1.attos)!) \($1.isProvisional)" })
  }

  private static func key(_ period: String?, _ groups: [String?], _ meter: String) -> String {
    ([period ?? "always"] + groups.map { $0 ?? "-" } + [meter]).joined(separator: " ")
  }

  @Test(arguments: [TimeAxis.reported, .usage], Engine.allCases)
  func `totals are the sums of the rows that their question is about`(
    axis: TimeAxis, engine: Engine
  ) async throws {
    var random = try SeededRandom()
    let seed = random.seed
    let rows = RandomUsage.rows(&random)
    let groupings: [[Grouping]] = [
      [], [.hour], [.day, .subscription], [.month, .resource], [.resourceGroup, .location],
      [.subscription, .tag("env"), .day], [.tag("te\"am"), .tag("team")],
    ]
    do {
      try await withDatabase(engine) { place in
        try place.store().commit(rows, next: 2, open: RandomUsage.openWindow)
        let reader = try place.reader()
        let all = try reader.all()
        for round in 0..<30 {
          let first = Int64.random(in: -60...30, using: &random) + RandomUsage.firstWindow
          let scan = TotalsScan(
            axis: axis,
            hours: Hour(index: first)..<Hour(index: RandomUsage.openWindow + 2),
            groupings: groupings[round % groupings.count],
            filter: RandomUsage.filter(
              RandomUsage.selections.randomElement(using: &random)!, &random),
            asOf: Bool.random(using: &random)
              ? nil
              : Hour(
                index: Int64.random(
                  in: RandomUsage.firstWindow...RandomUsage.openWindow, using: &random)))
          let found = try reader.totals(scan, limit: 10_000)
          let lines = found.map { total in
            Self.key(total.period.map { "\($0)" }, total.groups, total.meter)
              + " \(total.quantity) \(total.isProvisional)"
          }
          let expected = Self.expected(scan, of: all)
          try #require(
            Set(lines) == expected && lines.count == expected.count,
            "\(scan) \(Set(lines).symmetricDifference(expected))")
          try #require(found == found.sorted { $0.precedes($1) })
        }
      }
    } catch {
      throw SeededFailure(seed: seed, cause: error)
    }
  }

  @Test(arguments: Engine.allCases)
  func `the first closed window is the first that is kept and has usage`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      let series = Sample.series("a")
      try store.commit([(100, series, 90, Quantity(1))], next: 2, open: 100)
      #expect(try reader.firstClosedWindow() == nil)
      try store.commit([(103, series, 103, Quantity(1))], next: 3, open: 104)
      #expect(try reader.firstClosedWindow() == Hour(index: 100))
      try place.byHand("UPDATE pipeline SET retained_from = 101")
      #expect(try reader.firstClosedWindow() == Hour(index: 103))
      try place.byHand("UPDATE pipeline SET retained_from = 104")
      #expect(try reader.firstClosedWindow() == nil)
    }
  }
}
