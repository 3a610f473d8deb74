import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

/// Reports by name, of one source and usage hour.
private enum Reports {
  static func event(_ id: String, _ quantity: Int32, meter: String = "CPU") -> UsageEvent {
    Fixture.event(id, meter: meter, quantity: quantity)
  }

  static func replace(
    _ target: String, by id: String, _ quantity: Int32, meter: String = "CPU"
  ) -> UsageEvent {
    var event = Fixture.event(id, meter: meter, quantity: quantity)
    event.correction = Correction(.replaces, target)
    return event
  }

  static func void(_ target: String, by id: String) -> UsageEvent {
    var event = Fixture.event(id, quantity: 0)
    event.correction = Correction(.voids, target)
    return event
  }

  /// The same usage over 100 minutes, whose parts do not divide evenly.
  static func long(_ event: UsageEvent) -> UsageEvent {
    var event = event
    event.usageEnd = event.usageStart.advanced(by: .nanoseconds(6_000_000_000_007))
    return event
  }

  static let e = event("e", 5)
  static let v = void("e", by: "v")
  static let r = replace("e", by: "r", 7)
  static let q = replace("r", by: "q", 11)
  static let w = void("r", by: "w")

  /// Every set is reported in all of its orders.
  static let sets: [[UsageEvent]] = [
    [e, e, v, v, r, w],
    [e, v, void("e", by: "v2"), r, w, q],
    [e, r, r, q, w, void("q", by: "x")],
    [e, e, v, void("v", by: "vv"), replace("v", by: "rv", 3), void("vv", by: "vvv")],
    [e, event("e", 6), v, r, replace("e", by: "r", 8), w],
    [long(e), long(r), long(q), w, void("q", by: "x"), r],
    [replace("b", by: "a", 3), replace("a", by: "b", 4), void("a", by: "c"), e, r, q],
    [
      e, r, replace("r", by: "r2", 9), replace("r2", by: "r3", 2, meter: "memory"),
      replace("r3", by: "r4", 0), void("r4", by: "x"),
    ],
    [e, event("f", 3), r, void("f", by: "x"), void("e", by: "y"), replace("f", by: "z", 1)],
    [
      e, r, replace("e", by: "s", 13, meter: "memory"), replace("s", by: "t", 17),
      void("s", by: "x"), q,
    ],
    [void("v", by: "vv"), replace("vv", by: "a", 2), replace("a", by: "b", 3), v, e, r],
    [replace("v", by: "a", 2), replace("a", by: "b", 3), void("b", by: "c"), v, e, v],
  ]
}

@Suite struct CorrectionOrderTests {
  /// Reports what is left in every order, with a restart after each report and after each record of it. The number
  /// of orders.
  private func run(_ left: [UsageEvent], _ ledger: RecordedLedger, _ model: CorrectionModel) throws
    -> Int
  {
    guard !left.isEmpty else { return 1 }
    var orders = 0
    for index in left.indices {
      var (next, expected) = (ledger, model)
      try check(left[index], &next, &expected)
      var rest = left
      rest.remove(at: index)
      orders += try run(rest, next, expected)
    }
    return orders
  }

  /// Reports one event, and again after a crash behind each record that it made. The last of these goes on.
  private func check(
    _ event: UsageEvent, _ ledger: inout RecordedLedger, _ model: inout CorrectionModel
  ) throws {
    let before = ledger.bytes.count
    let outcome = ledger.report(event)
    try #require(outcome == model.report(event), "\(event.id)")
    let (totals, refused, waiting) = (model.totals, model.refused, model.waiting.count)
    func requireSame() throws {
      try #require(ledger.totals == totals)
      try #require(Set(ledger.refused) == refused && ledger.refused.count == refused.count)
      try #require(ledger.ledger.count == waiting)
    }
    try requireSame()
    let (bytes, ends) = (ledger.bytes, ledger.ends)
    for end in ends where end > before || end == bytes.count {
      ledger = try RecordedLedger(restartingFrom: bytes.prefix(end))
      let again = ledger.report(event)
      switch outcome {
      case .accepted, .parked: try #require(again == .duplicate)
      case .duplicate, .conflict, .refused: try #require(again == outcome)
      }
      try requireSame()
    }
  }

  @Test(arguments: Reports.sets.indices)
  func `every order of reports, with crashes in between, gives what the first corrections say`(
    index: Int
  ) throws {
    let set = Reports.sets[index]
    #expect(try run(set, RecordedLedger(), CorrectionModel()) == 720)
  }

  @Test func `any reports give what the first corrections say`() throws {
    try withSeededRandom { random in
      for _ in 0..<60 {
        let ids = (0..<Int.random(in: 2...9, using: &random)).map { "\($0)" }
        var (ledger, model) = (RecordedLedger(), CorrectionModel())
        for _ in 0..<30 {
          var event = Fixture.event(
            ids.randomElement(using: &random)!,
            source: ["vm", "vn"].randomElement(using: &random)!,
            meter: ["CPU", "memory"].randomElement(using: &random)!,
            start: Fixture.now.advanced(by: .seconds(-3600 * .random(in: 1...2, using: &random))),
            duration: .seconds(Int.random(in: 0...5000, using: &random)),
            quantity: .random(in: -3...3, using: &random))
          let target = ids.randomElement(using: &random)!
          if target != event.id {
            event.correction = [
              nil, Correction(.replaces, target), Correction(.voids, target),
            ].randomElement(using: &random)!
          }
          try check(event, &ledger, &model)
        }
        let (refused, waiting) = (model.refused, model.waiting)
        ledger.expire(before: Fixture.now)
        try #require(ledger.ledger.count == 0 && ledger.ledger.byteCount == 0)
        try #require(Set(ledger.refused) == refused.union(waiting))
        try #require(ledger.refused.count == refused.count + waiting.count)
        try #require(ledger.totals == model.totals)
        let restarted = try RecordedLedger(restartingFrom: ledger.bytes)
        try #require(restarted.ledger.count == 0 && restarted.refused.count == ledger.refused.count)
      }
    }
  }
}
