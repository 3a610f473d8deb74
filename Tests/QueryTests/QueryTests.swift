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

/// Query over a real database and in-process neighbours.
@Suite(.timeLimit(.minutes(1))) struct QueryTests {
  private static let windows = Hour(index: 96)..<Hour(index: 120)

  /// A database with one hour of usage of the subscriptions a (2), b (3) and c (5) in window 100; 101 is open.
  private func withQuery(
    hasDatabase: Bool = true, neighbours: [any RPCEndpoint] = [],
    _ body: (QueryClient) async throws -> Void
  ) async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      if hasDatabase {
        let database = try SQLiteUsageStore(path: path)
        try database.replaceCatalog(
          MeterCatalog([
            Meter(
              id: "CPU", name: "CPU", unit: "s", category: "Compute", resourceProvider: "test",
              aggregation: .sum, isBillable: true)
          ]))
        let writer = try UsageWriter(store: database, latenessLimitDays: 7)
        try writer.begin()
        var window = WindowChange(window: Hour(index: 100), endPosition: 4)
        for (subscription, quantity) in [("a", 2), ("b", 3), ("c", 5)] as [(String, Int32)] {
          let series = Series(
            subscription: subscription, meter: "CPU", resource: Resource(uri: "/r"))
          let number = try writer.intern([
            NewSeries(series, firstWindow: window.window, firstPosition: 1)
          ]) { _ in .sum }[0]
          let attos = Quantity(quantity).attos
          window.sums.append(
            SumDelta(
              key: SeriesHour(series: try #require(number), usageHour: window.window), sum: attos,
              least: 0, greatest: attos, position: 1))
        }
        _ = try writer.count([window], from: database.position(), in: 9, .bulk)
        try writer.commit(
          PipelinePosition(
            nextPosition: 4, reportedTime: Hour(index: 101).start, openWindow: Hour(index: 101),
            journalID: 9))
      }
      try await withInProcessChannel(endpoints: neighbours) { neighbour in
        let query = Query(
          database: .sqlite(path: path, cell: "local"), tokenKey: Array(repeating: 1, count: 32),
          collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour))
        try await withInProcessChannel(endpoints: [QueryEndpoint(query)]) { channel in
          try await body(QueryClient(channel))
        }
        await query.stop()
      }
    }
  }

  private func list(
    _ query: QueryClient, _ caller: Caller, subscriptions: [String] = []
  ) async throws -> [String] {
    try await query.listUsage(
      ListUsageRequest(
        caller: caller, windows: Self.windows, granularity: .hourly, subscriptions: subscriptions)
    ).aggregates.map { "\($0.series.subscription) \($0.quantity)" }
  }

  @Test func `an operator sees every subscription and a tenant only its own`() async throws {
    try await withQuery { query in
      let rows1 = try await list(query, .operator)
      #expect(rows1 == ["a 2", "b 3", "c 5"])
      let rows2 = try await list(query, .tenant(subscriptions: ["A", "c"]))
      #expect(rows2 == ["a 2", "c 5"])
      let rows3 = try await list(query, .tenant(subscriptions: []))
      #expect(rows3 == [])
    }
  }

  @Test func `a tenant who asks for another's subscription gets the answer of an absent one`()
    async throws
  {
    try await withQuery { query in
      let tenant = Caller.tenant(subscriptions: ["a"])
      let rows4 = try await list(query, tenant, subscriptions: ["b"])
      #expect(rows4 == [])
      let rows5 = try await list(query, tenant, subscriptions: ["nobody"])
      #expect(rows5 == [])
      let rows6 = try await list(query, tenant, subscriptions: ["B", "A"])
      #expect(rows6 == ["a 2"])
      let totals = try await query.summarize(
        SummarizeRequest(
          caller: tenant, hours: Self.windows, bySubscription: true, subscriptions: ["b", "a"]))
      #expect(totals.map(\.quantity) == [Quantity(2)])
      let foreign = try await query.summarize(
        SummarizeRequest(caller: tenant, hours: Self.windows, subscriptions: ["b"]))
      #expect(foreign == [])
    }
  }

  @Test func `pages follow each other by their tokens`() async throws {
    try await withQuery { query in
      var request = ListUsageRequest(
        caller: .operator, windows: Self.windows, granularity: .daily, pageSize: 2)
      let first = try await query.listUsage(request)
      request.pageToken = first.nextPageToken
      let second = try await query.listUsage(request)
      #expect((first.aggregates + second.aggregates).map(\.quantity.units) == [2, 3, 5])
      #expect(second.nextPageToken == "")
      request.caller = .tenant(subscriptions: ["a"])
      await expectFailure(.invalidArgument, "page_token") { try await query.listUsage(request) }
    }
  }

  @Test func `a wrong question is refused with the name of its field`() async throws {
    try await withQuery { query in
      var request = ListUsageRequest(
        caller: .operator, windows: Hour(index: 97)..<Hour(index: 120), granularity: .daily)
      await expectFailure(.invalidArgument, "from_window") { try await query.listUsage(request) }
      request.granularity = .hourly
      request.pageSize = 1001
      await expectFailure(.invalidArgument, "page_size") { try await query.listUsage(request) }
      request.pageSize = 1
      request.pageToken = "nonsense"
      await expectFailure(.invalidArgument, "page_token") { try await query.listUsage(request) }
      await expectFailure(.invalidArgument, "page_size") {
        try await query.listWindows(ListWindowsRequest(pageSize: 1001))
      }
    }
  }

  @Test func `meters and windows are listed`() async throws {
    try await withQuery { query in
      let meters = try await query.listMeters()
      #expect(meters.map(\.id) == ["CPU"])
      let windows = try await query.listWindows(ListWindowsRequest())
      #expect(windows.map(\.hour.index) == [101, 100])
      #expect(windows.map(\.isClosed) == [false, true])
      #expect(windows.map(\.aggregates) == [0, 3])
    }
  }

  @Test func `before the first aggregator there is a clear refusal, and then answers`() async throws
  {
    try await withQuery(hasDatabase: false) { query in
      await expectFailure(.unavailable, "usage database is not there yet") {
        try await query.listMeters()
      }
    }
  }

  @Test func `the status has both neighbours' words, and a sentence for each that is silent`()
    async throws
  {
    try await withQuery(neighbours: [ScriptedNeighbours()]) { query in
      let status = try await query.status()
      #expect(status.collector?.nextPosition == 9)
      #expect(status.aggregator?.nextPosition == 4)
      #expect(status.appliedPosition == 4)
      #expect(status.problems.count == 1)
      #expect(status.problems.first?.contains("no room") == true)
    }
    try await withQuery { query in
      let status = try await query.status()
      #expect(status.collector == nil)
      #expect(status.problems.count == 2)
      #expect(status.openWindow == Hour(index: 101))
    }
  }
}

private func expectFailure<Answer>(
  _ code: RPCError.Code, _ text: String, _ ask: () async throws -> Answer
) async {
  do {
    _ = try await ask()
    Issue.record("an answer instead of \(code)")
  } catch let error as RPCError {
    #expect(error.code == code)
    #expect(error.message.contains(text), "\(error.message)")
  } catch {
    Issue.record("\(error)")
  }
}

/// A collector and an aggregator that only know their status.
private struct ScriptedNeighbours: RPCEndpoint {
  static let serviceName = CollectorMethods.service

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(CollectorMethods.getStatus) { _ in
      var status = CollectorStatus()
      status.nextPosition = 9
      status.refusing = "no room"
      return status
    }
    routes.unary(AggregatorMethods.getStatus) { _ in
      var status = AggregatorStatus()
      status.nextPosition = 4
      status.isFollowing = true
      return status
    }
  }
}
