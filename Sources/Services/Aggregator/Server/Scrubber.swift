internal import StackmeterCore
internal import StackmeterRuntime
package import StackmeterStore

/// Scrubs the usage database in the background, all over again each day: the newest windows first, slowly enough that
/// nobody notices.
package actor Scrubber {
  /// Rows of one step.
  private static let rowsPerStep = 20_000

  private let open: @Sendable () throws(StoreError) -> any UsageReader
  private let report: @Sendable ([String]) -> Void
  private let pause: Duration
  private let cycle: Duration
  /// More are not told.
  private static let problemsMax = 10
  /// How long a database that is away is left alone.
  private static let awayPause: Duration = .seconds(30)

  /// `open` makes a connection that only reads; `report` is told what was found in this cycle and the one before it.
  /// A cycle begins `cycle` after the last one began, or when that has ended; between two steps is a `pause`.
  package init(
    open: @escaping @Sendable () throws(StoreError) -> any UsageReader,
    report: @escaping @Sendable ([String]) -> Void, pause: Duration = .seconds(2),
    cycle: Duration = .seconds(86_400)
  ) {
    self.open = open
    self.report = report
    self.pause = pause
    self.cycle = cycle
  }

  /// Scrubs until cancelled.
  package func run() async throws(CancellationError) {
    var earlier: [String] = []
    while true {
      let started = ContinuousClock.now
      guard let found = try await scrub(earlier) else {
        try await sleep(until: .now + max(min(cycle, Scrubber.awayPause), pause))
        continue
      }
      earlier = found
      report(found)
      try await sleep(until: started + max(cycle, pause))
    }
  }

  /// Looks at everything once; what it found, nil where the database was away.
  private func scrub(_ earlier: [String]) async throws(CancellationError) -> [String]? {
    let open = open
    let checked = await blocking { () -> [String]? in
      do throws(StoreError) {
        return try open().integrityProblems().map { "the usage database is damaged: \($0)" }
      } catch {
        if error.kind == .interrupted { return nil }
        return ["the usage database cannot be checked: \(error.message)"]
      }
    }
    guard var problems = checked else { return nil }
    if !problems.isEmpty { report(merged(earlier, problems)) }
    do throws(StoreError) {
      var scrub = UsageScrub(try open())
      while problems.count < Scrubber.problemsMax {
        switch try scrub.step(rowsMax: Scrubber.rowsPerStep) {
        case .finished: return problems
        case .working: break
        case .damage(let problem):
          problems.append(problem)
          report(merged(earlier, problems))
        }
        guard await isAwake() else { throw StoreError(.system, "cancelled") }
      }
    } catch {
      if Task.isCancelled { throw CancellationError() }
      if error.kind == .interrupted { return nil }
      problems.append("the usage database cannot be checked: \(error.message)")
    }
    return problems
  }

  private func merged(_ earlier: [String], _ problems: [String]) -> [String] {
    Array((problems + earlier.filter { !problems.contains($0) }).prefix(Scrubber.problemsMax))
  }

  /// False once it is cancelled.
  private func isAwake() async -> Bool {
    (try? await Task.sleep(for: pause)) != nil
  }

  private func sleep(until time: ContinuousClock.Instant) async throws(CancellationError) {
    do { try await Task.sleep(until: time, clock: .continuous) } catch { throw CancellationError() }
  }
}
