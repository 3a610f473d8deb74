import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

/// The directory of subscriptions through the real processes and the command line.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SubscriptionTests {
  @Test func `usage is shown with the directory's names, and counted without them`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/subscriptions.json"
      let good = #"{"subscriptions":[{"id":"S-1","displayName":"Team One","owner":"ann"}]}"#
      try Array(good.utf8).write(to: path)
      try await withCluster(overrides: ["STACKMETER_SUBSCRIPTIONS": path]) { cluster in
        let token = try await cluster.operatorToken()
        for service in Cluster.services { try cluster.start(service) }
        try await cluster.serving("collector", "aggregator", "query")
        let start = SystemClock().now().hour.start
        try await cluster.postBlindly(
          [
            Reports.event("1", Quantity(5), subscription: "s-1", at: start),
            Reports.event("2", Quantity(7), subscription: "s-2", at: start),
          ], token: token)
        _ = try await Reports.settledTotals(cluster, position: 3)
        let usage = try await cluster.command(
          "usage", "--by", "subscription,meter", "--from", "2026-01-01")
        #expect(usage.output.contains("Team One (s-1)"), "\(usage.output)")
        let listed = try await cluster.command("subscriptions")
        let lines = listed.output.split(separator: "\n")
        #expect(
          lines.contains { $0.contains("s-1") && $0.contains("ann") && $0.contains("active") })
        #expect(lines.contains { $0.contains("s-2") && $0.contains("unassigned") })
        let checked = try await cluster.command("subscriptions", "check", path)
        #expect(
          checked.status == .exited(0) && checked.output.contains("1 subscriptions, all good"))
        try Array(#"{"subscriptions":[{"id":""},{"id":"x","state":"y"}]}"#.utf8).write(to: path)
        let wrong = try await cluster.command("subscriptions", "check", path)
        #expect(wrong.status == .exited(65))
        #expect(wrong.output.split(separator: "\n").count == 2, "\(wrong.output)")
        // The aggregator starts with a bad file, keeps what it had, and says so.
        try await cluster.kill("aggregator")
        try cluster.start("aggregator")
        _ = try await eventually {
          let status = try await cluster.command("status")
          return status.output.contains("subscriptions[1].state: must be one of") ? true : nil
        }
        let kept = try await cluster.command("subscriptions", "list", "--json")
        #expect(kept.output.contains(#""displayName":"Team One""#), "\(kept.output)")
      }
    }
  }
}
