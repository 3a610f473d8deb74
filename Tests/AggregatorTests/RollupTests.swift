import StackmeterCore
import StackmeterJournal
import StackmeterStore
import StackmeterTesting
import Testing

@testable import AggregatorServer

/// Journal records for the tests of this target.
enum Sample {
  static let start = Hour(index: 498_736)

  static func event(
    _ id: String, _ quantity: Quantity = Quantity(1), subscription: String = "a",
    from: Instant = start.start, for duration: Duration = .seconds(60)
  ) -> UsageEvent {
    UsageEvent(
      id: id, source: "test",
      series: Series(subscription: subscription, meter: "cpu", resource: Resource(uri: "/r")),
      usageStart: from, usageEnd: from.advanced(by: duration), quantity: quantity)
  }

  static func record(_ events: [UsageEvent], at position: UInt64, time: Instant) -> Record {
    let batch = EventBatchBuilder(events).batches[0].batch
    return Record(
      kind: .batch, count: UInt32(events.count), firstPosition: position, firstTime: time,
      payload: batch.journalPayload())
  }

  static func tick(at position: UInt64, time: Instant) -> Record {
    Record(kind: .tick, count: 0, firstPosition: position, firstTime: time, payload: [])
  }
}

@Suite struct RollupTests {
  /// A rollup and its series, as the aggregator has them.
  private struct Pair {
    var rollup = Rollup(
      from: PipelinePosition(
        nextPosition: 1, reportedTime: Instant(nanoseconds: 0), openWindow: Hour(index: 0))
    ) { _ in .sum }
    var index = SeriesIndex(seed: 7)

    var position: PipelinePosition { rollup.position }
    var events: UInt64 { rollup.events }
    /// The sums by window, subscription (in place of the number) and hour.
    var deltas: [Key: Quantity] {
      var deltas: [Key: Quantity] = [:]
      for window in rollup.windows {
        for entry in window.sums.entries {
          let name = index.series(at: entry.slot).subscription
          deltas[
            Key(window: window.window, subscription: name, usageHour: Hour(index: entry.hour))] =
            Quantity(attos: entry.sum)
        }
      }
      return deltas
    }

    mutating func apply(
      _ record: Record, sizeMax: Int = .max, eventsMax: UInt64 = .max
    ) throws(RollupError) -> Bool {
      try rollup.apply(record, &index, sizeMax: sizeMax, eventsMax: eventsMax)
    }

    /// As after a commit.
    mutating func goOn() {
      rollup = Rollup(from: rollup.position) { _ in .sum }
    }
  }

  private struct Key: Hashable {
    let window: Hour
    let subscription: String
    let usageHour: Hour
  }

  private func rollup(_ records: [Record]) throws -> Pair {
    var pair = Pair()
    for record in records {
      let isWhole = try pair.apply(record)
      try #require(isWhole)
    }
    return pair
  }

  private func key(_ window: Hour, _ hour: Hour, _ subscription: String = "a") -> Key {
    Key(window: window, subscription: subscription, usageHour: hour)
  }

