import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// What a verification reads beside the windows: every series, and what was kept aside.
@Suite(.timeLimit(.minutes(2))) struct AuditedContentTests {
  @Test(arguments: Engine.allCases)
  func `all series are walked in the order of their numbers, in pages of any size`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      let series = ["b", "a", "b", "c", "a"].enumerated().map { place, name in
        Sample.series(name, meter: place % 2 == 0 ? "cpu" : "DISK", uri: "/\(place)")
      }
      try store.commit(
        series.enumerated().map { (100 + Int64($0 / 2), $1, 100, Quantity(1)) }, next: 9, open: 103)
      let reader = try place.reader()
      let all = try reader.series(after: 0, limit: 100)
      #expect(all.map(\.number) == all.map(\.number).sorted())
      // Subscriptions are numbered as they come, and series within them.
      #expect(all.map(\.series.resource.uri) == ["/0", "/2", "/1", "/4", "/3"])
      #expect(Set(all.map(\.series)) == Set(series))
      #expect(all.map(\.firstWindow.index) == [100, 101, 100, 102, 101])
      #expect(all.allSatisfy { $0.firstPosition == 8 })
      for size in 1...6 {
        var walked: [StoredSeries] = []
        while true {
          let page = try reader.series(after: walked.last?.number ?? 0, limit: size)
          walked += page
          if page.count < size { break }
        }
        #expect(walked == all)
      }
      let last = try #require(all.last).number
      #expect(try reader.series(after: last, limit: 1).isEmpty)
    }
  }

  @Test(arguments: Engine.allCases)
  func `what was kept aside is listed in the order in which that happened`(engine: Engine)
    async throws
  {
    try await withDatabase(engine) { place in
      let store = try place.store()
      try store.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 100)
      let number = try #require(try place.reader().series(after: 0, limit: 1).first).number
      func aside(_ place: Int64, _ position: UInt64, _ series: Int64?) -> UnappliedQuantity {
        UnappliedQuantity(
          window: Hour(index: 100), series: series, usageHour: Hour(index: 90 + place),
          quantity: place == 2 ? .max : Quantity(Int32(-place)), position: position,
          reason: "too large: é \"\(place)\"")
      }
      let first = [aside(1, .max, number), aside(2, 7, nil)]
      let second = [aside(3, 3, number)]
      for more in [first, second] {
        try store.begin()
        try store.keepAside(more)
        try store.commit(Sample.position(2, open: 100))
      }
      let reader = try place.reader()
      #expect(try reader.unapplied(limit: 9) == first + second)
      #expect(try reader.unapplied(limit: 2) == first)
      #expect(try reader.unappliedCount() == 3)
      #expect(try reader.unapplied(limit: 0).isEmpty)
    }
  }

  @Test func `series and what was kept aside are those of the own cell`() async throws {
    try await withDatabase(.postgresql) { place in
      for (cell, name) in [("local", "a"), ("south", "b")] {
        let store = try place.store(cell: cell)
        try store.commit([(100, Sample.series(name), 100, Quantity(1))], next: 2, open: 100)
        try store.begin()
        try store.keepAside([
          UnappliedQuantity(
            window: Hour(index: 100), series: nil, usageHour: Hour(index: 100),
            quantity: Quantity(1), position: 1, reason: cell)
        ])
        try store.commit(Sample.position(2, open: 100))
      }
      let reader = try place.reader()
      #expect(try reader.series(after: 0, limit: 9).map(\.series.subscription) == ["a"])
      #expect(try reader.unapplied(limit: 9).map(\.reason) == ["local"])
      #expect(try reader.unappliedCount() == 1)
    }
  }
}
