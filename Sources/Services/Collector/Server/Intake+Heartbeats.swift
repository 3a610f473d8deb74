internal import StackmeterCore
internal import StackmeterJournal

extension Intake {
  /// Takes a heartbeat whose fields were checked, and gives what stands of its source: nil where it is not declared.
  /// True once `commit` has returned. What says nothing new of a declared source is not written.
  mutating func take(
    _ heartbeat: Heartbeat, clock: Instant
  ) throws(CollectorError) -> Result<ReportingSource?, CollectorError> {
    let time = max(history.nextTime, Intake.plausible(clock))
    let latest = time.advanced(by: HeartbeatLimits.futureMax)
    guard heartbeat.completeUntil <= latest else {
      return .failure(
        .invalidHeartbeat(
          field: "complete_until",
          problem: "is \(heartbeat.completeUntil), but it is \(time) now: usage that has not "
            + "happened cannot be complete; check the source's clock"))
    }
    let outcome = sources.outcome(
      of: heartbeat, time: time, position: history.journal.nextPosition)
    switch outcome {
    // The aggregator may know a source that this process does not: its end is always written.
    case .unchanged(nil): break
    case .unchanged(let source): return .success(source)
    case .full: return .failure(.tooManySources)
    case .changed, .ended: break
    }
    try enter(time)
    // Once an hour, what is refused at its beginning is written first.
    let written = max(time, history.nextTime)
    let position = history.journal.nextPosition
    history.append(time: written) { Record(heartbeat, position: $0, time: $1) }
    sources.take(heartbeat, time: written, position: position)
    return .success(sources[heartbeat.source])
  }
}

extension SourceTable {
  /// Takes in one record of the journal, in order. False where it is not of its kind's form.
  mutating func replay(_ record: Record) -> Bool {
    guard record.kind == .heartbeat else { return true }
    guard let heartbeat = record.heartbeat else { return false }
    take(heartbeat, time: record.firstTime, position: record.firstPosition)
    return true
  }

  /// A record for each source: replaying them makes the same table.
  var records: [Record] {
    all.map { Record($0.heartbeat, position: $0.position, time: $0.heardTime) }
  }
}
