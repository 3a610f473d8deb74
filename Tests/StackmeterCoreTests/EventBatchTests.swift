import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct EventBatchTests {
  private func event(_ id: String, source: String = "p", meter: String = "m", _ quantity: Int32 = 1)
    -> UsageEvent
  {
    UsageEvent(
      id: id, source: source,
      series: Series(subscription: "s", meter: meter, resource: Resource(uri: "/r")),
      usageStart: Instant(seconds: 3600), usageEnd: Instant(seconds: 7200),
      quantity: Quantity(quantity))
  }

  @Test func `events become one batch for each source, in order`() {
    let events = [
      event("a", source: "p"), event("b", source: "q"), event("", source: "p", meter: "n"),
      event("é", source: "p"), event("e", source: "q"),
    ]
    let batches = EventBatchBuilder(events).batches
    #expect(batches.map(\.batch.source) == ["p", "q"])
    #expect(batches.map(\.requestIndices) == [[0, 2, 3], [1, 4]])
    #expect(batches.map(\.batch.series.count) == [2, 1])
    #expect(batches[0].batch.seriesIndex == [0, 1, 0])
    for sourced in batches {
      let (batch, indices) = (sourced.batch, sourced.requestIndices)
      #expect((0..<batch.count).map { batch.event($0) } == indices.map { events[$0] })
    }
    #expect(EventBatchBuilder([]).batches.isEmpty)
  }

  @Test func `sources that differ in bytes are different sources`() {
    let batches = EventBatchBuilder([
      event("a", source: "\u{E9}"), event("a", source: "e\u{301}"),
    ]).batches
    #expect(batches.count == 2)
    #expect(event("\u{E9}") != event("e\u{301}"))
    #expect(event("a", source: "\u{E9}") != event("a", source: "e\u{301}"))
    #expect(Set([event("\u{E9}"), event("e\u{301}")]).count == 2)
  }

  @Test func `a batch in which every event has its own series is built in linear time`() {
    let events = (0..<EventLimits.batchEventsMax).map { event("\($0)", meter: "m\($0)") }
    let batches = EventBatchBuilder(events).batches
    #expect(batches.count == 1)
    #expect(batches[0].batch.series.count == EventLimits.batchEventsMax)
    #expect(batches[0].batch.event(9999) == events[9999])
  }

  @Test func `any events are found again in their batches`() throws {
    try withSeededRandom { random in
      for _ in 0..<50 {
        let events = (0..<Int.random(in: 0...200, using: &random)).map { _ in
          event(
            String(repeating: "x", count: Int.random(in: 0...5, using: &random)),
            source: "p\(Int.random(in: 0...3, using: &random))",
            meter: "m\(Int.random(in: 0...20, using: &random))", .random(in: -9...9, using: &random)
          )
        }
        var found = 0
        for sourced in EventBatchBuilder(events).batches {
          let (batch, indices) = (sourced.batch, sourced.requestIndices)
          try #require(batch.count == indices.count)
          try #require(Set(batch.series).count == batch.series.count)
          for (position, index) in indices.enumerated() {
            try #require(batch.event(position) == events[index])
          }
          found += batch.count
        }
        try #require(found == events.count)
      }
    }
  }

  @Test func `an event is appended from another batch`() {
    let source = EventBatchBuilder([event("first"), event("second", meter: "n", 7)]).batches[0]
      .batch
    var batch = EventBatch(source: "p", series: [source.series[1]])
    batch.append(1, of: source, seriesIndex: 0)
    #expect(batch.count == 1 && batch.id(0) == "second")
    #expect(batch.event(0) == source.event(1))
  }

  @Test func `a quantity that is none is kept as such and reads as zero`() {
    var batch = EventBatch(source: "p", series: [event("a").series])
    batch.append(
      id: "a".utf8, seriesIndex: 0, usageStart: 0, usageEnd: 0, attos: EventBatch.notAQuantity)
    #expect(Quantity(attos: batch.attos[0]) == nil)
    #expect(batch.event(0).quantity == .zero)
  }
}
