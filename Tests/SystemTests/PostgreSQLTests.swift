import CollectorClient
import LocalPostgreSQL
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

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
      // An aggregator that starts while the server does not answer ends; a supervisor starts it again.
      if !cluster.isRunning("aggregator") { try cluster.start("aggregator") }
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
}
