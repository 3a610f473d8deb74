import AggregatorClient
import CollectorClient
import LocalPostgreSQL
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

private let healthCheck = RPCMethod<HealthCheckRequest, HealthCheckResponse>(
  "grpc.health.v1.Health", "Check")

private final class StopFlag: Sendable {
  private let flag = Mutex(false)

  var isSet: Bool { flag.withLock { $0 } }

  func set() {
    flag.withLock { $0 = true }
  }
}

/// The real services over a real PostgreSQL, both of which are killed.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PostgreSQLTests {
  @Test func `aggregator and server are killed at any time, and every event is counted once`()
    async throws
  {
    let server = try await PostgreSQLServer.start(
      below: "/var/tmp", settings: TestPostgreSQL.settings)
    let overrides = ["STACKMETER_STORE_POSTGRESQL": server.connectionText()]
    try await withCluster(overrides: overrides) { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let stop = StopFlag()
      let start = SystemClock().now().hour.start.advanced(by: .seconds(-7200))
      let sum = try await withThrowingTaskGroup(of: Int32.self) { group in
        group.addTask {
          try await cluster.call("collector") { channel in
            var sum: Int32 = 0
            var number = 0
            while !stop.isSet {
              let events = (number..<number + 20).map { number in
                Reports.event(
                  "\(number)", Quantity(Int32(number % 7)), subscription: "s",
                  at: start.advanced(by: .seconds(number % 7000)))
              }
              for result in try await Reports.reportBlindly(
                events, to: CollectorClient(channel))
              { try #require(result.isSuccess) }
              sum += (number..<number + 20).reduce(0) { $0 + Int32($1 % 7) }
              number += 20
            }
            return sum
          }
        }
        group.addTask {
          var random = try SeededRandom()
          for round in 0..<8 {
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...500, using: &random)))
            if round % 2 == 0 {
              try await cluster.kill("aggregator")
              try cluster.start("aggregator")
            } else {
              try await server.crash()
            }
          }
          stop.set()
          return 0
        }
        return try await group.reduce(0, +)
      }
      #expect(cluster.isRunning("aggregator"))
      let position = try await cluster.call("collector") { channel in
        try await CollectorClient(channel).status().nextPosition
      }
      let counted = try await Reports.settledTotals(cluster, position: position)
      #expect(counted == ["s": Quantity(sum)])
      let doctor = try await cluster.command("doctor")
      #expect(doctor.output.contains("PostgreSQL 15"), "\(doctor.output)")
    }
    try await server.stop()
  }

  @Test
  func `services that start without the server wait for it, say so once, and go on by themselves`()
    async throws
  {
    let server = try await PostgreSQLServer.start(
      below: "/var/tmp", settings: TestPostgreSQL.settings)
    try await server.stop()
    let overrides = ["STACKMETER_STORE_POSTGRESQL": server.connectionText()]
    try await withCluster(overrides: overrides) { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector")
      try await notServing(cluster)
      let start = SystemClock().now().hour.start.advanced(by: .seconds(-7200))
      func report(_ name: String) async throws -> UInt64 {
        let events = (0..<20).map {
          Reports.event("\(name)-\($0)", Quantity(1), subscription: "s", at: start)
        }
        return try await cluster.call("collector") { channel in
          let results = try await Reports.reportBlindly(events, to: CollectorClient(channel))
          try #require(results.allSatisfy { $0.isSuccess })
          return try await CollectorClient(channel).status().nextPosition
        }
      }
      // Nothing is lost while it is away.
      let first = try await report("first")
      let problem = try await cluster.call("aggregator") { channel in
        try await AggregatorClient(channel).status().problem
      }
      #expect(problem.hasPrefix("usage database: PostgreSQL: "), "\(problem)")
      try await server.start()
      try await cluster.serving("aggregator", "query")
      #expect(try await Reports.settledTotals(cluster, position: first) == ["s": Quantity(20)])
      // It goes away later.
      try await server.stop()
      let second = try await report("second")
      try await notServing(cluster)
      let status = try await cluster.call("query") { try await QueryClient($0).status() }
      #expect(status.problems.contains { $0.hasPrefix("usage database: PostgreSQL: ") })
      #expect(status.problems.contains { $0.hasPrefix("aggregator: not following") })
      try await server.start()
      try await cluster.serving("aggregator", "query")
      #expect(try await Reports.settledTotals(cluster, position: second) == ["s": Quantity(40)])
      #expect(cluster.isRunning("aggregator") && cluster.isRunning("query"))
      let aggregator = cluster.log("aggregator").split(separator: "\n")
      // Once for each problem: a server that starts says so for a moment.
      let waiting = aggregator.filter { $0.contains("cannot be opened") }
      let problems = waiting.map { $0.split(separator: #""problem":""#).dropFirst().last ?? "" }
      #expect(waiting.count == Set(problems).count && !waiting.isEmpty, "\(waiting)")
      #expect(aggregator.count { $0.contains("not following the journal") } == 1, "\(aggregator)")
      #expect(aggregator.count { $0.contains("the usage database is back") } == 1)
      let query = cluster.log("query").split(separator: "\n")
      #expect(query.count { $0.contains("cannot be reached") } == 2, "\(query)")
      #expect(query.count { $0.contains("the usage database is back") } == 2, "\(query)")
    }
    try await server.stop()
  }

  /// Returns once aggregator and query answer that they do not serve.
  private func notServing(_ cluster: Cluster) async throws {
    for service in ["aggregator", "query"] {
      _ = try await eventually { () -> Bool? in
        // The socket is there before it is answered at.
        let answer = try? await withRPCChannel(socketPath: cluster.settings.socketPath(service)) {
          (try await $0.call(healthCheck, HealthCheckRequest(), timeout: .seconds(5))).status
        }
        return answer == .notServing ? true : nil
      }
    }
  }
}
