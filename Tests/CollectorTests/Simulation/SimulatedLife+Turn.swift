import StackmeterCore
import StackmeterJournal
import StackmeterTesting

@testable import CollectorServer

extension SimulatedLife {
  /// One turn of the commit thread, as `Collector` does it, and what goes on beside it.
  mutating func turn(
    _ intake: inout Intake, _ reader: inout LogReader, _ reported: inout ReportedClock
  ) throws {
    moveClock()
    try keepHouse(&intake)
    guard !intake.isDedupBehind else {
      trace.note("the index is behind")
      while !jobs.isEmpty { try runJob() }
      return
    }
    let wall = clock.now()
    let now = reported.now(wall: wall, elapsed: clock.elapsed())
    let batches = batches(now: max(now, intake.lastTime))
    let chosen = chosenEntries()
    do throws(ReserveError) {
      try intake.reserve(for: batches + chosen.map(\.event))
    } catch {
      guard case .noSpace = error else { throw error }
      trace.note("no space")
      return
    }
    let droppedBefore = intake.quarantine.dropped
    var commit = SimulatedCommit(model: oracle.model)
    for batch in batches { try take(batch, now, &intake, &commit) }
    if !chosen.isEmpty { try resolve(chosen, now, &intake, &commit) }
    try intake.tick(clock: now)
    if batches.isEmpty && chosen.isEmpty { intake.mark() }
    if chance(6), !jobs.isEmpty { try runJob() }
    try self.commit(
      &intake, &reader, commit, dropped: intake.quarantine.dropped - droppedBefore)
    if chance(6), !jobs.isEmpty { try runJob() }
  }

  private mutating func batches(now: Instant) -> [EventBatch] {
    let groups = [0, 1, 1, 1, 2, 3].randomElement(using: &random)!
    var batches: [EventBatch] = []
    for _ in 0..<groups {
      let events = traffic.events(8, now: now, limitHours: rules.limitHours, &random)
      batches += EventBatchBuilder(events).batches.map(\.batch)
    }
    return batches
  }

  private mutating func take(
    _ batch: EventBatch, _ now: Instant, _ intake: inout Intake, _ commit: inout SimulatedCommit
  ) throws {
    let time = time(now, intake)
    let results = Array(try intake.take(batch, clock: now))
    try expect(results.count == batch.count, "\(batch.count) events got \(results.count) results")
    for (index, result) in results.enumerated() {
      trace.note("at \(time): \(batch.event(index).brief) -> \(result.brief)")
      try oracle.note(batch.event(index), result, now: time, rules, &commit)
    }
  }

  /// When the next event is reported.
  private func time(_ now: Instant, _ intake: borrowing Intake) -> Instant {
    max(intake.lastTime.advanced(by: .nanoseconds(1)), now)
  }

  /// Some entries of the quarantine, that may be closed by now.
  private mutating func chosenEntries() -> [RefusedEvent] {
    guard chance(3), !listed.isEmpty else { return [] }
    let chosen = (0..<Int.random(in: 1...4, using: &random)).map { _ in
      listed.randomElement(using: &random)!
    }
    var numbers: Set<UInt64> = []
    return chosen.filter { numbers.insert($0.number).inserted }.sorted { $0.number < $1.number }
  }

  /// Redrives or discards entries.
  private mutating func resolve(
    _ entries: [RefusedEvent], _ now: Instant, _ intake: inout Intake,
    _ commit: inout SimulatedCommit
  ) throws {
    let isRedriven = !chance(3)
    let wasOpen = entries.filter { intake.quarantine.state(of: $0.number) == .open }
    let time = time(now, intake)
    let results: [QuarantineResult]
    if isRedriven {
      let redriven = try intake.redrive(entries, clock: now)
      results = redriven.entries
      try expect(redriven.events.count == wasOpen.count, "not every open entry was redriven")
      for (entry, result) in zip(wasOpen, redriven.events) {
        trace.note("redriven at \(time): \(entry.event.event(0).brief) -> \(result.brief)")
        try oracle.note(
          entry.event.event(0), result, now: time, rules, isRedriven: true, &commit)
      }
    } else {
      results = intake.discard(entries, clock: now)
      trace.note("discarded \(wasOpen.map { $0.event.event(0).brief })")
    }
    try expect(results.map(\.number) == entries.map(\.number), "the results are of other entries")
    for (entry, result) in zip(entries, results)
    where wasOpen.contains(where: { $0.number == entry.number }) {
      guard case .resolved = result.state else { continue }
      commit.close(OpenRefusal(reason: entry.refusal.reason, event: entry.event.event(0)))
    }
  }

  /// Mostly some minutes go by, at times hours; now and then the wall clock is set.
  private mutating func moveClock() {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<9: clock.advance(by: .seconds(Int.random(in: 0...1500, using: &random)))
    case 9..<13: clock.advance(by: .seconds(Int.random(in: 3000...9000, using: &random)))
    case 13:
      clock.advance(by: .seconds(3600 * Int.random(in: 2...8, using: &random)))
    case 14: clock.jump(by: .seconds(Int.random(in: -250...250, using: &random)))
    case 15: clock.jump(by: .seconds(Int.random(in: -20_000...20_000, using: &random)))
    case 16: clock.freeze(for: .seconds(Int.random(in: 0...4000, using: &random)))
    default: break
    }
  }
}

extension SimulatedLife {
  /// Hands over what jobs have done, asks for others, and runs some.
  private mutating func keepHouse(_ intake: inout Intake) throws {
    if !completions.isEmpty, !chance(4) {
      for completion in completions { completion(&intake) }
      completions = []
    }
    if jobs.isEmpty, completions.isEmpty {
      if chance(3) {
        let confirmed = UInt64.random(
          in: 0...intake.tail.nextPosition, using: &random)
        applied = max(applied ?? 0, confirmed)
      }
      if let applied, let retention = configuration.journalRetention {
        removedBefore.position = max(removedBefore.position, applied)
        removedBefore.time = max(
          removedBefore.time, intake.lastTime.advanced(by: .zero - retention))
      }
      jobs = intake.housekeepingJobs(applied: applied)
      if let job = intake.dedupJob() { jobs.append(job) }
    }
    while !jobs.isEmpty, !chance(3) { try runJob() }
  }

  /// Runs the next job; what it did is not handed over yet. One that the disk refuses is asked for again.
  mutating func runJob() throws {
    let job = jobs.removeFirst()
    do {
      completions.append(try job.run())
      trace.note("did: \(job.name)")
    } catch {
      trace.note("could not \(job.name): \(error)")
      try expect(isDisturbed || isDedupFlipped, "could not \(job.name) for no reason: \(error)")
      // Damage ends the process.
      if let error = error as? RecordLogError, error.isLasting { throw error }
    }
  }
}

extension SimulatedCommit {
  /// An entry is closed; what was refused like it in the same commit was not kept again.
  mutating func close(_ refusal: OpenRefusal) {
    refused.remove(refusal)
    closed.insert(refusal)
  }
}

extension UsageEvent {
  /// For the trace.
  var brief: String {
    let change = correction.map { " \($0.kind) \($0.targetID)" } ?? ""
    return "\(source)/\(id)@\(usageStart) \(quantity) \(series.meter) of "
      + "\(series.subscription)\(change)"
  }
}

extension EventResult {
  fileprivate var brief: String { "\(outcome)\(position.map { " \($0)" } ?? "")" }
}
