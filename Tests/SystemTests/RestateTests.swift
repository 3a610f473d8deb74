import CollectorClient
import Glibc
import LocalPostgreSQL
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// Another aggregation for a meter that has usage, with the real processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RestateTests {
  private static let subscriptions = 20
  private static let batches = 10
  private static let eventsPerBatch = 2000

  /// The catalog with another aggregation of the meter.
  private static func write(_ aggregation: Aggregation, to path: String) throws {
    let text = """
      {"meters": [{"id": "\(Reports.meter)", "name": "CPU", "unit": "s", "category": "Compute",
        "resourceProvider": "test", "aggregation": "\(aggregation.rawValue)", "billable": true}]}
      """
    try Array(text.utf8).write(to: path)
  }

  private static func start(_ cluster: Cluster) async throws {
    for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
    try await cluster.serving("collector", "aggregator", "query")
  }

  /// Restarts what reads the catalog.
  private static func restart(_ cluster: Cluster) async throws {
    for service in ["aggregator", "collector"] {
      #expect(try await cluster.stop(service) == .exited(0))
    }
    for service in ["collector", "aggregator"] { try cluster.start(service) }
    try await cluster.serving("collector", "aggregator")
    try await following(cluster)
  }

  /// Returns once the aggregator reads the journal.
  private static func following(_ cluster: Cluster) async throws {
    _ = try await eventually {
      let status = try await cluster.command("status", "--json")
      return status.output.contains(#""following":true"#) ? true : nil
    }
  }

  /// Events of quantities up to 100 in each of two usage hours of each subscription; what they add up to, and the sum
  /// of the greatest.
  private static func report(_ cluster: Cluster) async throws -> (
    sums: [String: Quantity], greatest: [String: Quantity], position: UInt64
  ) {
    let hour = Hour(index: SystemClock().now().hour.index - 3)
    var (sums, greatest): ([String: Int32], [String: [Int32]]) = ([:], [:])
    for batch in 0..<batches {
      let events = (0..<eventsPerBatch).map { number in
        let subscription = "s\(number % subscriptions)"
        let (quantity, half) = (Int32(number * 7 % 101), number / subscriptions % 2)
        sums[subscription, default: 0] += quantity
        greatest[subscription, default: [0, 0]][half] = max(
          greatest[subscription]?[half] ?? 0, quantity)
        return Reports.event(
          "\(batch)-\(number)", Quantity(quantity), subscription: subscription,
          at: hour.start.advanced(by: .seconds(half * 3600)))
      }
      let results = try await cluster.call("collector") {
        try await CollectorClient($0).report(events)
      }
      #expect(results.count == events.count)
      let areTaken = results.allSatisfy(\.isSuccess)
      #expect(areTaken)
    }
    return (
      sums.mapValues { Quantity($0) }, greatest.mapValues { Quantity($0[0] + $0[1]) },
      UInt64(batches * eventsPerBatch + 1)
    )
  }

  /// Kills the aggregator or the command at any time until the restatement is there. Totals are those of the old rule
  /// or those of the new one, and nothing between.
  private static func restateKilled(
    _ cluster: Cluster, _ sums: [String: Quantity], _ greatest: [String: Quantity],
    position: UInt64
  ) async throws {
    var random = try SeededRandom()
    for round in 0..<10 {
      let command = try ChildProcess(
        "\(Cluster.programs)/stackmeter", ["restate"], environment: cluster.environmentOfServices())
      try await Task.sleep(for: .milliseconds(Int.random(in: 1...900, using: &random)))
      if round % 3 == 0 { command.signal(SIGKILL) } else { try await cluster.kill("aggregator") }
      _ = try await command.waitForExit()
      if !cluster.isRunning("aggregator") { try cluster.start("aggregator") }
      try await cluster.serving("aggregator")
      try await following(cluster)
      let totals = try await Reports.settledTotals(cluster, position: position)
      #expect(totals == sums || totals == greatest)
    }
    let done = try await eventually { () async throws -> String? in
      // One that was asked for before the command was killed may still be under way.
      let run = try await cluster.command("restate")
      return run.status == .exited(0) ? run.output : nil
    }
    #expect(
      done.contains("differences were booked in window") || done.hasPrefix("0 differences"),
      "\(done)")
    #expect(try await Reports.settledTotals(cluster, position: position) == greatest)
    let again = try await cluster.command("restate")
    #expect(
      again.status == .exited(0) && again.output.hasPrefix("0 differences"), "\(again.output)")
  }

  /// One more event, late, which is the greatest of its hour.
  private static func reportGreater(
    _ cluster: Cluster, _ greatest: [String: Quantity], position: UInt64
  ) async throws {
    let hour = Hour(index: SystemClock().now().hour.index - 4)
    let event = Reports.event("greater", Quantity(1000), subscription: "s0", at: hour.start)
    _ = try await cluster.call("collector") { try await CollectorClient($0).report([event]) }
    let other = Reports.event("less", Quantity(999), subscription: "s0", at: hour.start)
    _ = try await cluster.call("collector") { try await CollectorClient($0).report([other]) }
    let totals = try await Reports.settledTotals(cluster, position: position + 2)
    #expect(totals["s0"] == greatest["s0"]?.adding(Quantity(1000)))
  }

  @Test func `a changed catalog is restated once, whatever is killed, and verifies and rebuilds`()
    async throws
  {
    let directory = try TemporaryDirectory()
    let catalog = "\(directory.path)/meters.json"
    try Self.write(.sum, to: catalog)
    try await withCluster(overrides: ["STACKMETER_METER_CATALOG": catalog]) { cluster in
      try await Self.start(cluster)
      let (sums, greatest, position) = try await Self.report(cluster)
      #expect(try await Reports.settledTotals(cluster, position: position) == sums)
      let nothing = try await cluster.command("restate", "--dry-run")
      #expect(nothing.output.hasPrefix("0 differences"), "\(nothing.output)")

      try Self.write(.max, to: catalog)
      try await Self.restart(cluster)
      let status = try await cluster.command("status")
      #expect(status.output.contains("the catalog says max"), "\(status.output)")
      let dry = try await cluster.command("restate", "--dry-run")
      #expect(dry.status == .exited(0), "\(dry.output)")
      for text in [
        "\(Reports.meter): sum would become max: 40 of 40 usage hours change, of 20 series",
        "40 differences would be booked, as of journal position \(position); nothing was changed",
        "  s0  \(Reports.meter)  /subscriptions/s0/resource  -",
      ] { #expect(dry.output.contains(text), "\(text): \(dry.output)") }
      #expect(try await Reports.settledTotals(cluster, position: position) == sums)

      try await Self.restateKilled(cluster, sums, greatest, position: position)
      let after = try await cluster.command("status")
      #expect(!after.output.contains("the catalog says max"), "\(after.output)")
      try await Self.reportGreater(cluster, greatest, position: position)
      let verified = try await cluster.command("verify")
      #expect(verified.status == .exited(0), "\(verified.output)")
      try await rebuildsTheSame(cluster)
    }
  }

  @Test func `a database in PostgreSQL is restated too`() async throws {
    let server = try await PostgreSQLServer.start(
      below: "/var/tmp", settings: TestPostgreSQL.settings)
    let directory = try TemporaryDirectory()
    let catalog = "\(directory.path)/meters.json"
    try Self.write(.sum, to: catalog)
    let overrides = [
      "STACKMETER_METER_CATALOG": catalog,
      "STACKMETER_STORE_POSTGRESQL": server.connectionText(),
    ]
    try await withCluster(overrides: overrides) { cluster in
      try await Self.start(cluster)
      let (sums, greatest, position) = try await Self.report(cluster)
      #expect(try await Reports.settledTotals(cluster, position: position) == sums)
      try Self.write(.max, to: catalog)
      try await Self.restart(cluster)
      try await Self.restateKilled(cluster, sums, greatest, position: position)
      try await Self.reportGreater(cluster, greatest, position: position)
    }
    try await server.stop()
  }

  private func rebuildsTheSame(_ cluster: Cluster) async throws {
    for service in ["query", "aggregator", "collector"] {
      #expect(try await cluster.stop(service) == .exited(0))
    }
    let new = "\(cluster.directory)/new.sqlite"
    let rebuilt = try await cluster.command("rebuild", "--output", new)
    #expect(rebuilt.status == .exited(0), "\(rebuilt.output)")
    let tables = """
      SELECT * FROM aggregate; SELECT * FROM series; SELECT * FROM rule;
      SELECT window, hex(hash) FROM closed_window; SELECT *, hex(event) FROM value_sample;
      """
    var rows: [String] = []
    for path in [cluster.settings.usageDatabase, new] {
      let run = try await Cluster.run(
        "/usr/bin/sqlite3", [path, tables], environment: ["PATH": "/usr/bin"],
        outputPath: "\(cluster.directory)/rows")
      #expect(run.status == .exited(0))
      rows.append(run.output)
    }
    #expect(rows[0] == rows[1])
    #expect(rows[0].contains("\(Reports.meter)|2|") && rows[0].count > 100_000)
  }
}
