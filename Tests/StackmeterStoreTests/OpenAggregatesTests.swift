import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

@Suite(.timeLimit(.minutes(2))) struct OpenAggregatesTests {
  private func key(_ number: Int64) -> SeriesHour {
    SeriesHour(series: number, usageHour: Hour(index: 100))
  }

  @Test
  func `what was written is known, and what was not is asked for unless the window was empty`() {
    var open = OpenAggregates()
    #expect(open.look([key(1)]).missing == [0])
    open.begin(Hour(index: 100), isEmpty: false)
    open.remember(Quantity(5), of: key(2))
    let looked = open.look([key(1), key(2), key(3)])
    #expect(looked.known == [nil, Quantity(5), nil])
    #expect(looked.missing == [0, 2])
    open.begin(Hour(index: 101), isEmpty: true)
    #expect(open.look([key(2)]).known == [nil])
    #expect(open.look([key(2)]).missing == [])
    open.forget()
    #expect(open.window == nil)
    #expect(open.look([key(2)]).missing == [0])
  }

  @Test func `past its limit it forgets, and asks again`() {
    var open = OpenAggregates(entriesMax: 3)
    open.begin(Hour(index: 100), isEmpty: true)
    for number in Int64(1)...3 { open.remember(Quantity(1), of: key(number)) }
    #expect(open.look([key(1), key(9)]).missing == [])
    open.remember(Quantity(1), of: key(4))
    #expect(open.look([key(1), key(4), key(9)]).missing == [0, 2])
  }

  @Test func `a transaction that was rolled back is not remembered`() async throws {
    try await withDatabase(.postgresql) { place in
      let store = try place.store()
      try store.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 100)
      let number = try #require(try place.reader().series(after: 0, limit: 1).first).number
      let (window, key) = (
        Hour(index: 100), SeriesHour(series: number, usageHour: Hour(index: 100))
      )
      for _ in 0..<2 {
        try store.begin()
        #expect(try store.aggregates(of: window, [key]) == [Quantity(1)])
        try store.put(aggregates: [(key, Quantity(9))], of: window)
        #expect(try store.aggregates(of: window, [key]) == [Quantity(9)])
        store.rollback()
      }
      // A window that was never written is known to be empty, until it is written.
      try store.begin()
      let other = Hour(index: 101)
      #expect(try store.aggregates(of: other, [key]) == [nil])
      try store.put(aggregates: [(key, Quantity(3))], of: other)
      #expect(try store.aggregates(of: other, [key]) == [Quantity(3)])
      #expect(try store.aggregates(of: window, [key]) == [Quantity(1)])
      store.rollback()
      try store.commit([(100, Sample.series("a"), 100, Quantity(2))], next: 3, open: 100)
      #expect(try place.reader().all().map(\.quantity) == [Quantity(3)])
    }
  }
}
