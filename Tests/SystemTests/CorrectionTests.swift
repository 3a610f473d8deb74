import CollectorClient
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Corrections through the real processes: reported at both doors, killed at any time, counted exactly.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CorrectionTests {
  /// How events come in. The raw value is the subscription that they are for.
  private enum Door: String, CaseIterable {
    case calls, http
  }

  private static func event(
    _ door: Door, _ id: String, _ quantity: Int32, _ correction: Correction? = nil,
    at start: Instant
  ) -> UsageEvent {
    var event = Reports.event(
      "\(door)-\(id)", Quantity(quantity), subscription: door.rawValue, at: start)
    event.correction = correction.map { Correction($0.kind, "\(door)-\($0.targetID)") }
    return event
  }

  /// One call, and what the subscription has used in all once it is applied.
  private struct Step {
    var events: [UsageEvent]
    var total: Quantity
    var parked: UInt64 = 0
  }

  private static func steps(_ door: Door, at start: Instant) -> [Step] {
    func event(_ id: String, _ quantity: Int32) -> UsageEvent {
      Self.event(door, id, quantity, at: start)
    }
    func replace(_ target: String, by id: String, _ quantity: Int32) -> UsageEvent {
      Self.event(door, id, quantity, Correction(.replaces, target), at: start)
    }
    func void(_ target: String, by id: String) -> UsageEvent {
      Self.event(door, id, 0, Correction(.voids, target), at: start)
    }
    let early = [
      replace("e4", by: "r4", 17), void("e5", by: "v5"), replace("r4", by: "q4", 23),
    ]
    return [
      Step(events: [event("e1", 5), event("e2", 7), event("e3", 11)], total: Quantity(23)),
      // Corrections of what has not come yet.
      Step(events: early, total: Quantity(23), parked: 3),
      Step(
        events: [replace("e1", by: "r1", 6), void("e2", by: "v2")], total: Quantity(17), parked: 3),
      // What they waited for: 6 + 0 + 11 + 23 + 0.
      Step(events: [event("e4", 13), event("e5", 19)], total: Quantity(40)),
      // A correction of a correction.
      Step(events: [replace("r1", by: "q1", 8)], total: Quantity(42)),
    ]
  }

  /// Reports until there is an answer. Every event is taken.
  private func report(_ events: [UsageEvent], _ door: Door, _ token: String, to cluster: Cluster)
    async throws
  {
    switch door {
    case .calls:
      let results = try await cluster.call("collector") { channel in
        try await Reports.reportBlindly(events, to: CollectorClient(channel))
      }
      let areTaken = results.allSatisfy(\.isSuccess)
      #expect(areTaken, "\(results)")
    case .http: try await cluster.postBlindly(events, token: token)
    }
  }

  @Test func `corrections come in any order, are killed and repeated, and count exactly once`()
    async throws
  {
    try await withCluster { cluster in
      let token = try await cluster.operatorToken()
      for service in Cluster.services { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let firstWindow = SystemClock().now().hour
      let usageHour = Hour(index: firstWindow.index - 3)
      let start = usageHour.start.advanced(by: .seconds(600))
      var random = try SeededRandom()
      let plans = Door.allCases.map { (door: $0, steps: Self.steps($0, at: start)) }
      for number in plans[0].steps.indices {
        for (door, steps) in plans {
          let pause = Duration.milliseconds(Int.random(in: 0...40, using: &random))
          async let killed: Void = {
            try await Task.sleep(for: pause)
            for service in ["collector", "aggregator"] {
              try await cluster.kill(service)
              try cluster.start(service)
            }
          }()
          try await report(steps[number].events, door, token, to: cluster)
          try await killed
          try await cluster.serving("collector", "aggregator")
          // Once more, as by a provider that missed the answer.
          try await report(steps[number].events, door, token, to: cluster)
        }
        let status = try await cluster.call("collector") { try await CollectorClient($0).status() }
        #expect(status.parkedCorrections == plans.reduce(0) { $0 + $1.steps[number].parked })
        let totals = try await Reports.settledTotals(cluster, position: status.nextPosition)
        let expected = plans.map { ($0.door.rawValue, $0.steps[number].total) }
        #expect(totals == Dictionary(uniqueKeysWithValues: expected), "step \(number)")
        if status.parkedCorrections > 0 {
          let shown = try await cluster.command("status")
          #expect(
            shown.output.contains("\(status.parkedCorrections) corrections wait"), "\(shown.output)"
          )
        }
      }
      try await Self.expectDeltas(
        cluster, of: usageHour, in: firstWindow..<SystemClock().now().hour.next)
      try await Self.expectRefusals(cluster, token, at: start)
    }
  }

  /// Nothing was counted in the usage hour's own window: all of it in the windows open since the test began.
  private static func expectDeltas(
    _ cluster: Cluster, of usageHour: Hour, in windows: Range<Hour>
  ) async throws {
    let page = try await cluster.call("query") { channel in
      try await QueryClient(channel).listUsage(
        ListUsageRequest(
          caller: .operator, windows: Hour(index: usageHour.index - 1)..<windows.upperBound,
          granularity: .hourly))
    }
    #expect(!page.aggregates.isEmpty && page.nextPageToken.isEmpty)
    for aggregate in page.aggregates {
      #expect(aggregate.usageStart == usageHour.start)
      #expect(windows.contains(aggregate.window))
    }
    let sum = page.aggregates.reduce(Quantity.zero) { $0.adding($1.quantity)! }
    #expect(sum == Quantity(84))
  }

  /// What is corrected already, and voids, can not be corrected; it is kept with its reason and counts nothing.
  private static func expectRefusals(
    _ cluster: Cluster, _ token: String, at start: Instant
  ) async throws {
    let before = try await cluster.call("collector") { try await CollectorClient($0).status() }
    for door in Door.allCases {
      let events = [
        event(door, "x1", 1, Correction(.replaces, "e1"), at: start),
        event(door, "x2", 0, Correction(.voids, "v2"), at: start),
        event(door, "x3", 0, Correction(.voids, "e5"), at: start),
      ]
      let reasons = [Refusal.Reason.alreadyCorrected, .voidOfVoid, .alreadyCorrected]
      for _ in 0..<2 {
        switch door {
        case .calls:
          let results = try await cluster.call("collector") { channel in
            try await Reports.reportBlindly(events, to: CollectorClient(channel))
          }
          #expect(results.map { $0.refusal?.reason } == reasons)
        case .http:
          let answer = try await cluster.post(events, token: token)
          #expect(answer.contains(#""accepted":0,"duplicates":0,"parked":0"#), "\(answer)")
          let codes = answer.split(separator: #""code":""#).dropFirst().map { rest in
            String(rest.prefix { $0 != "\"" })
          }
          #expect(codes == reasons.map(\.name), "\(answer)")
        }
      }
    }
    let ids = ["x1", "x2", "x3"].flatMap { id in Door.allCases.map { "\($0)-\(id)" } }
    for reason in [Refusal.Reason.alreadyCorrected, .voidOfVoid] {
      let listed = try await cluster.command(
        "quarantine", "list", "--reason", reason.name, "--json")
      let found = ids.filter { listed.output.contains(#""id":"\#($0)""#) }
      #expect(found.count == (reason == .voidOfVoid ? 2 : 4), "\(listed.output)")
      #expect(listed.output.split(separator: "\n").count == found.count, "\(listed.output)")
    }
    let after = try await cluster.call("collector") { try await CollectorClient($0).status() }
    #expect(after.nextPosition == before.nextPosition && after.quarantineEntries == 6)
  }
}
