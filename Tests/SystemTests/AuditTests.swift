import CollectorClient
import GRPCCore
import Glibc
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Explaining, verifying and rebuilding the usage database, with the real processes.
@Suite(.serialized, .timeLimit(.minutes(4))) struct AuditTests {
  private static func start(_ cluster: Cluster) async throws {
    for service in Cluster.services { try cluster.start(service) }
    try await cluster.serving("collector", "aggregator", "query")
  }

  /// Reports and waits until query serves it.
  private static func report(_ events: [UsageEvent], to cluster: Cluster) async throws {
    let position = try await cluster.call("collector") { channel in
      let collector = CollectorClient(channel)
      let results = try await collector.report(events)
      let areTaken = results.allSatisfy(\.isSuccess)
      #expect(areTaken, "\(results)")
      return try await collector.status().nextPosition
    }
    _ = try await Reports.settledTotals(cluster, position: position)
  }

  @Test func `an aggregate is explained by its events to who may see it`() async throws {
    try await withCluster { cluster in
      let tokens = [
        try await token(cluster, "Sub-1"), try await token(cluster, "sub-2"),
      ]
      try await Self.start(cluster)
      let hour = Hour(index: SystemClock().now().hour.index - 2)
      // Over the end of the hour: two thirds of it count here.
      var long = Reports.event(
        "long", Quantity(9), subscription: "sub-1", at: hour.start.advanced(by: .seconds(3560)))
      long.usageEnd = long.usageStart.advanced(by: .seconds(60))
      let one = Reports.event("one", Quantity(5), subscription: "sub-1", at: hour.start)
      let other = Reports.event("other", Quantity(70), subscription: "sub-2", at: hour.start)
      var better = Reports.event("better", Quantity(3), subscription: "sub-1", at: hour.start)
      better.correction = Correction(.replaces, "one")
      try await Self.report([one, long, other], to: cluster)
      try await Self.report([better], to: cluster)
      let question = [
        "--subscription", "sub-1", "--meter", Reports.meter, "--hour", "\(hour)",
      ]
      let shown = try await cluster.command(["explain"] + question)
      #expect(shown.status == .exited(0), "\(shown.output)")
      for text in [
        "1  ", "system-test  one", "    5 of 5 in", "system-test  long", "    6 of 9 in",
        "system-test  better", "    -2 of -2 in", "replaces one at position 1",
        "3 parts make 9; the aggregate (sum) is 9, provisional",
      ] { #expect(shown.output.contains(text), "\(text): \(shown.output)") }
      #expect(!shown.output.contains("other"), "\(shown.output)")
      let lines = try await cluster.command(["explain", "--json"] + question)
      #expect(lines.output.split(separator: "\n").count == 4, "\(lines.output)")
      #expect(lines.output.contains(#""takesBack":1"#), "\(lines.output)")

      let url =
        "http://127.0.0.1:\(cluster.settings.gatewayPort)/v1/explain?subscription=SUB-1"
        + "&meter=\(Reports.meter)&usageHour=\(hour)"
      let own = try await curl(cluster, tokens[0], url)
      #expect(own.hasSuffix("200") && own.contains(#""explained":"9""#), "\(own)")
      #expect(!own.contains("problem"), "\(own)")
      let first = try await curl(cluster, tokens[0], url + "&pageSize=1")
      #expect(first.contains(#""id":"one""#) && !first.contains("long"), "\(first)")
      let foreign = try await curl(cluster, tokens[1], url)
      #expect(foreign.contains("SubscriptionNotFound") && foreign.hasSuffix("404"), "\(foreign)")
      let wrong = try await curl(cluster, tokens[0], url + "&pageSize=0&windows=1")
      #expect(wrong.contains("windows: unknown parameter") && wrong.hasSuffix("400"), "\(wrong)")
      await #expect(throws: RPCError.self) {
        try await cluster.call("query") { channel in
          try await QueryClient(channel).explain(
            ExplainRequest(
              caller: .tenant(subscriptions: ["sub-2"]), subscription: "sub-1",
              meter: Reports.meter, usageHour: hour))
        }
      }
    }
  }

  @Test func `page by page an explanation is the same`() async throws {
    try await withCluster { cluster in
      try await Self.start(cluster)
      let hour = Hour(index: SystemClock().now().hour.index - 1)
      let events = (0..<250).map {
        Reports.event("\($0)", Quantity(2), subscription: "s", at: hour.start)
      }
      try await Self.report(events, to: cluster)
      var request = ExplainRequest(
        caller: .operator, subscription: "s", meter: Reports.meter, usageHour: hour)
      var ids: [String] = []
      repeat {
        let page = try await cluster.call("query") { [request] channel in
          try await QueryClient(channel).explain(request)
        }
        #expect(page.parts.count <= ExplainRequest.pageSizeDefault)
        ids += page.parts.map(\.usage.event.id)
        #expect(page.aggregate == Quantity(500))
        #expect(page.explained == Quantity(Int32(2 * ids.count)))
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty
      #expect(ids == (0..<250).map { "\($0)" })
      request.pageToken = "AAAA"
      await #expect(throws: RPCError.self) {
        try await cluster.call("query") { [request] in
          try await QueryClient($0).explain(request)
        }
      }
    }
  }

  @Test func `a database is verified while it grows, and what was changed in it is found`()
    async throws
  {
    try await withCluster { cluster in
      try await Self.start(cluster)
      let start = Hour(index: SystemClock().now().hour.index - 1).start
      for round in 0..<5 {
        async let verified = cluster.command("verify")
        for part in 0..<10 {
          let events = (0..<100).map {
            Reports.event(
              "\(round)-\(part)-\($0)", Quantity(1), subscription: "s\($0 % 7)", at: start)
          }
          _ = try await cluster.call("collector") { try await CollectorClient($0).report(events) }
        }
        let (status, output) = try await verified
        // In the first round there may be no event, and so no journal, in the database yet.
        #expect(status == .exited(0), "\(output)")
        #expect(output.contains("is what the journal makes"), "\(output)")
      }
      _ = try await Reports.settledTotals(cluster, position: 5001)
      #expect(try await cluster.stop("aggregator") == .exited(0))
      try await sqlite(
        cluster,
        """
        UPDATE aggregate SET units = units + 1
        WHERE window = (SELECT open_window FROM pipeline)
        """)
      let (status, output) = try await cluster.command("verify")
      #expect(status == .exited(1), "\(output)")
      #expect(output.contains("DIFFERENT: window "), "\(output)")
      #expect(output.contains("the usage database is not what the journal makes"), "\(output)")
    }
  }

  @Test func `a row that is changed by hand turns readiness red, and green once it is put right`()
    async throws
  {
    try await withCluster(overrides: ["STACKMETER_AGGREGATOR_AUDIT_INTERVAL_SECONDS": "1"]) {
      cluster in
      let bearer = try await cluster.operatorToken()
      try await Self.start(cluster)
      let start = Hour(index: SystemClock().now().hour.index - 1).start
      try await Self.report(
        (0..<10).map { Reports.event("\($0)", Quantity(1), subscription: "s", at: start) },
        to: cluster)
      let url = "http://127.0.0.1:\(cluster.settings.gatewayPort)"
      _ = try await eventually {
        try await curl(cluster, bearer, "\(url)/readyz").hasSuffix("200") ? true : nil
      }
      try await sqlite(cluster, "UPDATE aggregate SET units = units + 1")
      _ = try await eventually {
        try await curl(cluster, bearer, "\(url)/readyz").hasSuffix("503") ? true : nil
      }
      let status = try await curl(cluster, bearer, "\(url)/v1/status")
      for text in [
        #""healthy":false"#, "the usage database counts 11 of meter \(Reports.meter)",
        "but the journal accepted 10", "stackmeter verify",
      ] { #expect(status.contains(text), "\(text): \(status)") }
      #expect(cluster.log("aggregator").contains("is not what the journal makes"))
      try await sqlite(cluster, "UPDATE aggregate SET units = units - 1")
      _ = try await eventually {
        try await curl(cluster, bearer, "\(url)/readyz").hasSuffix("200") ? true : nil
      }
    }
  }

  @Test func `a rebuild that is killed goes on, and makes the same database`() async throws {
    try await withCluster { cluster in
      try await Self.start(cluster)
      let start = Hour(index: SystemClock().now().hour.index - 1).start
      for part in 0..<20 {
        let events = (0..<5000).map {
          Reports.event(
            "\(part)-\($0)", Quantity(1), subscription: "s\($0 % 50)", at: start)
        }
        _ = try await cluster.call("collector") { try await CollectorClient($0).report(events) }
      }
      _ = try await Reports.settledTotals(cluster, position: 100_001)
      let live = cluster.settings.usageDatabase
      let refused = try await cluster.command("rebuild")
      #expect(refused.status == .exited(1), "\(refused.output)")
      #expect(refused.output.contains("nothing is overwritten"), "\(refused.output)")
      // While everything runs, and killed at some time again and again.
      let new = "\(cluster.directory)/new.sqlite"
      var random = try SeededRandom()
      var kills = 0
      while access(new, F_OK) != 0 {
        let process = try ChildProcess(
          "\(Cluster.programs)/stackmeter", ["rebuild", "--output", new],
          environment: cluster.environmentOfServices())
        if kills < 8 {
          try await Task.sleep(for: .milliseconds(Int.random(in: 1...300, using: &random)))
          process.signal(SIGKILL)
        }
        kills += 1
        let status = try await process.waitForExit()
        #expect(status == .exited(0) || status == .signalled(SIGKILL))
      }
      for service in Cluster.services.reversed() { _ = try await cluster.stop(service) }
      let verified = try await cluster.command("verify", "--database", new)
      #expect(verified.status == .exited(0), "\(verified.output)")
      // In the place of the old one, whose rules it takes over.
      let old = "\(cluster.directory)/old.sqlite"
      #expect(rename(live, old) == 0)
      if access("\(live)-wal", F_OK) == 0 {
        let left = try await cluster.command("rebuild", "--old", old)
        #expect(left.output.contains("-wal is there already"), "\(left.output)")
      }
      for suffix in ["-wal", "-shm"] { _ = rename(live + suffix, old + suffix) }
      let rebuilt = try await cluster.command("rebuild", "--old", old)
      #expect(rebuilt.status == .exited(0), "\(rebuilt.output)")
      let tables = "SELECT * FROM aggregate; SELECT * FROM series; SELECT * FROM rule;"
      let rows = try await sqlite(cluster, tables, path: old)
      let rowsAgain = try await sqlite(cluster, tables)
      #expect(rows == rowsAgain)
      #expect(rows.split(separator: "\n").count > 100)
      try await Self.start(cluster)
      let totals = try await Reports.settledTotals(cluster, position: 100_001)
      #expect(totals["s0"] == Quantity(2000))
    }
  }

  private func token(_ cluster: Cluster, _ subscription: String) async throws -> String {
    let made = try await cluster.command(
      "token", "create", "--role", "tenant", "--subscription", subscription)
    return String(try #require(made.output.split(separator: "\n").last))
  }

  private func curl(_ cluster: Cluster, _ token: String, _ url: String) async throws -> String {
    try await Cluster.run(
      "/usr/bin/curl",
      ["-sS", "-m", "20", "-w", "%{http_code}", "-H", "Authorization: Bearer \(token)", url],
      environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/answer"
    ).output
  }

  /// Runs SQL as a person with the sqlite3 shell would.
  @discardableResult private func sqlite(
    _ cluster: Cluster, _ sql: String, path: String? = nil
  ) async throws -> String {
    let run = try await Cluster.run(
      "/usr/bin/sqlite3", [path ?? cluster.settings.usageDatabase, sql],
      environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/rows")
    #expect(run.status == .exited(0), "\(run.output)")
    return run.output
  }
}
