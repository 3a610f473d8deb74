internal import StackmeterCore
internal import StackmeterJournal

extension Intake {
  /// Takes entries of the quarantine as if they were reported now, and closes those that are then counted.
  ///
  /// An event keeps its identity, so that whatever was lost of an earlier try, it counts once. What is refused
  /// again stays open. True once `commit` has returned, as with `take`. `events` are the results of those that
  /// were open.
  mutating func redrive(
    _ entries: [RefusedEvent], clock: Instant
  ) throws(CollectorError) -> (entries: [QuarantineResult], events: [EventResult]) {
    quarantine.isRedriving = true
    defer { quarantine.isRedriving = false }
    var results: [QuarantineResult] = []
    var events: [EventResult] = []
    for entry in entries {
      let state = quarantine.state(of: entry.number)
      guard state == .open else {
        results.append(QuarantineResult(number: entry.number, state: state))
        continue
      }
      let result = try take(entry.event, clock: clock).runs[0].first
      events.append(result)
      switch result {
      case .accepted(let position, _), .duplicate(let position), .parked(let position):
        quarantine.close(entry, .redriven(position: position), time: clock)
        // Where it could not be closed, redriving it again changes nothing else.
        results.append(
          QuarantineResult(number: entry.number, state: quarantine.state(of: entry.number)))
      case .conflict(_, let refusal), .quarantined(let refusal), .invalid(let refusal):
        // The same fault is told as it was when all of the event was there.
        let isSame =
          refusal.reason == entry.refusal.reason && refusal.field == entry.refusal.field
        results.append(
          QuarantineResult(
            number: entry.number, state: .open, refusal: isSame ? entry.refusal : refusal))
      }
    }
    return (results, events)
  }

  /// Closes entries of the quarantine without counting them. True once `commit` has returned.
  mutating func discard(_ entries: [RefusedEvent], clock: Instant) -> [QuarantineResult] {
    entries.map { entry in
      if quarantine.state(of: entry.number) == .open {
        quarantine.close(entry, .discarded, time: clock)
      }
      return QuarantineResult(number: entry.number, state: quarantine.state(of: entry.number))
    }
  }
}
