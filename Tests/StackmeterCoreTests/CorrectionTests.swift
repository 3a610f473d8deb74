import StackmeterCore
import StackmeterTesting
import Testing

@Suite struct CorrectionTests {
  private let hour = Hour(index: 490_000)

  private func event(
    _ id: String, _ quantity: Quantity, meter: String = "m", minutes: Int = 60,
    _ correction: Correction? = nil
  ) -> UsageEvent {
    UsageEvent(
      id: id, source: "p",
      series: Series(subscription: "s", meter: meter, resource: Resource(uri: "/r")),
      usageStart: hour.start, usageEnd: hour.start.advanced(by: .seconds(60 * minutes)),
      quantity: quantity, correction: correction)
  }

  private func rows(_ batch: EventBatch) -> [UsageEvent] {
    (0..<batch.count).map { batch.event($0) }
  }

  /// What events count, by series and hour, without zeros.
  private func sums(_ events: [UsageEvent]) -> [Series: [Hour: Quantity]] {
    var sums: [Series: [Hour: Quantity]] = [:]
    for event in events {
      for (hour, part) in UsageSplit(
        start: event.usageStart, end: event.usageEnd, quantity: event.quantity)
      {
        let sum = sums[event.series, default: [:]][hour, default: .zero].adding(part)!
        sums[event.series, default: [:]][hour] = sum == .zero ? nil : sum
      }
    }
    return sums.filter { !$0.value.isEmpty }
  }

  @Test func `an empty field of the two is absent, and both are contradictory`() {
    #expect(Correction(replaces: "", voids: "") == nil)
    #expect(Correction(replaces: "a", voids: "") == Correction(.replaces, "a"))
    #expect(Correction(replaces: "", voids: "a") == Correction(.voids, "a"))
    #expect(Correction(replaces: "a", voids: "b")?.kind == .contradictory)
    for kind in Correction.Kind.allCases {
      let correction = Correction(kind, "a")
      #expect(
        Correction(replaces: correction.replaces, voids: correction.voids) == correction)
    }
  }

  @Test func `the numbers of the kinds never change`() {
    #expect(Correction.Kind.allCases.map(\.rawValue) == [1, 2, 3])
  }

  @Test func `targets and identities that differ in bytes are different`() {
    #expect(Correction(.voids, "\u{E9}") != Correction(.voids, "e\u{301}"))
    #expect(Correction(.voids, "a") != Correction(.replaces, "a"))
    let identities: Set = [
      EventIdentity(source: "p", id: "\u{E9}", hour: hour),
      EventIdentity(source: "p", id: "e\u{301}", hour: hour),
      EventIdentity(source: "\u{E9}", id: "p", hour: hour),
      EventIdentity(source: "p", id: "\u{E9}", hour: hour.next),
    ]
    #expect(identities.count == 4)
    #expect(event("a", .zero, Correction(.voids, "b")) != event("a", .zero))
  }

  @Test func `a correction is found by its event, in a batch and in a batch that it is moved to`() {
    let events = (0..<50).map { index in
      event(
        "\(index)", Quantity(1), index % 7 == 3 ? Correction(.replaces, "x\(index)") : nil)
    }
    let batch = EventBatchBuilder(events).batches[0].batch
    #expect(batch.corrections.count == 7)
    #expect(rows(batch) == events)
    var moved = EventBatch(source: "p", series: batch.series)
    for index in [3, 4, 10] { moved.append(index, of: batch, seriesIndex: 0) }
    #expect(rows(moved) == [events[3], events[4], events[10]])
    #expect(EventBatch(events[3]).event(0) == events[3])
    #expect(EventBatchBuilder([event("a", .zero)]).batches[0].batch.corrections.isEmpty)
  }

  @Test func `an event and its correction have one target of one source and hour`() {
    let void = event("v", .zero, Correction(.voids, "e"))
    #expect(void.targetIdentity == event("e", .zero).identity)
    #expect(event("e", .zero).targetIdentity == nil)
  }

  @Test func `a void counts what its target counted, negated`() {
    let target = event("e", Quantity(5))
    let deltas = event("v", .zero, Correction(.voids, "e")).canonicalVoid.deltas(
      correcting: target)
    var negation = target
    negation.id = "v"
    negation.quantity = Quantity(-5)
    #expect(rows(deltas) == [negation])
  }

  @Test func `a replacement of the same usage within an hour counts the difference`() {
    let deltas = event("r", Quantity(7), Correction(.replaces, "e")).deltas(
      correcting: event("e", Quantity(5)))
    #expect(rows(deltas) == [event("r", Quantity(2))])
  }

  @Test func `a replacement of other usage counts the negation and then itself`() {
    let target = event("e", Quantity(5), meter: "n", Correction(.replaces, "d"))
    let deltas = event("r", Quantity(7), Correction(.replaces, "e")).deltas(correcting: target)
    #expect(
      rows(deltas) == [event("r", Quantity(-5), meter: "n"), event("r", Quantity(7))])
    #expect(deltas.corrections.isEmpty)
  }

  @Test func `the parts of hours are exactly those of the replacement`() throws {
    // A third of 1 and of 2 are truncated, and so is a third of the difference.
    let target = event("e", Quantity(2), minutes: 180)
    let replacement = event("r", Quantity(1), minutes: 180, Correction(.replaces, "e"))
    let deltas = replacement.deltas(correcting: target)
    #expect(deltas.count == 2)
    #expect(sums([target] + rows(deltas)) == sums([replacement]))
  }

  @Test func `any chain of corrections counts what its last says`() throws {
    try withSeededRandom { random in
      for _ in 0..<500 {
        func any(_ id: String, _ correction: Correction?) -> UsageEvent {
          event(
            id, Quantity(attos: Int128.random(in: -99...99, using: &random))!,
            meter: ["m", "n"].randomElement(using: &random)!,
            minutes: Int.random(in: 0...200, using: &random), correction)
        }
        var last = any("0", nil)
        var counted = [last]
        for index in 1...Int.random(in: 1...5, using: &random) {
          let next = any("\(index)", Correction(.replaces, last.id))
          counted += rows(next.deltas(correcting: last))
          last = next
        }
        try #require(sums(counted) == sums([last]))
        let void = any("v", Correction(.voids, last.id)).canonicalVoid
        counted += rows(void.deltas(correcting: last))
        try #require(sums(counted).isEmpty)
      }
    }
  }
}
