import StackmeterCore
import StackmeterJournal
import Testing

@testable import CollectorServer

@Suite struct CorrectionLedgerTests {
  private func correction(
    _ id: String, _ kind: Correction.Kind, _ target: String, source: String = "vm",
    start: Instant = Fixture.now.advanced(by: .seconds(-3600))
  ) -> UsageEvent {
    var event = Fixture.event(id, source: source, start: start, quantity: 3)
    event.correction = Correction(kind, target)
    return kind == .voids ? event.canonicalVoid : event
  }

  private func refusal(_ decision: CorrectionLedger.Decision) throws -> Refusal {
    guard case .refuse(let refusal) = decision else {
      throw ExpectedRefusal(decision: decision)
    }
    return refusal
  }

  private struct ExpectedRefusal: Error {
    let decision: CorrectionLedger.Decision
  }

  /// A history of one event, `e`, at position 5.
  private func history() -> MemoryHistory {
    var history = MemoryHistory()
    history.add(Fixture.event("e"), at: 5)
    return history
  }

  @Test func `a correction of what is known takes effect at once`() {
    var (ledger, history) = (CorrectionLedger(), history())
    let void = correction("v", .voids, "e")
    let decision = ledger.take(void, nextPosition: 9, &history)
    #expect(
      decision == .take([.apply(AppliedCorrection(void, of: Fixture.event("e"), at: 5))]))
    #expect(history.corrections == [Fixture.event("e").identity: 9])
    #expect(ledger.count == 0)
  }

  @Test func `a second correction is told where the first stands`() throws {
    var (ledger, history) = (CorrectionLedger(), history())
    _ = ledger.take(correction("v", .voids, "e"), nextPosition: 9, &history)
    let told = try refusal(ledger.take(correction("r", .replaces, "e"), nextPosition: 10, &history))
    #expect(
      told
        == Refusal(
          .alreadyCorrected, field: "replaces",
          "names \"e\", which the correction at position 9 has replaced or voided; that one stands")
    )
  }

  @Test func `a void can not be corrected, in effect or parked`() throws {
    var (ledger, history) = (CorrectionLedger(), history())
    for (index, void) in [correction("v", .voids, "e"), correction("w", .voids, "?")].enumerated() {
      let position = UInt64(9 + index)
      _ = ledger.take(void, nextPosition: position, &history)
      history.add(void, at: position)
      for kind in [Correction.Kind.replaces, .voids] {
        let told = try refusal(
          ledger.take(correction("x", kind, void.id), nextPosition: 20, &history))
        #expect(told.reason == .voidOfVoid && told.field == kind.field)
      }
    }
  }

  @Test func `an event of another source or usage hour is another event`() {
    var (ledger, history) = (CorrectionLedger(), history())
    let others = [
      correction("v", .voids, "e", source: "vn"),
      correction("v", .voids, "e", start: Fixture.now.advanced(by: .seconds(-3601))),
    ]
    for (index, other) in others.enumerated() {
      let decision = ledger.take(other, nextPosition: UInt64(9 + index), &history)
      #expect(decision == .take([.park(other)]))
    }
    #expect(ledger.count == 2)
  }

  @Test func `what waits is applied with its target, and what waits for that`() {
    var (ledger, history) = (CorrectionLedger(), MemoryHistory())
    var (r, q) = (correction("r", .replaces, "e"), correction("q", .replaces, "r"))
    r.series.meter = "memory"
    q.quantity = Quantity(8)
    let late = correction("late", .voids, "e")
    for (index, event) in [q, r, late].enumerated() {
      let position = UInt64(1 + index)
      let decision = ledger.take(event, nextPosition: position, &history)
      #expect(decision == .take([.park(event)]))
      history.add(event, at: position)
    }
    let target = Fixture.event("e")
    #expect(ledger.awaits(target.usageStart.hour))
    let steps = ledger.accepted(target, at: 4, nextPosition: 5, &history)
    // The replacement by another series takes the positions 5 and 6.
    #expect(
      steps == [
        .apply(AppliedCorrection(r, of: target, at: 4)),
        .refuse(
          late, position: 3,
          Refusal(
            .alreadyCorrected, field: "voids",
            "names \"e\", which the correction at position 5 has replaced or voided; that one stands"
          )),
        .apply(AppliedCorrection(q, of: r, at: 2)),
      ])
    #expect(history.corrections == [target.identity: 5, r.identity: 7])
    #expect(ledger.count == 0 && ledger.byteCount == 0 && !ledger.awaits(target.usageStart.hour))
  }

  @Test func `what waits longer than the lateness limit is refused once`() {
    var (ledger, history) = (CorrectionLedger(), MemoryHistory())
    let old = correction("v", .voids, "e")
    let new = correction("v", .voids, "e", start: Fixture.now)
    _ = ledger.take(old, nextPosition: 1, &history)
    _ = ledger.take(new, nextPosition: 2, &history)
    let limit = old.usageStart.hour.start
    let early = ledger.expire(before: limit)
    #expect(early == [])
    let refused = Refusal(
      .unknownTarget, field: "voids",
      "names \"e\", which did not come within the lateness limit")
    let expired = ledger.expire(before: limit.advanced(by: .nanoseconds(1)))
    #expect(expired == [.refuse(old, position: 1, refused)])
    let again = ledger.expire(before: limit.advanced(by: .nanoseconds(1)))
    #expect(again == [] && ledger.count == 1)
  }

  @Test func `a correction of one that was refused is refused`() throws {
    var (ledger, history) = (CorrectionLedger(), MemoryHistory())
    let r = correction("r", .replaces, "e")
    _ = ledger.take(r, nextPosition: 1, &history)
    history.add(r, at: 1)
    _ = ledger.expire(before: Fixture.now)
    let told = try refusal(ledger.take(correction("q", .voids, "r"), nextPosition: 2, &history))
    #expect(
      told
        == Refusal(
          .unknownTarget, field: "voids",
          "names \"r\", which is a correction that was refused itself"))
  }

  @Test func `at most 65,536 corrections wait`() throws {
    var (ledger, history) = (CorrectionLedger(), MemoryHistory())
    #expect(EventLimits.parkedMax == 65_536)
    for index in 0..<EventLimits.parkedMax {
      let event = correction("v\(index)", .voids, "e\(index % 40_000)")
      let decision = ledger.take(event, nextPosition: UInt64(index), &history)
      try #require(decision == .take([.park(event)]))
    }
    let more = correction("more", .voids, "x")
    let told = try refusal(ledger.take(more, nextPosition: 1 << 20, &history))
    #expect(told.reason == .unknownTarget && told.message.contains("65536 corrections wait"))
    // Room for one is made by the target of one.
    _ = ledger.accepted(Fixture.event("e39999"), at: 1 << 20, nextPosition: (1 << 20) + 1, &history)
    let decision = ledger.take(more, nextPosition: 1 << 21, &history)
    #expect(decision == .take([.park(more)]))
    let expired = ledger.expire(before: Fixture.now)
    #expect(expired.count == EventLimits.parkedMax)
    #expect(ledger.count == 0 && ledger.byteCount == 0)
  }

  @Test func `at most 64 MiB of corrections wait`() throws {
    var (ledger, history) = (CorrectionLedger(), MemoryHistory())
    let text = String(repeating: "x", count: EventLimits.additionalInfoBytesMax)
    var parked = 0
    var told: Refusal?
    while told == nil {
      var event = correction("r\(parked)", .replaces, "e\(parked)")
      event.series.resource.additionalInfo = text
      if case .refuse(let refusal) = ledger.take(
        event, nextPosition: UInt64(parked), &history)
      {
        told = refusal
      } else {
        parked += 1
      }
      try #require(ledger.byteCount <= EventLimits.parkedBytesMax)
    }
    #expect(told?.reason == .unknownTarget && told?.message.contains("report it again") == true)
    #expect(EventLimits.parkedBytesMax - ledger.byteCount < 9000 && ledger.count == parked)
  }

  @Test func `a record that is not of its form is not replayed`() {
    for kind in [Record.Kind.parked, .correction, .unparked] {
      var ledger = CorrectionLedger()
      let broken = Record(
        kind: kind, count: 1, firstPosition: 1, firstTime: Fixture.now, payload: [9])
      let isRead = ledger.replay(broken)
      #expect(!isRead)
    }
  }
}
