internal import StackmeterCore
internal import StackmeterJournal

/// A batch while it is taken: what was found out about it once, and what is accepted of it so far.
private struct Taking {
  let batch: EventBatch
  let verdicts: [SeriesVerdicts.Known]
  /// Of each series, whether its events may be counted.
  let isCanonical: [Bool]
  let digests: [EventDigest]
  let hours: [Hour]
  let sourceProblem: Refusal?
  /// When its next events are reported.
  var time: Instant
  /// Accepted and not written yet.
  var accepted = AcceptedEvents()

  /// An event that may be counted, with its series in its canonical form.
  func declared(_ event: Int) -> UsageEvent {
    var declared = batch.event(event)
    if let series = canonicalSeries(event) { declared.series = series }
    return declared
  }

  /// The series where it may be counted.
  func canonicalSeries(_ event: Int) -> Series? {
    guard case .canonical(let series) = verdicts[Int(batch.seriesIndex[event])].verdict else {
      return nil
    }
    return series
  }
}

extension Intake {
  /// So many events ahead the index begins to load what a search will need.
  private static let prefetchAhead = 12

  /// The result of every event of the batch, in order, true once `commit` has returned. An error means that nothing
  /// more can be decided: the process must stop.
  mutating func take(
    _ batch: EventBatch, clock: Instant
  ) throws(CollectorError) -> EventResults {
    // Never before what was reported already, whatever the clock does.
    let time = max(history.nextTime, Intake.plausible(clock))
    try enter(time)
    let hasher = history.index.hasher
    let verdicts = batch.series.map { self.verdicts.verdict($0, rules, hasher) }
    var taking = Taking(
      batch: batch, verdicts: verdicts,
      isCanonical: verdicts.map { if case .canonical = $0.verdict { true } else { false } },
      digests: hasher.digests(of: batch, series: verdicts.map(\.digest)),
      hours: batch.usageStart.map { Instant(nanoseconds: $0).hour },
      sourceProblem: rules.problem(source: batch.source), time: max(time, history.nextTime))
    let bounds = rules.bounds(now: time)
    let idsAreASCII = batch.ids.allSatisfy { (1..<0x80).contains($0) }
    var results = EventResults()
    for event in 0..<batch.count {
      let ahead = event + Intake.prefetchAhead
      if ahead < batch.count { history.index.prefetch(taking.hours[ahead], taking.digests[ahead]) }
      let result: EventResult
      if !batch.corrections.isEmpty, batch.correction(event) != nil {
        result = try takeCorrection(event, &taking)
      } else if taking.sourceProblem == nil, taking.isCanonical[Int(batch.seriesIndex[event])],
        bounds.contain(batch, event, idsAreASCII: idsAreASCII)
          || rules.refusal(batch, event, now: time) == nil
      {
        result = try takeEvent(event, &taking)
      } else {
        result = refusal(event, taking)
      }
      results.append(
        result.refusal == nil
          ? result : quarantine.keep(result, batch, event, time: taking.time))
    }
    write(&taking)
    return results
  }

  /// Takes a well-formed event that corrects no other.
  private mutating func takeEvent(
    _ event: Int, _ taking: inout Taking
  ) throws(CollectorError) -> EventResult {
    let (hour, digest) = (taking.hours[event], taking.digests[event])
    let position = history.journal.nextPosition + UInt64(taking.accepted.count)
    let matches = try history.asking { (index) throws(DedupError) in
      try index.remember(hour, digest, position: position)
    }
    if let matches {
      if let position = matches.duplicate { return .duplicate(position: position) }
      let declared = taking.declared(event)
      if let conflict = try conflict(declared, matches.claims, taking) { return conflict }
      history.index.insert(hour, digest, position: position)
    }
    let time = taking.time.advanced(by: .nanoseconds(taking.accepted.count))
    taking.accepted.append(event)
    if corrections.awaits(hour) {
      write(&taking)
      let steps = corrections.accepted(
        taking.declared(event), at: position, nextPosition: history.journal.nextPosition, &history)
      try carryOut(steps, time: taking.time)
      taking.time = max(taking.time, history.nextTime)
    }
    return .accepted(position: position, reportedTime: time)
  }

