import Glibc
import QueryClient
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Heartbeats through the real processes: said at both doors, killed and repeated, and shown everywhere.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CompletenessTests {
  private func curl(
    _ cluster: Cluster, _ token: String, _ path: String, body: String? = nil
  ) async throws -> String {
    var arguments = [
      "-sS", "-m", "20", "-H", "Authorization: Bearer \(token)",
      "http://127.0.0.1:\(cluster.settings.gatewayPort)\(path)",
    ]
    if let body { arguments += ["-H", "Content-Type: application/json", "--data-binary", body] }
    return try await Cluster.run(
      "/usr/bin/curl", arguments, environment: ["PATH": "/usr/bin"],
      outputPath: "\(cluster.directory)/answer"
    ).output
  }

  private func sources(_ cluster: Cluster, count: Int) async throws -> [SourceProgress] {
    try await eventually {
      let sources = try? await cluster.call("query") { try await QueryClient($0).listSources() }
      return sources?.count == count ? sources : nil
    }
  }

  /// The days before today, by day: whether each total is final.
  private func totals(
    _ cluster: Cluster, of hours: Range<Hour>
  ) async throws -> SummarizeResponse {
    try await cluster.call("query") { channel in
      try await QueryClient(channel).summary(SummarizeRequest(caller: .operator, hours: hours))
    }
  }

  @Test func `usage is estimated until every source is complete, whatever is killed`() async throws
  {
    try await withCluster { cluster in
      let token = try await cluster.operatorToken()
      for service in Cluster.services { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let now = SystemClock().now().hour
      let usageHour = Hour(index: now.index - 3)
      let hours = usageHour..<usageHour.next
      try await cluster.postBlindly(
        [Reports.event("1", Quantity(5), subscription: "s", at: usageHour.start)], token: token)
      _ = try await Reports.settledTotals(cluster, position: 2)
      // One source by each door: the one is complete past the hour, the other is not.
      let said = try await cluster.command(
        "heartbeat", "early", "--complete-until", now.start.description, "--every", "15m")
      #expect(said.status == .exited(0) && said.output.contains("every 15m"), "\(said.output)")
      let late = #"{"source":"late","cadenceSeconds":60,"completeUntil":""#
      let posted = try await curl(
        cluster, token, "/v1/heartbeats", body: late + "\(usageHour.start)\"}")
      #expect(posted.contains(#""source":"late","cadenceSeconds":60"#), "\(posted)")
      let before = try await sources(cluster, count: 2)
      #expect(try await totals(cluster, of: hours).missing == MissingSources(["late"]))
      for service in ["collector", "aggregator", "query"] {
        try await cluster.kill(service)
        try cluster.start(service)
      }
      try await cluster.serving("collector", "aggregator", "query")
      let after = try await sources(cluster, count: 2)
      #expect(after.map(\.completeUntil) == before.map(\.completeUntil))
      #expect(after.map(\.heardTime) == before.map(\.heardTime))
      // An older word has no effect on a collector that was started anew.
      let older = try await curl(
        cluster, token, "/v1/heartbeats",
        body: late + "\(Hour(index: usageHour.index - 9).start)\"}")
      #expect(older.contains(usageHour.start.description), "\(older)")
      try await expectAnswers(cluster, token)
      let complete = try await cluster.command(
        "heartbeat", "late", "--complete-until", usageHour.end.description, "--every", "1m")
      #expect(complete.status == .exited(0), "\(complete.output)")
      _ = try await eventually {
        try await sources(cluster, count: 2)[1].completeUntil == usageHour.end ? true : nil
      }
      #expect(try await totals(cluster, of: hours).missing.isEmpty)
      // The window of the report is open still, so the total may grow. Ended, nobody is waited for.
      for name in ["early", "late"] {
        let ended = try await cluster.command("heartbeat", name, "--ended")
        #expect(ended.output.contains("no more is expected"), "\(ended.output)")
      }
      _ = try await sources(cluster, count: 0)
      let none = try await cluster.command("sources")
      #expect(none.output.contains("no source is declared"))
    }
  }

  /// What the command line and the gateway show while `late` is missing.
  private func expectAnswers(_ cluster: Cluster, _ token: String) async throws {
    let usage = try await cluster.command("usage", "--list", "--from", "2000-01-01")
    #expect(usage.output.contains("estimated: waits for late"), "\(usage.output)")
    let listed = try await cluster.command("sources")
    #expect(listed.output.contains("early") && listed.output.contains("15m"), "\(listed.output)")
    let windows = try await cluster.command("windows")
    #expect(windows.output.contains("estimated"), "\(windows.output)")
    let native = try await curl(cluster, token, "/v1/usage/summary")
    #expect(
      native.contains(#""final":false"#) && native.contains(#""names":["late"]"#), "\(native)")
    let made = try await cluster.command(
      "token", "create", "--role", "tenant", "--subscription", "s")
    let tenant = String(made.output.split(separator: "\n").last ?? "")
    let own = try await eventually {
      let answer = try await curl(cluster, tenant, "/v1/usage/summary")
      return answer.contains("value") ? answer : nil
    }
    #expect(own.contains(#""missingSources":{"count":1}"#) && !own.contains("late"), "\(own)")
    let azure = try await curl(
      cluster, token,
      "/subscriptions/s/providers/Microsoft.Commerce/UsageAggregates?api-version=2015-06-01-preview"
        + "&reportedStartTime=2026-01-01T00:00:00Z&reportedEndTime=2026-01-02T00:00:00Z")
    #expect(!azure.contains("final") && !azure.contains("late"), "\(azure)")
    let refused = try await cluster.command(
      "heartbeat", "early", "--complete-until", "2200-01-01", "--every", "1h")
    #expect(refused.output.contains("complete_until: "), "\(refused.output)")
  }
}
