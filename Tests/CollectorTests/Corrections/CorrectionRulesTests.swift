import StackmeterCore
import Testing

@testable import CollectorServer

@Suite struct CorrectionRulesTests {
  private let rules = EventRules(catalog: Fixture.catalog, latenessLimit: .seconds(86_400))

  private func problem(
    _ correction: Correction, _ change: (inout UsageEvent) -> Void = { _ in }
  ) -> Refusal? {
    var event = Fixture.event("r", quantity: 0)
    event.correction = correction
    change(&event)
    return rules.problem(EventBatch(event), 0)
  }

  private func malformed(_ field: String, _ message: String) -> Refusal {
    Refusal(.malformed, field: field, message)
  }

  @Test func `a correction names the id of another event`() {
    for kind in [Correction.Kind.replaces, .voids] {
      #expect(problem(Correction(kind, "e")) == nil)
      #expect(problem(Correction(kind, String(repeating: "é", count: 128))) == nil)
      #expect(
        problem(Correction(kind, String(repeating: "e", count: 257)))
          == malformed(kind.field, "has 257 bytes; an id has 1 to 256"))
      #expect(
        problem(Correction(kind, "r"))
          == malformed(
            kind.field, "names the event itself; a correction needs an id of its own"))
    }
  }

  @Test func `one event does not replace and void`() {
    #expect(
      problem(Correction(.contradictory, "e"))
        == malformed("voids", "may not stand beside replaces; use one of them"))
  }

  @Test func `a void has no quantity, and a replacement may have any`() {
    for quantity in [Quantity(1), Quantity(-1), Quantity.max] {
      #expect(
        problem(Correction(.voids, "e")) { $0.quantity = quantity }
          == malformed(
            "quantity", "must be absent or 0 beside voids; to count something else, use replaces"))
    }
    #expect(problem(Correction(.replaces, "e")) { $0.quantity = Quantity(-1) } == nil)
  }

  @Test func `what a void says of its end is passed over, and of its start is not`() {
    let ends = [Instant(nanoseconds: 0), .init(nanoseconds: .min), .init(nanoseconds: .max)]
    for end in ends {
      var event = Fixture.event("v", quantity: 0)
      event.correction = Correction(.voids, "e")
      event.usageEnd = end
      let batch = EventBatch(event)
      #expect(rules.problem(batch, 0) == nil)
      #expect(rules.timing(batch, 0, now: Fixture.now) == nil)
      #expect(
        rules.timing(batch, 0, now: Fixture.now.advanced(by: .seconds(86_401)))?.reason == .tooOld)
      #expect(
        rules.timing(batch, 0, now: Fixture.now.advanced(by: .seconds(-7200)))?.reason == .inFuture)
    }
    #expect(
      problem(Correction(.voids, "e")) { $0.usageStart = Instant(nanoseconds: -1) }?.field
        == "usage_start")
    #expect(
      problem(Correction(.replaces, "e")) { $0.usageEnd = Instant(nanoseconds: 0) }?.field
        == "usage_end")
  }

  @Test func `a refused correction keeps what it names, up to a little more than an id may have`() {
    var event = Fixture.event("r")
    event.correction = Correction(.replaces, String(repeating: "é", count: 30_000))
    let kept = EventBatch(event).quarantined(0)
    #expect(kept.correction(0) == Correction(.replaces, String(repeating: "é", count: 129)))
  }
}