  private mutating func takeCorrection(
    _ event: Int, _ taking: inout Taking
  ) throws(CollectorError) -> EventResult {
    let batch = taking.batch
    let isVoid = batch.correction(event)?.kind == .voids
    if let problem = taking.sourceProblem ?? rules.problem(batch, event) {
      return .invalid(problem)
    }
    var declared = batch.event(event)
    if isVoid {
      declared = declared.canonicalVoid
    } else if let series = taking.canonicalSeries(event) {
      declared.series = series
    } else {
      return refusal(event, taking)
    }
    if let late = rules.timing(batch, event, now: taking.time) { return .quarantined(late) }
    write(&taking)
    let (hour, digest) = (taking.hours[event], history.index.hasher.digest(of: declared))
    let matches = try history.asking { (index) throws(DedupError) in try index.find(hour, digest) }
    if let position = matches.duplicate {
      return quarantine.isRedriving
        ? try retake(declared, at: position, &taking) : .duplicate(position: position)
    }
    if let conflict = try conflict(declared, matches.claims, taking) { return conflict }
    let position = history.journal.nextPosition
    let decision = try corrections.take(declared, nextPosition: position, &history)
    if case .take = decision { history.index.insert(hour, digest, position: position) }
    return try carryOut(decision, &taking)
  }

  /// Tries a correction again that has its identity already, and was refused when it had waited.
  private mutating func retake(
    _ declared: UsageEvent, at position: UInt64, _ taking: inout Taking
  ) throws(CollectorError) -> EventResult {
    guard
      let decision = try corrections.retake(
        declared, at: position, nextPosition: history.journal.nextPosition, &history)
    else { return .duplicate(position: position) }
    return try carryOut(decision, &taking)
  }

  /// Writes what was decided about a correction, from the next position on.
  private mutating func carryOut(
    _ decision: CorrectionLedger.Decision, _ taking: inout Taking
  ) throws(CollectorError) -> EventResult {
    switch decision {
    case .refuse(let refusal):
      return .quarantined(refusal)
    case .take(let steps):
      let position = history.journal.nextPosition
      let time = max(taking.time, history.nextTime)
      try carryOut(steps, time: time)
      taking.time = max(taking.time, history.nextTime)
      guard case .apply = steps.first else { return .parked(position: position) }
      return .accepted(position: position, reportedTime: time)
    }
  }

  /// The conflict with the event at one of these positions that has the same identity, if one has.
  private mutating func conflict(
    _ event: UsageEvent, _ positions: [UInt64], _ taking: Taking
  ) throws(CollectorError) -> EventResult? {
    for position in positions {
      let first: UsageEvent?
      if position >= history.journal.nextPosition {
        let number = Int(position - history.journal.nextPosition)
        first = taking.batch.event(taking.accepted.event(number))
      } else {
        first = try history.declared(at: position)
      }
      guard let first, first.identity == event.identity else { continue }
      return .conflict(
        position: position,
        Refusal(
          .conflict, field: "id",
          "was accepted at position \(position) with another \(first.firstDifference(event)); "
            + "that event stands"))
    }
    return nil
  }

  /// What is wrong with an event that may not be counted.
  private func refusal(_ event: Int, _ taking: Taking) -> EventResult {
    let verdict = taking.verdicts[Int(taking.batch.seriesIndex[event])].verdict
    if let problem = taking.sourceProblem { return .invalid(problem) }
    if case .malformed(let refusal) = verdict { return .invalid(refusal) }
    if let problem = rules.problem(taking.batch, event) { return .invalid(problem) }
    if case .unknownMeter(let refusal) = verdict { return .quarantined(refusal) }
    guard let late = rules.timing(taking.batch, event, now: taking.time) else {
      preconditionFailure("nothing is wrong with the event")
    }
    return .quarantined(late)
  }

  /// Writes what was accepted so far.
  private mutating func write(_ taking: inout Taking) {
    guard taking.accepted.count > 0 else { return }
    let series = taking.verdicts.map { known -> Series? in
      if case .canonical(let series) = known.verdict { series } else { nil }
    }
    let parts = taking.accepted.batches(
      of: taking.batch, series: series, bytesMax: recordBytesMax)
    for part in parts {
      history.append(time: taking.time) { position, time in
        Record(
          kind: .batch, count: UInt32(part.count), firstPosition: position, firstTime: time,
          payload: part.journalPayload())
      }
    }
    taking.accepted = AcceptedEvents()
    taking.time = max(taking.time, history.nextTime)
  }
}
