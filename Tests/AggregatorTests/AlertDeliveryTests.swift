import Logging
import StackmeterCore
import StackmeterStore
import StackmeterTesting
import Synchronization
import Testing

@testable import AggregatorServer

/// Telling of alerts, with a receiver and a clock that do what the test says.
@Suite(.timeLimit(.minutes(1))) struct AlertDeliveryTests {
  /// Answers with what is wrong, and notes who was told.
  private final class Receiver: Sendable {
    let problem = Mutex<String?>(nil)
    let told = Mutex<[String]>([])

    func send(_ id: String) -> String? {
      told.withLock { $0.append(id) }
      return problem.withLock { $0 }
    }
  }

  private struct Fixture {
    let aggregator: Aggregator
    let clock: SimulatedClock
    let receiver = Receiver()
    let reader: SQLiteUsageReader

    var delivery: AlertDelivery {
      AlertDelivery(clock: clock) { [receiver] id, _ in receiver.send(id) }
    }

    func alerts() throws -> [StoredAlert] { try reader.alerts(of: nil) }
  }

  private let start = Instant(parsing: "2026-11-20T00:00:00Z")!

  private func withAlerts(_ count: Int, _ body: (Fixture) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/usage.sqlite"
      let store = try SQLiteUsageStore(path: path)
      _ = try store.put(
        budgets: [], of: [],
        alerts: (0..<count).map {
          StoredAlert(
            id: "b/2026-11/actual-\(10 + $0)", budget: "b", period: Day(index: 0), event: [],
            raised: start)
        })
      let aggregator = try Aggregator(
        store: store, catalog: try MeterCatalog([]),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      try await body(
        Fixture(
          aggregator: aggregator, clock: SimulatedClock(start),
          reader: try SQLiteUsageReader(path: path)))
      await aggregator.close()
    }
  }

  @Test func `a receiver that fails is asked again, after longer and longer pauses`() async throws {
    try await withAlerts(1) { fixture in
      fixture.receiver.problem.withLock { $0 = String(repeating: "x", count: 1000) }
      var waits: [Int64] = []
      for attempt in 1...4 {
        #expect(await fixture.delivery.round(fixture.aggregator) == 1)
        #expect(await fixture.delivery.round(fixture.aggregator) == 0)
        let alert = try fixture.alerts()[0]
        #expect(alert.attempts == attempt && alert.delivered == nil && alert.problem.count == 512)
        waits.append((alert.nextTry.nanoseconds - fixture.clock.now().nanoseconds) / 1_000_000_000)
        fixture.clock.advance(by: AlertDelivery.pause(after: Int64(attempt)))
      }
      #expect(waits == [1, 2, 4, 8])
      fixture.receiver.problem.withLock { $0 = nil }
      #expect(await fixture.delivery.round(fixture.aggregator) == 1)
      let told = try fixture.alerts()[0]
      #expect(told.delivered == fixture.clock.now() && told.problem == "" && told.attempts == 5)
      fixture.clock.advance(by: .seconds(100_000))
      #expect(await fixture.delivery.round(fixture.aggregator) == 0)
      #expect(fixture.receiver.told.withLock { $0.count } == 5)
    }
  }

  @Test(arguments: [(1, 1), (2, 2), (12, 2048), (13, 3600), (1000, 3600), (0, 1)])
  func `pauses double up to an hour`(attempts: Int64, seconds: Int) {
    #expect(AlertDelivery.pause(after: attempts) == .seconds(seconds))
  }

  @Test func `many are told in rounds, and none twice by two who tell`() async throws {
    try await withAlerts(20) { fixture in
      let (one, other, aggregator) = (fixture.delivery, fixture.delivery, fixture.aggregator)
      var told = 0
      for _ in 0..<3 {
        async let first = one.round(aggregator)
        async let second = other.round(aggregator)
        let counts = await [first, second]
        #expect(counts.allSatisfy { $0 <= AlertDelivery.alertsAtOnce })
        told += counts.reduce(0, +)
      }
      #expect(told == 20)
      #expect(Set(fixture.receiver.told.withLock { $0 }).count == 20)
      let alerts = try fixture.alerts()
      #expect(alerts.allSatisfy { $0.delivered != nil && $0.attempts == 1 })
    }
  }

  /// Whoever is killed while telling has left the alert taken.
  @Test func `what somebody has taken and not told is told when the lease is over`() async throws {
    try await withAlerts(1) { fixture in
      let taken = try await fixture.aggregator.takeAlerts(
        due: start, until: start.advanced(by: AlertDelivery.lease), limit: 9)
      #expect(taken.count == 1)
      fixture.clock.advance(by: .seconds(29))
      #expect(await fixture.delivery.round(fixture.aggregator) == 0)
      fixture.clock.advance(by: .seconds(1))
      #expect(await fixture.delivery.round(fixture.aggregator) == 1)
      #expect(try fixture.alerts()[0].attempts == 2)
    }
  }
}
