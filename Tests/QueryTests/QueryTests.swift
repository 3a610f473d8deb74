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
    hasDatabase: Bool = true, sources: [ReportingSource] = [], neighbours: [any RPCEndpoint] = [],
    sumTime: Duration = .seconds(1), _ body: (QueryClient) async throws -> Void
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
        try writer.put(sources: sources, removing: [])
        window.missing = MissingSources(sources.map(\.name))
        _ = try writer.count([window], from: database.position(), in: 9, .bulk)
        try writer.commit(
          PipelinePosition(
            nextPosition: 4, reportedTime: Hour(index: 101).start, openWindow: Hour(index: 101),
            journalID: 9))
      }
      try await withInProcessChannel(endpoints: neighbours) { neighbour in
        let query = Query(
          database: .sqlite(path: path, cell: "local"), tokenKey: Array(repeating: 1, count: 32),
          collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour),
          clock: SimulatedClock(Hour(index: 101).start), sumTime: sumTime)
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

  @Test(arguments: [Duration.seconds(60), .zero])
  func `sums without resources are those of whom the caller may see, however long they may take`(
    sumTime: Duration
  ) async throws {
    try await withQuery(sumTime: sumTime) { query in
      for (caller, expected) in [
        (Caller.operator, ["a 2", "b 3", "c 5"]),
        (.tenant(subscriptions: ["c", "a"]), ["a 2", "c 5"]),
        (.tenant(subscriptions: ["nobody"]), []),
      ] {
        var request = ListUsageRequest(
          caller: caller, windows: Self.windows, granularity: .daily, withoutResources: true)
        var sums: [String] = []
        repeat {
          let page = try await query.listUsage(request)
          sums += page.aggregates.map { "\($0.series.subscription) \($0.quantity)" }
          #expect(page.aggregates.allSatisfy { $0.series.resource.uri.isEmpty })
          if sumTime == .zero { #expect(page.aggregates.count <= 1) }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(sums == expected)
      }
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
        try await query.listWindows(ListWindowsRequest(caller: .operator, pageSize: 1001))
      }
    }
  }

  @Test func `meters and windows are listed`() async throws {
    try await withQuery { query in
      let meters = try await query.listMeters()
      #expect(meters.map(\.id) == ["CPU"])
      let windows = try await query.listWindows(ListWindowsRequest(caller: .operator))
      #expect(windows.windows.map(\.hour.index) == [101, 100])
      #expect(windows.windows.map(\.isClosed) == [false, true])
      #expect(windows.windows.map(\.aggregates) == [0, 3])
    }
  }

  /// A source that is complete up to so many seconds after the end of window 100, and was heard then.
  private static func source(_ name: String, _ seconds: Int64) -> ReportingSource {
    let time = Hour(index: 101).start.advanced(by: .seconds(seconds))
    return ReportingSource(
      name: name, cadenceSeconds: 60, completeUntil: time, heardTime: time, position: 3)
  }

  private func answers(
    _ query: QueryClient, _ caller: Caller
  ) async throws -> (areFinal: [Bool], missing: [MissingSources]) {
    let page = try await query.listUsage(
      ListUsageRequest(caller: caller, windows: Self.windows, granularity: .hourly))
    let hour = Hour(index: 100)
    let summary = try await query.summary(
      SummarizeRequest(caller: caller, hours: hour..<hour.next))
    return (
      page.aggregates.map(\.isFinal) + summary.totals.map(\.isFinal),
      [page.missing, summary.missing]
    )
  }

  @Test func `usage is final where all sources are past it, else they are named to operators`()
    async throws
  {
    let (early, late) = (Self.source("early", 60), Self.source("late", -60))
    try await withQuery(sources: [early, late]) { query in
      let seen = try await answers(query, .operator)
      #expect(seen.areFinal == [false, false, false, false])
      #expect(seen.missing == [MissingSources(["late"]), MissingSources(["late"])])
      // A tenant learns that something is missing, not who reports.
      let own = try await answers(query, .tenant(subscriptions: ["a"]))
      #expect(own.areFinal == [false, false])
      #expect(own.missing.allSatisfy { $0 == MissingSources(names: [], others: 1) })
      let windows = try await query.listWindows(ListWindowsRequest(caller: .operator))
      #expect(windows.windows.map(\.isFinal) == [false, false])
      #expect(windows.windows.map(\.missingAtClose.names) == [[], ["early", "late"]])
      #expect(windows.missing.names == ["late"])
      let sources = try await query.listSources()
      #expect(sources.map(\.name) == ["early", "late"])
      #expect(sources.map(\.overdueSeconds) == [0, 0])
    }
    for sources in [[], [early, Self.source("b", 0)]] {
      try await withQuery(sources: sources) { query in
        let seen = try await answers(query, .operator)
        #expect(seen.areFinal == [true, true, true, true])
        #expect(seen.missing == [.none, .none])
        let windows = try await query.listWindows(ListWindowsRequest(caller: .operator))
        // The open window is never final.
        #expect(windows.windows.map(\.isFinal) == [false, true])
      }
    }
  }

  @Test func `a total of hours that are not over is estimated, whoever is complete`() async throws {
    try await withQuery { query in
      let day = try await query.summary(
        SummarizeRequest(caller: .operator, hours: Self.windows, byDay: true))
      #expect(day.totals.map(\.isFinal) == [false] && day.missing.isEmpty)
    }
  }

  @Test func `a source that is silent for more than two cadences is a problem with its name`()
    async throws
  {
    try await withQuery(
      sources: [Self.source("kept", -180), Self.source("silent", -181)],
      neighbours: [ScriptedNeighbours()]
    ) { query in
      let problems = try await query.status().problems.filter { $0.hasPrefix("sources: ") }
      #expect(problems.count == 1 && problems[0].contains("silent is overdue"))
      #expect(!problems[0].contains("kept"))
      #expect(try await query.listSources().map(\.overdueSeconds) == [120, 121])
    }
  }

  @Test func `a caller sees the subscriptions of its scope, page by page`() async throws {
    try await withQuery { query in
      func ids(_ request: ListSubscriptionsRequest) async throws -> [String] {
        let page = try await query.listSubscriptions(request)
        return page.subscriptions.map(\.id) + (page.nextAfter.isEmpty ? [] : ["…"])
      }
      #expect(try await ids(ListSubscriptionsRequest(caller: .operator)) == ["a", "b", "c"])
      #expect(
        try await ids(ListSubscriptionsRequest(caller: .operator, after: "a", pageSize: 1)) == [
          "b", "…",
        ])
      let tenant = Caller.tenant(subscriptions: ["b", "x"])
      #expect(try await ids(ListSubscriptionsRequest(caller: tenant)) == ["b"])
      #expect(try await ids(ListSubscriptionsRequest(caller: tenant, ids: ["a"])) == [])
      #expect(try await ids(ListSubscriptionsRequest(caller: tenant, ids: ["a", "B"])) == ["b"])
      let page = try await query.listSubscriptions(ListSubscriptionsRequest(caller: tenant))
      #expect(page.subscriptions.map(\.state) == [.unassigned])
      await expectFailure(.invalidArgument, "page_size") {
        try await query.listSubscriptions(
          ListSubscriptionsRequest(caller: .operator, pageSize: 1001))
      }
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

  @Test func `usage is final only when every cell has closed its windows`() async throws {
    let text = try await TestPostgreSQL.database()
    for (cell, open) in [("local", Int64(106)), ("south", 101)] {
      let store = try PostgreSQLUsageStore(text, cell: cell)
      let writer = try UsageWriter(store: store, latenessLimitDays: 7)
      try writer.begin()
      let series = Series(subscription: "a", meter: "CPU", resource: Resource(uri: "/r"))
      let hour = Hour(index: 100)
      let number = try writer.intern([
        NewSeries(series, firstWindow: hour, firstPosition: 1)
      ]) { _ in .sum }[0]
      let sum = SumDelta(
        key: SeriesHour(series: try #require(number), usageHour: hour), sum: 1, least: 0,
        greatest: 1,
        position: 1)
      let window = WindowChange(window: hour, sums: [sum], endPosition: 2)
      _ = try writer.count([window], from: store.position(), in: 9, .bulk)
      try writer.commit(
        PipelinePosition(
          nextPosition: 2, reportedTime: Hour(index: open).start, openWindow: Hour(index: open),
          journalID: 9))
    }
    try await withInProcessChannel(endpoints: []) { neighbour in
      let query = Query(
        database: .postgresql(text, cell: "local"), tokenKey: Array(repeating: 1, count: 32),
        collector: CollectorClient(neighbour), aggregator: AggregatorClient(neighbour),
        clock: SimulatedClock(Hour(index: 106).start))
      func isFinal(until end: Int64) async throws -> [Bool] {
        try await query.summarize(
          SummarizeRequest(caller: .operator, hours: Hour(index: 100)..<Hour(index: end))
        ).totals.map(\.isFinal)
      }
      #expect(try await isFinal(until: 101) == [true])
      // The other cell may still report usage of these hours, in windows that it has open.
      #expect(try await isFinal(until: 104) == [false])
      let page = try await query.listUsage(
        ListUsageRequest(
          caller: .operator, windows: Hour(index: 96)..<Hour(index: 120), granularity: .hourly))
      #expect(page.aggregates.map(\.cell) == ["local", "south"])
      #expect(page.aggregates.map(\.isFinal) == [true, true])
      let windows = try await query.listWindows(ListWindowsRequest(caller: .operator))
      #expect(windows.windows.map(\.hour.index) == [106, 101, 100])
      #expect(windows.windows.map(\.isFinal) == [false, false, true])
      await query.stop()
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
