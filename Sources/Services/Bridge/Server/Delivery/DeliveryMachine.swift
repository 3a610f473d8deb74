internal import StackmeterCore

/// When the commerce service is asked, as a machine: events with their time in, what to do out. No clock, no network,
/// and chance comes from outside.
///
/// `closed`: batches are sent. A failure makes a pause, which doubles with each that follows, up to the longest. After
/// `failuresMax` of them the circuit is `open` until the pause is over, then `half-open`: one batch is tried, and an
/// answer closes it.
struct DeliveryMachine: Equatable, Sendable {
  enum Circuit: String, Sendable {
    case closed
    case open
    case halfOpen = "half-open"
  }

  enum Step: Equatable, Sendable {
    case send(atMost: Int)
    case wait(until: Duration)
  }

  private let retryMin: Duration
  private let retryMax: Duration
  /// One after the other.
  private(set) var failures = 0
  /// Since some moment; nil for now.
  private(set) var retryAt: Duration?
  /// Why the last try failed; empty after a good one.
  private(set) var problem = ""

  init(_ configuration: BridgeConfiguration) {
    retryMin = configuration.retryMin
    retryMax = configuration.retryMax
  }

  func circuit(at now: Duration) -> Circuit {
    guard failures >= BridgeLimits.failuresMax else { return .closed }
    return retryAt.map { $0 > now } ?? false ? .open : .halfOpen
  }

  func step(at now: Duration) -> Step {
    if let retryAt, retryAt > now { return .wait(until: retryAt) }
    return .send(atMost: failures == 0 ? BridgeLimits.batchesInFlightMax : 1)
  }

  /// The service has answered with what became of a batch.
  mutating func succeeded() {
    failures = 0
    retryAt = nil
    problem = ""
  }

  /// Nobody knows what became of it, or the service cannot take it now. `retryAfter` is the service's wish, which is
  /// never undercut.
  mutating func failed(
    _ problem: String, retryAfter: Duration?, at now: Duration,
    using random: inout some RandomNumberGenerator
  ) {
    self.problem = problem
    failures += 1
    let longest = min(retryMax, retryMin * (1 << min(failures - 1, 20)))
    // Between half of it and all of it, so that many sites do not come back at the same moment.
    let part = Int64.random(in: 500...1000, using: &random)
    let pause = longest * part / 1000
    retryAt = now + max(pause, min(retryAfter ?? .zero, BridgeLimits.retryAfterMax))
  }

  /// The operator, or another registration, has it tried at once.
  mutating func retryNow() {
    retryAt = nil
  }
}
