package import Logging
internal import StackmeterRuntime
internal import StackmeterStore
package import StackmeterWire
internal import Synchronization

/// Waits for the usage database, and makes the aggregator of a process once it is there.
///
/// A database that cannot be reached is what a person mends elsewhere: the process stays, says what it waits for, and
/// goes on by itself. Every other error is the caller's.
package final class AggregatorOpening: Sendable {
  static let pauseMin: Duration = .milliseconds(200)
  static let pauseMax: Duration = .seconds(5)

  private enum State: Sendable {
    /// For this reason.
    case waiting(String)
    case open(Aggregator)
  }

  private let open: @Sendable () throws -> Aggregator
  private let logger: Logger
  private let state = Mutex(State.waiting("not opened yet"))

  /// `open` opens the usage database and takes it over; it may block.
  package init(logger: Logger, open: @escaping @Sendable () throws -> Aggregator) {
    self.open = open
    self.logger = logger
  }

  /// What the aggregator says of itself; why there is none before that.
  package func status() -> AggregatorStatus {
    switch state.withLock({ $0 }) {
    case .open(let aggregator): return aggregator.status()
    case .waiting(let reason):
      var status = AggregatorStatus()
      status.problem = "usage database: \(reason)"
      return status
    }
  }

  /// The aggregator, where there is one yet.
  var opened: Aggregator? {
    guard case .open(let aggregator) = state.withLock({ $0 }) else { return nil }
    return aggregator
  }

  /// Restates meters, once there is an aggregator.
  package func restate(_ request: RestateRequest) async throws -> RestateResponse {
    guard case .open(let aggregator) = state.withLock({ $0 }) else {
      throw RestateError.notFollowing
    }
    return try await aggregator.restate(request)
  }

  /// Leaves the usage database in order, when all that writes to it has ended.
  package func close() async {
    if case .open(let aggregator) = state.withLock({ $0 }) { await aggregator.close() }
  }

  /// Whether the usage database was there when it was last used.
  package func isReady() -> Bool {
    guard case .open(let aggregator) = state.withLock({ $0 }) else { return false }
    return !aggregator.isDatabaseAway
  }

  /// Tries once; nil where the database cannot be reached.
  package func attempt() async throws -> Aggregator? {
    let open = open
    let made = await blocking { Result { try open() } }
    do {
      let aggregator = try made.get()
      state.withLock { $0 = .open(aggregator) }
      return aggregator
    } catch let error as StoreError where error.kind == .interrupted {
      let isNews = state.withLock { state in
        defer { state = .waiting(error.message) }
        guard case .waiting(error.message) = state else { return true }
        return false
      }
      if isNews {
        logger.warning(
          "the usage database cannot be opened; trying again until it can",
          metadata: ["problem": "\(error.message)"])
      }
      return nil
    }
  }

  /// The aggregator, as soon as there is one.
  package func aggregator() async throws -> Aggregator {
    if case .open(let aggregator) = state.withLock({ $0 }) { return aggregator }
    var pause = AggregatorOpening.pauseMin
    while true {
      if let aggregator = try await attempt() {
        logger.info("the usage database is open")
        return aggregator
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, AggregatorOpening.pauseMax)
    }
  }

  /// Runs the parts of the aggregator as soon as there is one, until one of them fails or this is cancelled.
  package func run(
    _ parts: [@Sendable (Aggregator) async throws -> Void]
  ) async throws {
    let aggregator = try await aggregator()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for part in parts {
        group.addTask { try await part(aggregator) }
      }
      // The first that fails ends the others.
      while try await group.next() != nil {}
    }
  }
}
