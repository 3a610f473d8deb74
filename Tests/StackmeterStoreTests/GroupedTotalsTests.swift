import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite(.timeLimit(.minutes(2))) struct GroupedTotalsTests {
  private static func series(
    _ subscription: String, _ group: String, _ location: String, _ tags: String, _ name: String
  ) -> Series {
    Series(
      subscription: subscription, meter: "cpu",
      resource: Resource(
        uri: "/subscriptions/\(subscription)/RESOURCEGROUPS/\(group)/vm/\(name)",
        location: location, tags: tags))
  }

  @Test(arguments: Engine.allCases)
  func `totals are by any groupings, with nothing where there is nothing`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let (a, b, c) = (
        Self.series("a", "Rg", "north", #"{"env":"prod"}"#, "1"),
        Self.series("a", "other", "south", #"{"env":"test"}"#, "2"),
        Series(subscription: "b", meter: "cpu", resource: Resource(uri: "/plain"))
      )
      try store.commit(
        [
          (499_655, a, 499_655, Quantity(1)), (499_656, a, 499_656, Quantity(2)),
          (499_656, b, 499_655, Quantity(4)), (499_657, c, 499_656, Quantity(8)),
        ], next: 2, open: 499_657)
      try store.replaceDirectory(
        SubscriptionDirectory(
          json: Array(
            #"""
            {"subscriptions": [{"id": "a", "owner": "ann", "costCenter": "77",
              "tags": {"department": "it"}}]}
            """#.utf8)))
      let reader = try place.reader()
      func totals(
        _ groupings: [Grouping], axis: TimeAxis = .usage, asOf: Int64? = nil,
        _ select: (inout SeriesSelection) -> Void = { _ in }
      ) throws -> [String] {
        var selection = SeriesSelection()
        select(&selection)
        return try reader.totals(
          TotalsScan(
            axis: axis, hours: Hour(index: 499_600)..<Hour(index: 499_700), groupings: groupings,
            filter: UsageFilter(subscriptions: nil, meters: nil, series: selection),
            asOf: asOf.map { Hour(index: $0) }), limit: 100
        ).map { total in
          let names = total.groups.map { $0 ?? "-" }
          return (total.period.map { ["\($0)"] } ?? []).joined() + "|"
            + names.joined(separator: ",") + "|\(total.quantity)" + (total.isProvisional ? "*" : "")
        }
      }
      #expect(try totals([]) == ["||15*"])
      #expect(try totals([.subscription]) == ["|a|7", "|b|8*"])
      #expect(try totals([.resourceGroup]) == ["|-|8*", "|other|4", "|rg|3"])
      #expect(
        try totals([.location, .tag("env")]) == ["|-,-|8*", "|north,prod|3", "|south,test|4"])
      #expect(
        try totals([.owner, .costCenter, .subscriptionTag("department")])
          == ["|-,-,-|8*", "|ann,77,it|7"])
      #expect(try totals([.resource]) { $0.resourceURIs = ["/plain"] } == ["|/plain|8*"])
      // 499,656 is the first hour of a month.
      #expect(
        try totals([.month])
          == ["2026-12-01T00:00:00Z||5", "2027-01-01T00:00:00Z||10*"])
      #expect(
        try totals([.hour], axis: .reported)
          == [(499_655, "1"), (499_656, "6"), (499_657, "8*")].map {
            (hour: Int64, quantity: String) in
            "\(Hour(index: hour))||\(quantity)"
          })
      #expect(try totals([.subscription], asOf: 499_656) == ["|a|1"])
      #expect(try totals([.subscription], asOf: 499_657) == ["|a|7"])
      #expect(try totals([.tag("env")]) { $0.resourceGroups = ["rg"] } == ["|prod|3"])
      #expect(try totals([.location]) { $0.locations = ["none"] } == [])
    }
  }
}
