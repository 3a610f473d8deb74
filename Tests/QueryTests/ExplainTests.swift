import AggregatorClient
import CollectorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

@testable import QueryServer

/// Explaining aggregates of every kind, over a real database and a collector that has what the test says.
@Suite(.timeLimit(.minutes(1))) struct ExplainTests {
  private static let hour = Hour(index: 100)
  private static let series = Series(
    subscription: "s", meter: "m", resource: Resource(uri: "/r"))
  /// By position from 1: the quantity, and where in the hour it ends. The first three are of window 100.
  private static let usage: [(quantity: Int32, end: Int)] = [(3, 60), (7, 40), (5, 50), (9, 70)]

  private static func journaled(_ position: UInt64, uri: String = "/r") -> JournaledUsage {
    let usage = usage[Int(position - 1) % usage.count]
    var series = series
    series.resource.uri = uri
    let event = UsageEvent(
      id: "\(position)", source: "test", series: series, usageStart: hour.start,
      usageEnd: hour.start.advanced(by: .seconds(usage.end)), quantity: Quantity(usage.quantity))
    return JournaledUsage(
      position: position, reportedTime: hour.start, event: event, counts: event.quantity)
  }

  /// A database whose window 100 ends at `end`, and 101 is open; and query in front of `collector`.
  private func withQuery(
    _ kind: Aggregation, end: UInt64 = 4, collector: ScriptedFinder,
    explainTime: Duration = .seconds(6), _ body: (QueryClient) async throws -> Void
  ) async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let store = try SQLiteUsageStore(path: path)
      let writer = try UsageWriter(store: store, latenessLimitDays: 7)
      try writer.begin()
      let number = try #require(
        try writer.intern([NewSeries(Self.series, firstWindow: Self.hour, firstPosition: 1)]) { _ in
          kind
        }[0])
      let key = SeriesHour(series: number, usageHour: Self.hour)
      var changes = [
        WindowChange(window: Self.hour, endPosition: end), WindowChange(window: Self.hour.next),
      ]
      for (index, usage) in Self.usage.enumerated() {
        let (window, quantity) = (index < 3 ? 0 : 1, Quantity(usage.quantity))
        if kind == .sum {
          changes[window].sums.append(
            SumDelta(
              key: key, sum: quantity.attos, least: 0, greatest: quantity.attos,
              position: UInt64(index + 1)))
          // A key comes once.
          if changes[window].sums.count > 1 {
            let sum = changes[window].sums.reduce(0) { $0 + $1.sum }
            changes[window].sums = [
              SumDelta(key: key, sum: sum, least: 0, greatest: sum, position: UInt64(index + 1))
            ]
          }
        } else {
          let sample = UsageSample(
            key: key, kind: kind, event: SampleID(high: UInt64(index), low: 0),
            usageStart: Self.hour.start,
            usageEnd: Self.hour.start.advanced(by: .seconds(usage.end)),
            position: UInt64(index + 1), quantity: quantity)
          changes[window].samples.append(SampleChange(sample, isRemoval: false))
        }
      }
      _ = try writer.count(changes, from: store.position(), in: 9, .bulk)
      try writer.commit(
        PipelinePosition(
          nextPosition: end + 1, reportedTime: Self.hour.next.start, openWindow: Self.hour.next,
          journalID: 9))
      try await withInProcessChannel(endpoints: [collector]) { neighbour in
        let query = Query(
          database: .sqlite(path: path, cell: "local"), tokenKey: Array(repeating: 1, count: 32),
          collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour),
          clock: SimulatedClock(Self.hour.next.start), explainTime: explainTime)
        try await withInProcessChannel(endpoints: [QueryEndpoint(query)]) { channel in
          try await body(QueryClient(channel))
        }
        await query.stop()
      }
    }
  }

  private func request(
    window: Hour? = nil, pageSize: UInt32 = 0, token: String = ""
  ) -> ExplainRequest {
    ExplainRequest(
      caller: .operator, subscription: "s", meter: "m", usageHour: Self.hour, window: window,
      pageSize: pageSize, pageToken: token)
  }

  /// What each kind makes of the usage: each part, and the aggregate.
  private static let kinds: [(kind: Aggregation, parts: [Int32], aggregate: Int32)] = [
    (.sum, [3, 7, 5, 9], 24), (.max, [3, 4, 0, 2], 9), (.latest, [3, 0, 0, 6], 9),
    (.uniqueCount, [1, 1, 1, 1], 4),
  ]

  @Test(arguments: kinds)
  func `each kind is explained by what every event changed, on one page or on several`(
    kind: Aggregation, parts: [Int32], aggregate: Int32
  ) async throws {
    let collector = ScriptedFinder { Self.journaled($0) }
    try await withQuery(kind, collector: collector) { query in
      for pageSize in [0, 1, 3] as [UInt32] {
        var found: [Quantity] = []
        var token = ""
        repeat {
          let page = try await query.explain(request(pageSize: pageSize, token: token))
          found += page.parts.map(\.part)
          #expect(page.aggregation == kind && page.aggregate == Quantity(aggregate))
          #expect(page.problem.isEmpty, "\(page.problem)")
          token = page.nextPageToken
        } while !token.isEmpty
        #expect(found == parts.map { Quantity($0) }, "pages of \(pageSize)")
      }
      // One window alone: what is no sum is seen upon what the windows before have.
      let last = try await query.explain(request(window: Self.hour.next))
      #expect(last.parts.map(\.part) == [Quantity(parts[3])])
      #expect(last.explained == last.aggregate && last.aggregate == Quantity(parts[3]))
      let first = try await query.explain(request(window: Self.hour))
      #expect(first.parts.map(\.part) == parts[..<3].map { Quantity($0) })
    }
  }

  @Test func `what the journal does not explain is told with both figures`() async throws {
    let collector = ScriptedFinder { $0 == 4 ? nil : Self.journaled($0) }
    try await withQuery(.max, collector: collector) { query in
      let page = try await query.explain(request())
      #expect(page.aggregate == Quantity(9) && page.explained == Quantity(7))
      #expect(
        page.problem.hasPrefix("the journal's events make 7, but the usage database has 9"),
        "\(page.problem)")
    }
  }

  @Test func `too many events of a meter that is no sum are refused`() async throws {
    let count = UInt64(UsageLevel.eventsMax)
    let collector = ScriptedFinder { Self.journaled($0, uri: "/r\($0)") }
    // As many as may be, in the window before the one that is asked for.
    try await withQuery(.max, end: count + 1, collector: collector) { query in
      await #expect {
        try await query.explain(request(window: Self.hour.next))
      } throws: { error in
        (error as? RPCError)?.message.contains(
          "more than \(UsageLevel.eventsMax) events make this aggregate") == true
      }
    }
    try await withQuery(.max, end: count, collector: collector) { query in
      let page = try await query.explain(request(window: Self.hour.next))
      #expect(page.parts.count == 1)
    }
  }

  @Test func `a question that finds nothing in its time says so`() async throws {
    let collector = ScriptedFinder { Self.journaled($0) }
    try await withQuery(.sum, collector: collector, explainTime: .zero) { query in
      await #expect {
        try await query.explain(request())
      } throws: { error in
        (error as? RPCError)?.message.contains("took too long") == true
      }
    }
  }

  @Test func `what was found in time is a page, and the next one goes on behind it`() async throws {
    // The collector gives one position with each answer, and only when the time is over.
    let time: Duration = .milliseconds(200)
    let collector = ScriptedFinder(stepMax: 1, delay: time) { Self.journaled($0) }
    try await withQuery(.sum, collector: collector, explainTime: time) { query in
      var found: [Quantity] = []
      var (token, pages) = ("", 0)
      repeat {
        let page = try await query.explain(request(token: token))
        found += page.parts.map(\.part)
        #expect(page.parts.count <= 1 && page.problem.isEmpty)
        token = page.nextPageToken
        pages += 1
      } while !token.isEmpty
      #expect(found == Self.usage.map { Quantity($0.quantity) })
      #expect(pages >= 4)
    }
  }
}

/// A collector that knows what its journal has at each position.
private final class ScriptedFinder: RPCEndpoint {
  static let serviceName = CollectorMethods.service

  private let usage: @Sendable (UInt64) -> JournaledUsage?
  private let stepMax: UInt64
  private let delay: Duration

  /// Each answer is of at most `stepMax` positions, and comes after `delay`.
  init(
    stepMax: UInt64 = .max, delay: Duration = .zero,
    _ usage: @escaping @Sendable (UInt64) -> JournaledUsage?
  ) {
    (self.usage, self.stepMax, self.delay) = (usage, stepMax, delay)
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(CollectorMethods.findUsage) { [self] request in
      if delay > .zero { try await Task.sleep(for: delay) }
      let limit = min(
        UInt64(request.limit == 0 ? UInt32(FindUsageRequest.limitMax) : request.limit), stepMax)
      let positions = request.positions.prefix(Int(limit))
      return FindUsageResponse(
        usage: positions.compactMap { usage($0) }, nextPosition: positions.endIndex)
    }
  }
}
