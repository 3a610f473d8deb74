import CollectorClient
import Glibc
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Synchronization
import Testing

/// How often each process is killed in one run.
private let rounds = 5

/// What the reporters of one run have sent, and whether they should go on.
private final class Ledger: Sendable {
  private struct State {
    var isOver = false
    var sums: [String: Quantity] = [:]
    var nextPosition: UInt64 = 0
  }

  private let state = Mutex(State())

  var isOver: Bool { state.withLock { $0.isOver } }
  var sums: [String: Quantity] { state.withLock { $0.sums } }
  var nextPosition: UInt64 { state.withLock { $0.nextPosition } }

  func finish() {
    state.withLock { $0.isOver = true }
  }

  func add(_ event: UsageEvent, at position: UInt64) {
    state.withLock { state in
      state.sums[event.series.subscription] =
        state.sums[event.series.subscription, default: .zero].adding(event.quantity)!
      state.nextPosition = max(state.nextPosition, position + 1)
    }
  }
}

/// Real processes that are killed at any time, while known events are sent throughout.
@Suite(.serialized, .timeLimit(.minutes(5))) struct KillTests {
  @Test func `whatever is killed, every event is counted once and exactly`() async throws {
    try await withCluster { cluster in
      let bearer = try await cluster.operatorToken()
      for service in Cluster.services { try cluster.start(service) }
      try await cluster.serving("collector", "query")
      let ledger = Ledger()
      let start = SystemClock().now().hour.start.advanced(by: .seconds(-7200))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for reporter in 0..<4 {
          group.addTask {
            try await cluster.call("collector") { channel in
              let collector = CollectorClient(channel)
              var random = SeededRandom(seed: UInt64(reporter))
              var number = 0
              while !ledger.isOver {
                let events = (0..<Int.random(in: 1...40, using: &random)).map { offset in
                  Reports.event(
                    "\(reporter)-\(number + offset)",
                    Quantity(
                      attos: Int128(Int64.random(in: -1_000_000...1_000_000_000, using: &random)))!,
                    subscription: "s\(Int.random(in: 0..<3, using: &random))",
                    at: start.advanced(
                      by: .seconds(Int.random(in: 0..<7000, using: &random))))
                }
                number += events.count
                let results = try await Reports.reportBlindly(events, to: collector)
                // Sent once more, as by a provider that missed the answer.
                let again = try await Reports.reportBlindly(events, to: collector)
                for (event, (first, second)) in zip(events, zip(results, again)) {
                  try #require(first.isSuccess && second.isSuccess)
                  guard case .duplicate(let position) = second else {
                    Issue.record("accepted twice: \(event.id)")
                    continue
                  }
                  ledger.add(event, at: position)
                }
              }
            }
          }
        }
        group.addTask {
          var number = 0
          while !ledger.isOver {
            let events = (0..<20).map { offset in
              Reports.event(
                "http-\(number + offset)", Quantity(Int32(offset)), subscription: "http",
                at: start.advanced(by: .seconds(offset)))
            }
            number += events.count
            try await cluster.postBlindly(events, token: bearer)
            for event in events { ledger.add(event, at: 0) }
          }
        }
        group.addTask {
          var random = try SeededRandom()
          for round in 0..<rounds * 4 {
            let service = Cluster.services[round % 4]
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...400, using: &random)))
            try await cluster.kill(service)
            try cluster.start(service)
            if service != "gateway" { try await cluster.serving(service) }
          }
          ledger.finish()
        }
        try await group.waitForAll()
      }
      let position = try await cluster.call("collector") { channel in
        try await CollectorClient(channel).status().nextPosition
      }
      #expect(position >= ledger.nextPosition)
      let counted = try await Reports.settledTotals(cluster, position: position)
      #expect(counted == ledger.sums)
      #expect(counted.count == 4)
    }
  }

  @Test func `a service that is asked to stop ends well, with work under way`() async throws {
    try await withCluster { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      for service in ["query", "aggregator", "collector"] {
        #expect(try await cluster.stop(service) == .exited(0), "\(cluster.log(service))")
      }
      #expect(cluster.log("collector").contains(#""message":"stopped""#))
    }
  }

  @Test func `an aggregator that is stopped in order leaves its database as one file`() async throws
  {
    try await withCluster { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let start = SystemClock().now().hour.start.advanced(by: .seconds(-3600))
      let events = (0..<100).map {
        Reports.event("\($0)", Quantity(1), subscription: "s", at: start)
      }
      _ = try await cluster.call("collector") { try await CollectorClient($0).report(events) }
      let counted = try await Reports.settledTotals(cluster, position: 101)
      let path = cluster.settings.usageDatabase
      // With a reader that stays, everything is in the file all the same.
      #expect(try await cluster.stop("aggregator") == .exited(0))
      #expect(try fileContent("\(path)-wal").isEmpty)
      #expect(try await Reports.totals(cluster) == counted)
      #expect(try await cluster.stop("query") == .exited(0))
      try cluster.start("aggregator")
      try await cluster.serving("aggregator")
      #expect(try await cluster.stop("aggregator") == .exited(0))
      for suffix in ["-wal", "-shm"] { #expect(access(path + suffix, F_OK) != 0, "\(suffix)") }
      let moved = "\(cluster.directory)/moved.sqlite"
      #expect(rename(path, moved) == 0)
      #expect(try SQLiteUsageReader(path: moved).position().nextPosition == 101)
    }
  }

  @Test func `services start in any order and wait for each other`() async throws {
    try await withCluster { cluster in
      try cluster.start("query")
      try cluster.start("aggregator")
      try await cluster.serving("query", "aggregator")
      try cluster.start("collector")
      try await cluster.serving("collector")
      let now = SystemClock().now().advanced(by: .seconds(-120))
      let results = try await cluster.call("collector") { channel in
        try await CollectorClient(channel).report([
          Reports.event("1", Quantity(7), subscription: "S", at: now)
        ])
      }
      #expect(results.count == 1)
      let totals = try await Reports.settledTotals(cluster, position: 2)
      #expect(totals == ["s": Quantity(7)])
    }
  }

  @Test func `an accepted event is visible, marked provisional, within a second`() async throws {
    try await withCluster { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      _ = try await Reports.settledTotals(cluster, position: 1)
      var waits: [Duration] = []
      for number in 1...5 {
        let start = SystemClock().now().advanced(by: .seconds(-120))
        _ = try await cluster.call("collector") { channel in
          try await CollectorClient(channel).report([
            Reports.event("\(number)", Quantity(1), subscription: "s", at: start)
          ])
        }
        let accepted = ContinuousClock.now
        _ = try await eventually {
          try await Reports.totals(cluster)["s"] == Quantity(Int32(number)) ? true : nil
        }
        waits.append(ContinuousClock.now - accepted)
      }
      // The median, so that a pause of a busy host is not taken for one of ours.
      #expect(waits.sorted()[2] < .seconds(1), "\(waits)")
    }
  }
}
