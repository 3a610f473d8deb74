import AggregatorClient
import CollectorClient
import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import QueryServer

/// A usage database that grows while query answers from it.
private struct GrowingUsage {
  let store: SQLiteUsageStore
  let writer: UsageWriter
  private var position: UInt64 = 1

  init(path: String) throws {
    store = try SQLiteUsageStore(path: path)
    writer = try UsageWriter(store: store, latenessLimitDays: 7)
  }

  /// Adds usage of some subscriptions' usage hour in a window, and leaves `open` open.
  mutating func add(_ subscriptions: [String], hour: Int64, window: Int64, open: Int64) throws {
    try writer.begin()
    position += 1
    var change = WindowChange(
      window: Hour(index: window), endPosition: window < open ? position : nil)
    for subscription in subscriptions {
      let series = Series(subscription: subscription, meter: "m", resource: Resource(uri: "/r"))
      let number = try writer.intern([
        NewSeries(series, firstWindow: Hour(index: window), firstPosition: position)
      ]) { _ in .sum }[0]
      change.sums.append(
        SumDelta(
          key: SeriesHour(series: try #require(number), usageHour: Hour(index: hour)),
          sum: Quantity(1).attos, least: 0, greatest: Quantity(1).attos, position: position))
    }
    _ = try writer.count([change], from: store.position(), in: 9, .bulk)
    try writer.commit(
      PipelinePosition(
        nextPosition: position, reportedTime: Hour(index: open).start,
        openWindow: Hour(index: open), journalID: 9))
  }
}

@Suite(.timeLimit(.minutes(1))) struct ScopeTests {
  private static let windows = Hour(index: 96)..<Hour(index: 240)

  private func withQuery(
    _ body: (QueryClient, inout GrowingUsage) async throws -> Void
  ) async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      var usage = try GrowingUsage(path: path)
      try await withInProcessChannel(endpoints: []) { neighbour in
        let query = Query(
          database: .sqlite(path: path, cell: "local"), tokenKey: Array(repeating: 1, count: 32),
          collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour),
          clock: SimulatedClock(Hour(index: 101).start))
        try await withInProcessChannel(endpoints: [QueryEndpoint(query)]) { channel in
          try await body(QueryClient(channel), &usage)
        }
        await query.stop()
      }
    }
  }

  private func hourText(_ index: Int64) -> String { Hour(index: index).start.description }

  private func failure(
    _ ask: () async throws -> Void
  ) async -> (code: RPCError.Code, message: String)? {
    do {
      try await ask()
      return nil
    } catch {
      let error = error as? RPCError
      return (error?.code ?? .unknown, error?.message ?? "")
    }
  }

  @Test func `a provider sees its tenants' usage of the time of their tenancy`() async throws {
    try await withQuery { query, usage in
      let directory = """
        {"subscriptions":[
          {"id":"a","providers":[{"provider":"p1","until":"\(hourText(101))"},
            {"provider":"p2","from":"\(hourText(101))"}]},
          {"id":"b","providers":[{"provider":"p1"}]},
          {"id":"p1","providers":[{"provider":"p0"}]}]}
        """
      try usage.store.replaceDirectory(try SubscriptionDirectory(json: Array(directory.utf8)))
      try usage.add(["a", "b", "c", "p1"], hour: 100, window: 100, open: 101)
      try usage.add(["a", "b", "c", "p1"], hour: 101, window: 101, open: 102)
      func rows(_ provider: String, _ subscriptions: [String] = []) async throws -> [String] {
        try await query.listUsage(
          ListUsageRequest(
            caller: .provider(provider), windows: Self.windows, granularity: .hourly,
            subscriptions: subscriptions)
        ).aggregates.map { "\($0.series.subscription) \($0.usageStart.hour.index)" }
      }
      #expect(try await rows("p0") == ["p1 100", "p1 101"])
      #expect(try await rows("P1") == ["a 100", "b 100", "b 101"])
      #expect(try await rows("p2") == ["a 101"])
      #expect(try await rows("nobody") == [])
      #expect(try await rows("p1", ["A"]) == ["a 100"])

      let totals = try await query.summarize(
        SummarizeRequest(caller: .provider("p1"), hours: Self.windows, bySubscription: true))
      #expect(totals.map { "\($0.subscription ?? "") \($0.quantity)" } == ["a 1", "b 2"])
      let seen = try await query.listSubscriptions(
        ListSubscriptionsRequest(caller: .provider("p1")))
      #expect(seen.subscriptions.map(\.id) == ["a", "b"])
    }
  }

  @Test func `to a provider, foreign and absent subscriptions are the same`() async throws {
    try await withQuery { query, usage in
      try usage.store.replaceDirectory(
        try SubscriptionDirectory(
          json: Array(#"{"subscriptions":[{"id":"a","providers":[{"provider":"p"}]}]}"#.utf8)))
      try usage.add(["a", "zzz1"], hour: 100, window: 100, open: 101)
      var told: Set<String> = []
      for name in ["zzz1", "zzz2"] {
        for ask in [
          { try await query.listUsage($0).aggregates.count },
          {
            try await query.summarize(
              SummarizeRequest(
                caller: $0.caller, hours: $0.windows, subscriptions: $0.subscriptions)
            ).count
          },
        ] as [(ListUsageRequest) async throws -> Int] {
          let failed = await failure {
            _ = try await ask(
              ListUsageRequest(
                caller: .provider("p"), windows: Self.windows, granularity: .hourly,
                subscriptions: ["a", name]))
          }
          #expect(failed?.code == .notFound)
          told.insert(failed?.message.replacing(name, with: "X") ?? "")
        }
        let seen = try await query.listSubscriptions(
          ListSubscriptionsRequest(caller: .provider("p"), ids: ["a", name]))
        #expect(seen.subscriptions.map(\.id) == ["a"])
        let failed = await failure {
          _ = try await query.explain(
            ExplainRequest(
              caller: .provider("p"), subscription: name, meter: "m", resourceURI: nil,
              usageHour: Hour(index: 100), window: nil))
        }
        #expect(failed?.code == .notFound)
        told.insert(failed?.message.replacing(name, with: "X") ?? "")
      }
      #expect(told.count == 2)
    }
  }

  @Test func `a provider explains no hour outside of the tenancy`() async throws {
    try await withQuery { query, usage in
      let directory = """
        {"subscriptions":[{"id":"a","providers":[{"provider":"p","from":"\(hourText(101))"}]}]}
        """
      try usage.store.replaceDirectory(try SubscriptionDirectory(json: Array(directory.utf8)))
      try usage.add(["a"], hour: 100, window: 100, open: 101)
      try usage.add(["a"], hour: 101, window: 101, open: 102)
      func explain(_ hour: Int64) async -> RPCError.Code? {
        await failure {
          _ = try await query.explain(
            ExplainRequest(
              caller: .provider("p"), subscription: "a", meter: "m", resourceURI: nil,
              usageHour: Hour(index: hour), window: nil))
        }?.code
      }
      #expect(await explain(100) == .notFound)
      // It may be asked; there is no collector here to answer.
      #expect(await explain(101) != .notFound)
    }
  }

  @Test func `a reporter sees nothing, and only operators see who reports`() async throws {
    try await withQuery { query, usage in
      try usage.add(["a"], hour: 100, window: 100, open: 101)
      let reporter = Caller.reporter(sources: ["s"])
      let page = try await query.listUsage(
        ListUsageRequest(caller: reporter, windows: Self.windows, granularity: .hourly))
      #expect(page.aggregates.isEmpty)
      for caller in [reporter, .tenant(subscriptions: ["a"]), .provider("p")] {
        let failed = await failure {
          _ = try await query.listSources(caller: caller)
        }
        #expect(failed?.code == .permissionDenied)
        let windows = try await query.listWindows(ListWindowsRequest(caller: caller))
        #expect(windows.windows.map(\.aggregates) == [0, 0])
      }
      let windows = try await query.listWindows(ListWindowsRequest(caller: .operator))
      #expect(windows.windows.map(\.aggregates) == [0, 1])
    }
  }

  @Test func `a walk calls nothing closed that was open when it began, and meets no later window`()
    async throws
  {
    try await withQuery { query, usage in
      try usage.add(["a", "b"], hour: 100, window: 100, open: 101)
      try usage.add(["a", "c"], hour: 101, window: 101, open: 101)
      var request = ListUsageRequest(
        caller: .operator, windows: Self.windows, granularity: .hourly, pageSize: 3)
      let first = try await query.listUsage(request)
      #expect(first.aggregates.map(\.series.subscription) == ["a", "b", "a"])
      #expect(first.aggregates.map(\.isProvisional) == [false, false, true])
      #expect(first.aggregates.map(\.isFinal) == [true, true, false])

      // The open window grows in front of the walk and behind it, is closed, and others follow it.
      try usage.add(["b", "d"], hour: 101, window: 101, open: 104)
      try usage.add(["a"], hour: 104, window: 104, open: 104)
      request.pageToken = first.nextPageToken
      request.pageSize = 9
      let second = try await query.listUsage(request)
      #expect(second.nextPageToken == "")
      #expect(second.aggregates.map(\.window.index) == Array(repeating: 101, count: 3))
      #expect(second.aggregates.map(\.series.subscription) == ["b", "c", "d"])
      #expect(second.aggregates.allSatisfy { $0.isProvisional && !$0.isFinal })

      // A new walk finds it closed, with all of it.
      request.pageToken = ""
      let again = try await query.listUsage(request)
      let closed = again.aggregates.filter { $0.window.index == 101 }
      #expect(closed.map(\.series.subscription) == ["a", "b", "c", "d"])
      #expect(closed.allSatisfy { !$0.isProvisional && $0.isFinal })
    }
  }

  @Test func `whoever asks gets the operator's answer, less what is not theirs`() async throws {
    try await withQuery { query, usage in
      var random = try SeededRandom()
      let names = ["a", "b", "c", "d", "e", "f"]
      var entries: [String] = []
      var tenancies: [Tenancy] = []
      for name in names {
        var from = Int64(90)
        var providers: [String] = []
        while from < 150 {
          let until = from + Int64(random.next() % 40) + 1
          if random.next() % 4 != 0 {
            let provider = "p\(random.next() % 2)"
            providers.append(
              #"{"provider":"\#(provider)","from":"\#(hourText(from))","until":"\#(hourText(until))"}"#
            )
            tenancies.append(
              Tenancy(
                provider: provider, subscription: name,
                hours: Hour(index: from)..<Hour(index: until)))
          }
          from = until
        }
        entries.append(#"{"id":"\#(name)","providers":[\#(providers.joined(separator: ","))]}"#)
      }
      try usage.store.replaceDirectory(
        try SubscriptionDirectory(
          json: Array("{\"subscriptions\":[\(entries.joined(separator: ","))]}".utf8)))
      for window in Int64(100)..<150 {
        let late = window - Int64(random.next() % 9) - 1
        let some = { (share: UInt64, random: inout SeededRandom) in
          names.filter { _ in random.next() % share != 0 }
        }
        try usage.add(some(3, &random), hour: late, window: window, open: window)
        try usage.add(some(5, &random), hour: window, window: window, open: window + 1)
      }
      func rows(_ caller: Caller, pageSize: UInt32) async throws -> [UsageAggregate] {
        var request = ListUsageRequest(
          caller: caller, windows: Self.windows, granularity: .hourly, pageSize: pageSize)
        var all: [UsageAggregate] = []
        repeat {
          let page = try await query.listUsage(request)
          all += page.aggregates
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        return all
      }
      let everything = try await rows(.operator, pageSize: 0)
      #expect(everything.count > 200)
      var callers: [Caller] = [.provider("p0"), .provider("p1"), .provider("p2")]
      for _ in 0..<4 {
        callers.append(.tenant(subscriptions: names.filter { _ in random.next() % 2 == 0 }))
      }
      for caller in callers {
        let expected = everything.filter { row in
          switch caller {
          case .tenant(let own): own.contains(row.series.subscription)
          case .provider(let provider):
            tenancies.contains {
              $0.provider == provider && $0.subscription == row.series.subscription
                && $0.hours.contains(row.usageStart.hour)
            }
          case .operator, .reporter: false
          }
        }
        let found = try await rows(caller, pageSize: UInt32(random.next() % 17) + 1)
        #expect(found == expected, "seed \(random.seed): \(caller)")

        let totals = try await query.summarize(
          SummarizeRequest(
            caller: caller, hours: Hour(index: 110)..<Hour(index: 140), byDay: true,
            bySubscription: true))
        var sums: [String: Int128] = [:]
        for row in expected where (110..<140).contains(row.usageStart.hour.index) {
          let key = "\(row.usageStart.hour.day) \(row.series.subscription)"
          sums[key, default: 0] += row.quantity.attos
        }
        let told = totals.map {
          ("\($0.day.map { "\($0)" } ?? "") \($0.subscription ?? "")", $0.quantity.attos)
        }
        #expect(Dictionary(uniqueKeysWithValues: told) == sums, "seed \(random.seed): \(caller)")
      }
    }
  }
}