  @Test func `events of one series, hour and window become one delta`() throws {
    let time = Sample.start.start.advanced(by: .seconds(100))
    let result = try rollup([
      Sample.record([Sample.event("1"), Sample.event("2", Quantity(-3))], at: 1, time: time),
      Sample.record(
        [Sample.event("3", Quantity(9), subscription: "b")], at: 3,
        time: time.advanced(by: .seconds(1))),
    ])
    #expect(
      result.deltas == [
        key(Sample.start, Sample.start): Quantity(-2),
        key(Sample.start, Sample.start, "b"): Quantity(9),
      ])
    #expect(result.position.nextPosition == 4)
    #expect(result.position.openWindow == Sample.start)
    #expect(result.events == 3)
  }

  @Test func `usage over several hours is split exactly, in the window that reported it`() throws {
    let result = try rollup([
      Sample.record(
        [
          Sample.event(
            "1", Quantity(1), from: Sample.start.start.advanced(by: .seconds(-1800)),
            for: .seconds(5400))
        ], at: 1, time: Sample.start.end.advanced(by: .seconds(5)))
    ])
    let window = Sample.start.next
    #expect(
      result.deltas.mapValues(\.description) == [
        key(window, Hour(index: Sample.start.index - 1)): "0.333333333333333333",
        key(window, Sample.start): "0.666666666666666667",
      ])
  }

  @Test func `a record across the end of an hour counts in two windows`() throws {
    let last = Sample.start.end.advanced(by: .nanoseconds(-1))
    let result = try rollup([
      Sample.record([Sample.event("1"), Sample.event("2")], at: 1, time: last)
    ])
    #expect(
      result.deltas == [
        key(Sample.start, Sample.start): Quantity(1),
        key(Sample.start.next, Sample.start): Quantity(1),
      ])
    #expect(result.position.openWindow == Sample.start.next)
  }

  @Test func `a tick closes the windows before it and counts nothing`() throws {
    let result = try rollup([
      Sample.record([Sample.event("1")], at: 1, time: Sample.start.start),
      Sample.tick(at: 2, time: Hour(index: Sample.start.index + 30).start),
    ])
    #expect(result.position.openWindow == Hour(index: Sample.start.index + 30))
    #expect(result.position.nextPosition == 2)
    #expect(result.events == 1)
  }

  @Test func `a record that was applied adds nothing when it comes again`() throws {
    let first = Sample.record([Sample.event("1")], at: 1, time: Sample.start.start)
    let second = Sample.record(
      [Sample.event("2")], at: 2, time: Sample.start.start.advanced(by: .seconds(1)))
    let once = try rollup([first, second])
    let again = try rollup([first, second, first, second])
    #expect(again.deltas == once.deltas)
    #expect(again.position == once.position)
    #expect(again.events == once.events)
  }

  @Test func `a record of very many aggregates is applied in parts, each exactly once`() throws {
    let record = Sample.record(
      (0..<10).map { Sample.event("\($0)", from: Hour(index: Sample.start.index - $0).start) },
      at: 1, time: Sample.start.end.advanced(by: .nanoseconds(-4)))
    let whole = try rollup([record])
    var sums: [Key: Quantity] = [:]
    var part = Pair()
    var parts = 1
    while try !part.apply(record, sizeMax: 3) {
      #expect(part.deltas.count == 3)
      // A window closes only once all that was reported in it is applied.
      if parts == 1 { #expect(part.position.openWindow == Sample.start) }
      sums.merge(part.deltas) { $0.adding($1)! }
      part.goOn()
      parts += 1
    }
    sums.merge(part.deltas) { $0.adding($1)! }
    #expect(parts == 4)
    #expect(sums == whole.deltas)
    #expect(part.position == whole.position)
  }

  /// A replacement of event 1, which is of subscription a, by one of subscription b.
  private func replacement(at position: UInt64, time: Instant) -> Record {
    var event = Sample.event("2", Quantity(7), subscription: "b")
    event.correction = Correction(.replaces, "1")
    return Record(
      AppliedCorrection(event, of: Sample.event("1", Quantity(5)), at: 1), position: position,
      time: time)
  }

  @Test func `a correction counts its deltas in one window, at the end of an hour too`() throws {
    let result = try rollup([
      Sample.record([Sample.event("1", Quantity(5))], at: 1, time: Sample.start.start),
      replacement(at: 2, time: Sample.start.next.end.advanced(by: .nanoseconds(-1))),
    ])
    #expect(
      result.deltas == [
        key(Sample.start, Sample.start): Quantity(5),
        key(Sample.start.next, Sample.start): Quantity(-5),
        key(Sample.start.next, Sample.start, "b"): Quantity(7),
      ])
    #expect(result.position.nextPosition == 4)
    #expect(result.position.openWindow == Sample.start.next.next)
  }

  @Test func `a correction is applied whole, however little room is left`() throws {
    var pair = Pair()
    let record = replacement(at: 1, time: Sample.start.start)
    #expect(try !pair.apply(record, sizeMax: 0))
    #expect(pair.deltas.isEmpty && pair.position.nextPosition == 1)
    #expect(try pair.apply(record, sizeMax: 1))
    #expect(pair.deltas.count == 2 && pair.position.nextPosition == 3)
    #expect(try pair.apply(record, sizeMax: 1))
    #expect(pair.deltas.count == 2)
  }

  @Test func `parked corrections count nothing and move the position`() throws {
    var event = Sample.event("2")
    event.correction = Correction(.voids, "1")
    let time = Sample.start.start
    let result = try rollup([
      Record(parked: event.canonicalVoid, position: 1, time: time),
      Record(
        unparked: [Unparked(position: 1, reason: .unknownTarget)], position: 2,
        time: time.advanced(by: .seconds(1))),
    ])
    #expect(result.deltas.isEmpty && result.events == 0)
    #expect(result.position.nextPosition == 2)
    #expect(result.position.reportedTime == time.advanced(by: .seconds(1)))
  }

  @Test func `a gap in the journal is an error, not a loss`() throws {
    #expect(throws: RollupError.gap(expected: 1, found: 2)) {
      try rollup([Sample.record([Sample.event("1")], at: 2, time: Sample.start.start)])
    }
  }

  @Test func `a record that cannot be read is an error that names its position`() throws {
    let broken = Record(
      kind: .batch, count: 1, firstPosition: 1, firstTime: Sample.start.start, payload: [1, 2, 3])
    #expect(throws: RollupError.undecodable(position: 1)) { try rollup([broken]) }
    let correction = Record(
      kind: .correction, count: 1, firstPosition: 1, firstTime: Sample.start.start, payload: [1])
    #expect(throws: RollupError.undecodable(position: 1)) { try rollup([correction]) }
  }

  @Test func `any order of cuts into records gives the same sums`() throws {
    try withSeededRandom { random in
      for _ in 0..<50 {
        let events = (0..<Int.random(in: 1...40, using: &random)).map { index in
          Sample.event(
            "\(index)", Quantity(Int32.random(in: -100...100, using: &random)),
            subscription: ["a", "b", "c"].randomElement(using: &random)!,
            from: Sample.start.start.advanced(
              by: .seconds(Int.random(in: -90_000...0, using: &random))),
            for: .seconds(Int.random(in: 0...20_000, using: &random)))
        }
        // A plain reference: the total of each subscription.
        var expected: [String: Quantity] = [:]
        for event in events {
          let name = event.series.subscription
          expected[name] = expected[name, default: .zero].adding(event.quantity)
        }
        var records: [Record] = []
        var position: UInt64 = 1
        var rest = events[...]
        while !rest.isEmpty {
          let count = Int.random(in: 1...rest.count, using: &random)
          records.append(
            Sample.record(
              Array(rest.prefix(count)), at: position,
              time: Sample.start.start.advanced(by: .seconds(Int(position) * 600))))
          position += UInt64(count)
          rest = rest.dropFirst(count)
        }
        var sums: [String: Quantity] = [:]
        for (key, delta) in try rollup(records).deltas {
          sums[key.subscription] = sums[key.subscription, default: .zero].adding(delta)
        }
        try #require(sums == expected)
      }
    }
  }
}
