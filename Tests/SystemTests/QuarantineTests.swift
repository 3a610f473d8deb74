import CollectorClient
import GRPCCore
import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// What is refused, through the real processes and the command line.
@Suite(.serialized, .timeLimit(.minutes(3))) struct QuarantineTests {
  /// A catalog of these meters.
  private static func writeCatalog(_ path: String, _ meters: [String]) throws {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member(
        "meters",
        array: { writer in
          for id in meters {
            writer.meter(
              Meter(
                id: id, name: id, unit: "h", category: "Test", resourceProvider: "test",
                aggregation: .sum, isBillable: true))
          }
        })
    }
    try writer.bytes.write(to: path)
  }

  private func withQuarantineCluster(
    _ body: (Cluster, _ catalog: String) async throws -> Void
  ) async throws {
    try await withTemporaryDirectory { directory in
      let catalog = "\(directory)/meters.json"
      try Self.writeCatalog(catalog, ["known"])
      try await withCluster(overrides: ["STACKMETER_METER_CATALOG": catalog]) { cluster in
        try await body(cluster, catalog)
      }
    }
  }

  private func report(_ events: [UsageEvent], to cluster: Cluster) async throws -> [EventResult] {
    try await cluster.call("collector") { channel in
      try await Reports.reportBlindly(events, to: CollectorClient(channel))
    }
  }

  @Test func `an unknown meter is refused, added, redriven and counted once, whatever is killed`()
    async throws
  {
    try await withQuarantineCluster { cluster, catalog in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let start = SystemClock().now().advanced(by: .seconds(-120))
      let events = (0..<100).map { number in
        var event = Reports.event("\(number)", Quantity(2), subscription: "s", at: start)
        event.series.meter = Reports.meter
        return event
      }
      for _ in 0..<3 {
        let results = try await report(events, to: cluster)
        #expect(results.allSatisfy { $0.refusal?.reason == .unknownMeter })
      }
      try await cluster.kill("collector")
      try cluster.start("collector")
      try await cluster.serving("collector")
      _ = try await report(events, to: cluster)
      let listed = try await cluster.command("quarantine", "list", "--limit", "1000", "--json")
      #expect(listed.status == .exited(0), "\(listed.output)")
      #expect(listed.output.split(separator: "\n").count == 100, "\(listed.output)")
      let refused = try await cluster.command("quarantine", "redrive", "1")
      #expect(refused.status == .exited(1))
      #expect(refused.output.hasPrefix("1: UnknownMeter: series.meter "), "\(refused.output)")

      try Self.writeCatalog(catalog, ["known", Reports.meter])
      for service in ["collector", "aggregator", "query"] {
        try await cluster.kill(service)
        try cluster.start(service)
      }
      try await cluster.serving("collector", "aggregator", "query")
      let dryRun = try await cluster.command("quarantine", "redrive", "--all", "--dry-run")
      #expect(dryRun.output == "100 entries would be redriven\n", "\(dryRun.output)")
      // Killed while it redrives, part by part, until all is done.
      var random = try SeededRandom()
      for number in 0..<5 {
        let pause = Int.random(in: 0...60, using: &random)
        async let killed: Void = {
          try await Task.sleep(for: .milliseconds(pause))
          try await cluster.kill("collector")
        }()
        try? await cluster.call("collector") { channel in
          for first in stride(from: number * 20 + 1, to: number * 20 + 21, by: 4) {
            _ = try await CollectorClient(channel).redriveQuarantine(
              .numbers((first..<first + 4).map { UInt64($0) }))
          }
        }
        try await killed
        try cluster.start("collector")
        try await cluster.serving("collector")
      }
      let redriven = try await cluster.command("quarantine", "redrive", "--all")
      #expect(redriven.status == .exited(0), "\(redriven.output)")
      for _ in 0..<2 {
        let totals = try await Reports.settledTotals(cluster, position: 101)
        #expect(totals == ["s": Quantity(200)])
        let again = try await cluster.command(
          ["quarantine", "redrive"] + (1...100).map { "\($0)" })
        #expect(
          again.output == "100 redriven\n" || again.output.contains("not there"), "\(again.output)")
        let results = try await report(events, to: cluster)
        #expect(results.allSatisfy { if case .duplicate = $0 { true } else { false } })
      }
      let status = try await cluster.call("collector") { try await CollectorClient($0).status() }
      #expect(status.nextPosition == 101 && status.quarantineEntries == 0)
    }
  }

  @Test func `entries are listed, shown and discarded at the command line`() async throws {
    try await withQuarantineCluster { cluster, _ in
      try cluster.start("collector")
      try await cluster.serving("collector")
      let start = SystemClock().now().advanced(by: .seconds(-120))
      _ = try await report(
        ["1", "2"].map { Reports.event($0, Quantity(1), subscription: "s\($0)", at: start) },
        to: cluster)
      let list = try await cluster.command("quarantine")
      #expect(list.output.split(separator: "\n").count == 3, "\(list.output)")
      let show = try await cluster.command("quarantine", "show", "2")
      #expect(show.output.contains("subscription  s2\n"), "\(show.output)")
      let absent = try await cluster.command("quarantine", "show", "9")
      #expect(absent.status == .exited(Int32(EX_DATAERR)))
      #expect(absent.output.contains("the quarantine has no entry 9"), "\(absent.output)")
      let discard = try await cluster.command(
        "quarantine", "discard", "--all", "--subscription", "S1")
      #expect(discard.output == "1 discarded\n" && discard.status == .exited(0))
      let left = try await cluster.command("quarantine", "list", "--all", "--json")
      #expect(left.output.contains(#""number":1,"state":"discarded""#), "\(left.output)")
      #expect(left.output.contains(#""number":2,"state":"open""#), "\(left.output)")
    }
  }
}
