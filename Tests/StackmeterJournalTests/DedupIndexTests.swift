import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct DedupIndexTests {
  private struct Identity: Hashable {
    let source: String
    let id: String
    let hour: Hour
  }

  /// The index as a plain dictionary.
  private struct Reference {
    var known: [Identity: (position: UInt64, event: UsageEvent)] = [:]

    mutating func insert(_ event: UsageEvent, position: UInt64) -> DedupIndex.Answer {
      let identity = Identity(source: event.source, id: event.id, hour: event.usageStart.hour)
      if let first = known[identity] {
        return first.event == event
          ? .duplicate(position: first.position) : .conflict(position: first.position)
      }
      known[identity] = (position, event)
      return .new
    }
  }

  private func randomEvent(_ random: inout SeededRandom) -> UsageEvent {
    let start = Instant(seconds: 3600 * Int64.random(in: 0..<4, using: &random))
    return UsageEvent(
      id: "id\(Int.random(in: 0..<30, using: &random))",
      source: ["a", "ab"].randomElement(using: &random)!,
      series: Series(
        subscription: "s", meter: "m",
        resource: Resource(uri: "/r\(Int.random(in: 0..<2, using: &random))")),
      usageStart: start, usageEnd: start.advanced(by: .seconds(60)),
      quantity: Quantity(Int32.random(in: 1...2, using: &random)))
  }

  private func insert(
    _ event: UsageEvent, _ index: inout DedupIndex, position: UInt64
  ) -> DedupIndex.Answer {
    let batch = EventBatchBuilder([event]).batches[0].batch
    let digest = index.digest(event.series)
    return index.insert(batch, 0, seriesDigest: digest, position: position)
  }

  @Test func `it answers as a plain dictionary does`() throws {
    try withSeededRandom { random in
      for _ in 0..<20 {
        var index = DedupIndex(key: (random.next(), random.next()))
        var reference = Reference()
        for position in 1...400 as ClosedRange<UInt64> {
          if Int.random(in: 0..<50, using: &random) == 0 {
            let limit = Hour(index: Int64.random(in: 0..<4, using: &random)).start
            index.forget(before: limit)
            reference.known = reference.known.filter { $0.key.hour.start >= limit }
          }
          let event = randomEvent(&random)
          let answer = insert(event, &index, position: position)
          let count = index.count
          try #require(answer == reference.insert(event, position: position))
          try #require(count == reference.known.count)
        }
      }
    }
  }

  @Test func `an index that is filled from a log answers the same`() throws {
    try withSeededRandom { random in
      let disk = SimulatedDisk()
      var log = try TestLog.open(disk)
      var index = DedupIndex(key: (1, 2))
      var events: [UsageEvent] = []
      for _ in 0..<200 {
        let event = randomEvent(&random)
        events.append(event)
        guard insert(event, &index, position: log.nextPosition) == .new else { continue }
        log.append(
          Record(
            kind: .batch, count: 1, firstPosition: log.nextPosition,
            firstTime: log.lastTime.advanced(by: .nanoseconds(1)),
            payload: EventBatchBuilder([event]).batches[0].batch.journalPayload()))
        try log.commit()
      }
      // Another process has another key.
      var rebuilt = DedupIndex(key: (3, 4))
      for entry in try TestLog.entries(disk) {
        let batch = try #require(EventBatch(journalPayload: entry.payload[...]))
        let digest = rebuilt.digest(batch.series[0])
        _ = rebuilt.insert(batch, 0, seriesDigest: digest, position: entry.position)
      }
      for event in events {
        let answer = insert(event, &rebuilt, position: 0)
        try #require(answer == insert(event, &index, position: 0))
        try #require(answer != .new)
      }
    }
  }

  @Test func `source and id never run into each other`() {
    var index = DedupIndex(key: (1, 2))
    var random = SeededRandom(seed: 1)
    var event = randomEvent(&random)
    (event.source, event.id) = ("ab", "c")
    #expect(insert(event, &index, position: 1) == .new)
    (event.source, event.id) = ("a", "bc")
    #expect(insert(event, &index, position: 2) == .new)
  }

  @Test func `the case of a meter makes no conflict and that of a resource does`() {
    var index = DedupIndex(key: (1, 2))
    var random = SeededRandom(seed: 1)
    var event = randomEvent(&random)
    #expect(insert(event, &index, position: 1) == .new)
    event.series.meter = "M"
    #expect(insert(event, &index, position: 2) == .duplicate(position: 1))
    event.series.resource.uri = event.series.resource.uri.uppercased()
    #expect(insert(event, &index, position: 3) == .conflict(position: 1))
  }
}
