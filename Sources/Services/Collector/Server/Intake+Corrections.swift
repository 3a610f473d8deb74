internal import StackmeterCore
internal import StackmeterJournal

extension Intake {
  /// Writes what the ledger has decided, at `time` or as soon after it as can be.
  mutating func carryOut(
    _ steps: [CorrectionLedger.Step], time: Instant
  ) throws(CollectorError) {
    var unparked: [Unparked] = []
    for step in steps {
      switch step {
      case .apply(let applied):
        try append(time: time) { Record(applied, position: $0, time: $1) }
      case .park(let event):
        try append(time: time) { Record(parked: event, position: $0, time: $1) }
      case .refuse(let event, let position, let refusal):
        let reason = quarantine.keepParked(
          refusal, EventBatch(event), time: max(time, history.nextTime))
        unparked.append(Unparked(position: position, reason: reason))
      }
    }
    guard !unparked.isEmpty else { return }
    try append(time: time) { Record(unparked: unparked, position: $0, time: $1) }
  }

  /// Appends a record that nobody has made room for. What was decided cannot be taken back, so without room the
  /// process ends, and the next one goes on from what is durable.
  private mutating func append(
    time: Instant, _ make: (_ position: UInt64, _ time: Instant) -> Record
  ) throws(CollectorError) {
    let record = make(history.journal.nextPosition, max(time, history.nextTime))
    do throws(ReserveError) {
      try history.journal.reserve(record.byteCount + 2 * Record.frameBytes)
    } catch {
      throw .journalFailed(error.error.description)
    }
    history.journal.append(record)
  }
}
