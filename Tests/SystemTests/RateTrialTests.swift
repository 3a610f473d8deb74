import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

/// Drafts of rate cards are tried and refused by the command line, with the real processes below it.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RateTrialTests {
  private static func card(_ version: Int, _ effective: String, price: String) -> String {
    """
    card standard
    version \(version)
    effective \(effective)
    currency EUR
    meter \(Reports.meter)
      rate
        price \(price)
    """
  }

  @Test func `a card whose difference passes the limit is not added, and the tenants are named`()
    async throws
  {
    try await withCluster { cluster in
      try StateLock.makeDirectory(cluster.settings.stateDirectory)
      let window = Instant(parsing: "2026-10-20T10:00:00Z")!.hour
      try ClosedUsage(path: cluster.settings.usageDatabase).write(
        [("small", 1), ("large", 1000)].map { name, quantity in
          ClosedUsage.Row(
            window: window,
            series: Series(
              subscription: name, meter: Reports.meter, resource: Resource(uri: "/r")),
            usageHour: window, quantity: Quantity(quantity))
        }, open: Instant(parsing: "2026-11-01T00:00:00Z")!.hour)
      for service in ["aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("aggregator", "query")
      let (first, second) = ("\(cluster.directory)/first", "\(cluster.directory)/second")
      try Array(Self.card(1, "2026-10-01", price: "0.50").utf8).write(to: first)
      try Array(Self.card(2, "2026-12-01", price: "0.52").utf8).write(to: second)
      let applied = try await cluster.command("rates", "apply", first)
      try #require(applied.status == .exited(0), "\(applied.output)")
      let tried = try await cluster.command("rates", "try", second, "--period", "2026-10")
      #expect(tried.status == .exited(0))
      #expect(
        tried.output == """
          large: 500.00 -> 520.00 (+20.00, +4.0%)
            agent-cpu-core-seconds: 500.00 -> 520.00 (+20.00, +4.0%)
          small: 0.50 -> 0.52 (+0.02, +4.0%)
            agent-cpu-core-seconds: 0.50 -> 0.52 (+0.02, +4.0%)
          2 subscriptions in 2026-10, 2 with a difference: 500.50 -> 520.52 (+20.02, +4.0%) EUR

          """)
      let limited = try await cluster.command(
        "rates", "try", second, "--period", "2026-10", "--limit", "3.9999%", "--totals")
      #expect(limited.status == .exited(65))
      #expect(limited.output.contains("passes 3.9999% for large, small"), "\(limited.output)")
      let refused = try await cluster.command(
        "rates", "apply", second, "--limit", "3%", "--period", "2026-10")
      #expect(refused.status == .exited(65))
      #expect(refused.output.contains("passes 3% for large, small"), "\(refused.output)")
      let listed = try await cluster.command("rates", "list")
      #expect(!listed.output.contains("2026-12-01"), "\(listed.output)")
      let taken = try await cluster.command(
        "rates", "apply", second, "--limit", "4%", "--period", "2026-10")
      #expect(taken.status == .exited(0) && taken.output.contains(": added"), "\(taken.output)")
      let wrong = try await cluster.command("rates", "apply", second, "--period", "2026-10")
      #expect(wrong.output.contains("--period is of --limit"), "\(wrong.output)")
    }
  }
}
