internal import HTTPTypes
internal import Synchronization

/// What the gateway counts of itself since it started. Labels are routes, statuses and outcomes, never who or what.
final class GatewayMetrics: Sendable {
  /// Up to how many microseconds a request may take to be counted in a bucket; the last one has no end.
  static let bucketMicroseconds: [Int64] = [
    1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000,
  ]

  struct Requests {
    /// By the first digit of the status.
    var byClass: [Int: Int] = [:]
    var buckets = Array(repeating: 0, count: bucketMicroseconds.count + 1)
    var microseconds: Int64 = 0
    var count = 0
  }

  /// What became of events.
  enum Outcome: String, CaseIterable, Sendable {
    case accepted
    case duplicate
    case parked
    case rejected
  }

  struct Counts {
    /// By method and route, `GET /v1/usage`.
    var requests: [String: Requests] = [:]
    var events: [Outcome: Int] = [:]
  }

  private let state = Mutex(Counts())

  var counts: Counts { state.withLock { $0 } }

  /// A request that was answered, or whose answer began.
  func add(route: String, status: HTTPResponse.Status, took: Duration) {
    let (seconds, attoseconds) = took.components
    let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    let bucket =
      GatewayMetrics.bucketMicroseconds.firstIndex { microseconds <= $0 }
      ?? GatewayMetrics.bucketMicroseconds.count
    state.withLock { state in
      state.requests[route, default: Requests()].byClass[status.code / 100, default: 0] += 1
      state.requests[route]?.buckets[bucket] += 1
      state.requests[route]?.microseconds += microseconds
      state.requests[route]?.count += 1
    }
  }

  func add(_ outcome: ReportOutcome) {
    state.withLock { state in
      state.events[.accepted, default: 0] += outcome.accepted
      state.events[.duplicate, default: 0] += outcome.duplicates
      state.events[.parked, default: 0] += outcome.parked
      state.events[.rejected, default: 0] += outcome.rejected.count + outcome.otherRejected
    }
  }
}
