import CollectorClient
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// A disk that is full under the usage database, while the journal has room.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DatabaseFullTests {
  private static let diskMebibytes = 32

  @Test
  func
    `a full disk under the usage database is told, and what waited is counted once there is space`()
    async throws
  {
    try await withCluster { cluster in
      _ = try await cluster.operatorToken()
      try cluster.start("collector")
      try await cluster.serving("collector")
      let disk = try await SmallDisk(cluster, "aggregator", mebibytes: Self.diskMebibytes)
      try disk.run("query")
      try cluster.start("gateway")
      try await cluster.serving("query")
      _ = try await report(cluster, "first", count: 10)
      let before = try await Reports.settledTotals(cluster, position: 11)
      #expect(before == ["full": Quantity(10)])
      _ = try await eventually { try await readiness(cluster) == 200 ? true : nil }

      try disk.fill(leaving: 64 << 10)
      for batch in 0..<3 { try await report(cluster, "wide-\(batch)", count: 1000) }
      let status = try await eventually { () async throws -> PipelineStatus? in
        let status = try await cluster.call("query") { try await QueryClient($0).status() }
        return status.aggregator?.faults.isEmpty == false ? status : nil
      }
      let text = "the usage database cannot be written: "
      #expect(status.aggregator?.faults.first?.hasPrefix(text) == true, "\(status)")
      #expect(status.aggregator?.faults.first?.contains("full") == true, "\(status)")
      #expect(status.problems.count == 1 && status.problems[0].contains(text), "\(status)")
      #expect(try await readiness(cluster) == 503)
      // Events are taken all the same, and what was counted is answered.
      let position = try await report(cluster, "last", count: 5)
      #expect(status.collector?.refusing == "")
      #expect(try await Reports.totals(cluster) == before)

      try disk.free()
      let after = try await Reports.settledTotals(cluster, position: position)
      #expect(after == ["full": Quantity(3015)])
      _ = try await eventually { try await readiness(cluster) == 200 ? true : nil }
      let log = try disk.log
      #expect(log.contains("database or disk is full"), "\(log)")
      #expect(log.contains("the journal is applied again"), "\(log)")
      // Once, not with every attempt.
      #expect(log.split(separator: "\n").count { $0.contains("cannot be written") } <= 4, "\(log)")
      try await disk.stop()
    }
  }

  /// Events of as many series with long names; the collector's position afterwards.
  @discardableResult private func report(
    _ cluster: Cluster, _ name: String, count: Int
  ) async throws -> UInt64 {
    let start = SystemClock().now().hour.start.advanced(by: .seconds(-3600))
    let events = (0..<count).map {
      var event = Reports.event("\(name)-\($0)", Quantity(1), subscription: "full", at: start)
      event.series.resource.uri += "/\(name)-\($0)/" + String(repeating: "x", count: 900)
      return event
    }
    return try await cluster.call("collector") { channel in
      let collector = CollectorClient(channel)
      let results = try await collector.report(events)
      let areTaken = results.allSatisfy(\.isSuccess)
      try #require(areTaken, "\(results[0])")
      return try await collector.status().nextPosition
    }
  }

  private func readiness(_ cluster: Cluster) async throws -> Int? {
    let run = try await Cluster.run(
      "/usr/bin/curl",
      [
        "-s", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}",
        "http://127.0.0.1:\(cluster.settings.gatewayPort)/readyz",
      ], environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/ready")
    return Int(run.output)
  }
}
