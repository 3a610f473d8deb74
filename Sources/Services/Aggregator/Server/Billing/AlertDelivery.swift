package import StackmeterCore
internal import StackmeterStore

/// Tells of alerts: each until its receiver has taken it, with longer and longer pauses.
///
/// What is told has a deterministic id. Whoever is killed between telling and writing that down tells again, and the
/// receiver, who knows the id, has nothing to do: once in effect.
package struct AlertDelivery: Sendable {
  /// Alerts that are told at once.
  static let alertsAtOnce = 8
  /// How long a receiver may take.
  package static let answerMax: Duration = .seconds(5)
  /// How long an alert is left to whoever has taken it. Longer than a try may last.
  static let lease: Duration = .seconds(30)
  /// The pause after the first try that has failed; each is twice as long as the one before.
  static let pauseMin: Duration = .seconds(1)
  static let pauseMax: Duration = .seconds(3600)
  /// What is written down of a problem.
  private static let problemBytesMax = 512

  private let clock: any WallClock
  private let interval: Duration
  private let send: @Sendable (_ id: String, _ event: [UInt8]) async -> String?

  /// - Parameters:
  ///   - checkInterval: How often is asked whether there is something to tell.
  ///   - send: Tries once; why it has failed, nil where it has not.
  package init(
    clock: any WallClock, checkInterval: Duration = .seconds(1),
    send: @escaping @Sendable (_ id: String, _ event: [UInt8]) async -> String?
  ) {
    self.clock = clock
    interval = checkInterval
    self.send = send
  }

  /// Tells until cancelled.
  package func run(_ aggregator: Aggregator) async throws(CancellationError) {
    while true {
      let count = await round(aggregator)
      guard count < AlertDelivery.alertsAtOnce else { continue }
      do { try await Task.sleep(for: interval) } catch { throw CancellationError() }
    }
  }

  /// Tells of what is due now; of how many.
  func round(_ aggregator: Aggregator) async -> Int {
    let now = clock.now()
    // While the usage database is away there is nothing to do.
    guard
      let alerts = try? await aggregator.takeAlerts(
        due: now, until: now.advanced(by: AlertDelivery.lease), limit: AlertDelivery.alertsAtOnce)
    else { return 0 }
    await withTaskGroup(of: Void.self) { group in
      for alert in alerts {
        group.addTask {
          let problem = await send(alert.id, alert.event)
          let now = clock.now()
          try? await aggregator.note(
            alert: alert.id, delivered: problem == nil ? now : nil,
            nextTry: now.advanced(by: AlertDelivery.pause(after: alert.attempts)),
            problem: String(
              decoding: (problem ?? "").utf8.prefix(AlertDelivery.problemBytesMax), as: UTF8.self))
        }
      }
    }
    return alerts.count
  }

  /// How long is waited after so many tries.
  static func pause(after attempts: Int64) -> Duration {
    let doublings = min(max(0, attempts - 1), 20)
    return min(pauseMin * Int(1 << doublings), pauseMax)
  }
}

extension Aggregator {
  func takeAlerts(
    due now: Instant, until lease: Instant, limit: Int
  ) throws(StoreError) -> [StoredAlert] {
    try counter.store.takeAlerts(due: now, until: lease, limit: limit)
  }

  func note(
    alert id: String, delivered: Instant?, nextTry: Instant, problem: String
  ) throws(StoreError) {
    try counter.store.note(alert: id, delivered: delivered, nextTry: nextTry, problem: problem)
  }
}
