import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite struct TenancyTests {
  private func directory(_ subscriptions: String) throws -> SubscriptionDirectory {
    try SubscriptionDirectory(json: Array("{\"subscriptions\":[\(subscriptions)]}".utf8))
  }

  @Test(arguments: Engine.allCases)
  func `the tenants of a provider are its direct ones, at any depth of the tree`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let reader = try place.reader()
      try store.replaceDirectory(
        try directory(
          """
          {"id":"P1","providers":[{"provider":"P0"}]}, {"id":"p2","providers":[{"provider":"p0"}]},
          {"id":"p3","providers":[{"provider":"p1"}]},
          {"id":"p4","providers":[
            {"provider":"p1","from":"2026-01-02T00:00:00Z","until":"2026-01-03T05:00:00Z"},
            {"provider":"p2","until":"2026-01-02T00:00:00Z"}, {"provider":"P1","from":"2026-02-01T00:00:00Z"}]}
          """))
      func tenants(_ provider: String) throws -> [String] {
        try reader.tenancies(of: provider).map {
          $0.hours == Tenancy.always
            ? $0.subscription
            : "\($0.subscription) \($0.hours.lowerBound.index) \($0.hours.upperBound.index)"
        }
      }
      let day = Instant(parsing: "2026-01-02T00:00:00Z")!.hour.index
      let month = Instant(parsing: "2026-02-01T00:00:00Z")!.hour.index
      #expect(try tenants("p0") == ["p1", "p2"])
      #expect(
        try tenants("p1")
          == ["p3", "p4 \(day) \(day + 29)", "p4 \(month) \(Tenancy.always.upperBound.index)"])
      #expect(try tenants("p2") == ["p4 0 \(day)"])
      #expect(try tenants("p3") == [])
      // Replaced as a whole.
      try store.replaceDirectory(try directory(#"{"id":"p3","providers":[{"provider":"p2"}]}"#))
      #expect(try tenants("p0") == [])
      #expect(try tenants("p2") == ["p3"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a question about tenancies has what one about all has of their time`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      var random = SeededRandom(seed: 11)
      let store = try place.store()
      for window in Int64(100)..<160 {
        var rows: [(Int64, Series, Int64, Quantity)] = []
        for number in 0..<8 {
          let series = Sample.series("s\(number % 4)", uri: "/resource/\(number)")
          var hours = [window]
          if random.next() % 3 == 0 { hours.append(window - Int64(random.next() % 40) - 1) }
          for hour in hours {
            rows.append((window, series, hour, Quantity(Int32(random.next() % 1000))))
          }
        }
        try store.commit(rows, next: UInt64(window), open: min(window + 1, 159))
      }
      let reader = try place.reader()
      func tenancy(_ subscription: String, _ hours: Range<Int64>) -> Tenancy {
        Tenancy(
          provider: "p", subscription: subscription,
          hours: Hour(index: hours.lowerBound)..<Hour(index: hours.upperBound))
      }
      let tenancies = [
        tenancy("s0", 0..<117), tenancy("s1", 110..<121), tenancy("s1", 130..<133),
        tenancy("s3", 90..<500), tenancy("nobody", 0..<500),
      ]
      func isVisible(_ aggregate: UsageAggregate) -> Bool {
        tenancies.contains {
          $0.subscription == aggregate.series.subscription
            && $0.hours.contains(aggregate.usageStart.hour)
        }
      }
      let windows = Hour(index: 96)..<Hour(index: 168)
      func walk(_ granularity: Granularity, _ filter: UsageFilter) throws -> [UsageAggregate] {
        var all: [UsageAggregate] = []
        var cursor: UsageCursor?
        repeat {
          let page = try reader.aggregates(
            windows: windows, granularity: granularity, filter: filter, after: cursor, limit: 7)
          all += page.aggregates
          cursor = page.next
        } while cursor != nil
        return all
      }
      let everything = UsageFilter(subscriptions: nil, meters: nil)
      let filter = UsageFilter(tenancies: tenancies, meters: nil)
      let hourly = try walk(.hourly, everything).filter(isVisible)
      #expect(hourly.count > 100)
      #expect(try walk(.hourly, filter) == hourly)

      var sums: [String: Int128] = [:]
      for row in hourly {
        let day = "\(row.window.day) \(row.series.resource.uri) \(row.usageStart.hour.day)"
        sums[day, default: 0] += row.quantity.attos
      }
      var daily: [String: Int128] = [:]
      for row in try walk(.daily, filter) {
        let day = "\(row.window.day) \(row.series.resource.uri) \(row.usageStart.hour.day)"
        #expect(daily.updateValue(row.quantity.attos, forKey: day) == nil)
      }
      #expect(daily == sums)

      for hours in [Hour(index: 101)..<Hour(index: 160), Hour(index: 115)..<Hour(index: 131)] {
        let totals = try reader.totals(
          hours: hours, byDay: false, bySubscription: true, filter: filter, limit: 99)
        var expected: [String: Int128] = [:]
        for row in hourly where hours.contains(row.usageStart.hour) {
          expected[row.series.subscription, default: 0] += row.quantity.attos
        }
        let found = totals.map { ($0.subscription ?? "", $0.quantity.attos) }
        #expect(Dictionary(uniqueKeysWithValues: found) == expected)
      }
    }
  }
}
