internal import StackmeterCore
internal import StackmeterJournal

/// Decides what becomes of corrections: which takes effect, which waits for its target, which is refused.
///
/// Of the corrections of one event the first that was reported is in effect, and it alone. A replacement can be
/// corrected in turn; a void can not. What waits is applied when its target is accepted, in the same commit.
/// A pure function of the journal: `replay` makes it again from the journal's records, and `resume` finishes what a
/// crash left undone.
///
/// It decides and remembers; whoever asks carries out the steps, in their order and in the same commit.
struct CorrectionLedger {
  /// What there is to write.
  enum Step: Hashable, Sendable {
    /// A record of a correction that takes effect at the next position.
    case apply(AppliedCorrection)
    /// A record that parks a correction at the next position.
    case park(UsageEvent)
    /// The correction that was parked at `position` is refused: it goes to the quarantine, and a record says that it
    /// no longer waits.
    case refuse(UsageEvent, position: UInt64, Refusal)
  }

  enum Decision: Hashable, Sendable {
    /// Nothing is written; the correction's identity stays free.
    case refuse(Refusal)
    /// The first step is that of the correction itself, which stands at the next position from now on.
    case take([Step])
  }

  /// How the event stands that a correction names.
  private enum Standing {
    case unknown
    /// A parked replacement.
    case waiting
    /// A replacement that was parked, and refused in the end.
    case refused
    case void
    case corrected(by: UInt64)
    case counts(position: UInt64, UsageEvent)
  }

  private var parked = ParkedCorrections()

  /// How many corrections wait.
  var count: Int { parked.count }
  var byteCount: Int { parked.byteCount }

  /// Whether a correction waits for an event of this usage hour, so that `accepted` has to be told of it.
  func awaits(_ hour: Hour) -> Bool { parked.awaits(hour) }

  /// Decides about a well-formed correction of an identity that is new; a void in its canonical form.
  mutating func take<History: CorrectionHistory & ~Copyable>(
    _ event: UsageEvent, nextPosition: UInt64, _ history: inout History
  ) throws(History.Failure) -> Decision {
    guard let correction = event.correction, let target = event.targetIdentity else {
      preconditionFailure("only a correction is decided here")
    }
    switch try standing(of: target, &history) {
    case .unknown, .waiting:
      guard parked.hasRoom(for: event) else {
        return .refuse(
          correction.refusal(
            .unknownTarget,
            "which is not known yet, and \(count) corrections wait already; report it again after its target"
          ))
      }
      parked.park(event, at: nextPosition)
      let refused: [Step] =
        correction.kind == .voids
        ? settle(event, at: nextPosition, nextPosition: nextPosition + 1, &history) : []
      return .take([.park(event)] + refused)
    case .refused: return .refuse(correction.refusedTarget)
    case .void: return .refuse(correction.voidTarget)
    case .corrected(let position): return .refuse(correction.correctedTarget(by: position))
    case .counts(let position, let content):
      let applied = AppliedCorrection(event, of: content, at: position)
      return .take(apply(applied, standingAt: nextPosition, nextPosition: nextPosition, &history))
    }
  }

  /// Decides anew about a correction that has its identity at `position` already: one that was parked there and
  /// refused in the end takes effect where its target counts by now. Nil where it waits or is in effect.
  mutating func retake<History: CorrectionHistory & ~Copyable>(
    _ event: UsageEvent, at position: UInt64, nextPosition: UInt64, _ history: inout History
  ) throws(History.Failure) -> Decision? {
    guard let correction = event.correction, let target = event.targetIdentity else {
      preconditionFailure("only a correction is decided here")
    }
    guard parked.event(at: position) == nil else { return nil }
    switch try standing(of: target, &history) {
    case .unknown:
      return .refuse(
        correction.refusal(
          .unknownTarget, "which is not known; it does not wait again, so redrive it once that is"))
    case .waiting:
      return .refuse(
        correction.refusal(
          .unknownTarget, "which waits for its own target; redrive it once that has come"))
    case .refused: return .refuse(correction.refusedTarget)
    case .void: return .refuse(correction.voidTarget)
    case .corrected(let effect):
      guard try history.event(at: effect).identity != event.identity else { return nil }
      return .refuse(correction.correctedTarget(by: effect))
    case .counts(let targetPosition, let content):
      let applied = AppliedCorrection(event, of: content, at: targetPosition)
      return .take(apply(applied, standingAt: position, nextPosition: nextPosition, &history))
    }
  }

  /// Takes a correction into effect at the next position, and settles what waited for it; it stands at `position`.
  private mutating func apply<History: CorrectionHistory & ~Copyable>(
    _ applied: AppliedCorrection, standingAt position: UInt64, nextPosition: UInt64,
    _ history: inout History
  ) -> [Step] {
    guard let target = applied.event.targetIdentity else {
      preconditionFailure("only a correction takes effect")
    }
    history.setCorrection(of: target, at: nextPosition)
    let settled = settle(
      applied.event, at: position,
      nextPosition: nextPosition + UInt64(applied.deltas.count), &history)
    return [.apply(applied)] + settled
  }

  /// Settles what waited for an event that was accepted at `position`.
  mutating func accepted<History: CorrectionHistory & ~Copyable>(
    _ event: UsageEvent, at position: UInt64, nextPosition: UInt64, _ history: inout History
  ) -> [Step] {
    settle(event, at: position, nextPosition: nextPosition, &history)
  }

  /// Refuses what waits for events of usage hours that start before `limit`, which can no longer come.
  mutating func expire(before limit: Instant) -> [Step] {
    parked.remove(before: limit).map { entry in
      step(refusing: entry) {
        $0.refusal(.unknownTarget, "which did not come within the lateness limit")
      }
    }
  }

  private func step(
    refusing entry: ParkedCorrections.Entry, _ refusal: (Correction) -> Refusal
  ) -> Step {
    .refuse(entry.event, position: entry.position, refusal(entry.event.correction!))
  }
}

extension CorrectionLedger {
  private mutating func standing<History: CorrectionHistory & ~Copyable>(
    of target: EventIdentity, _ history: inout History
  ) throws(History.Failure) -> Standing {
    guard let position = try history.position(of: target) else { return .unknown }
    if let waiting = parked.event(at: position) {
      return waiting.correction?.kind == .voids ? .void : .waiting
    }
    if let correction = try history.correction(of: target) { return .corrected(by: correction) }
    let event = try history.event(at: position)
    guard let correction = event.correction, let corrected = event.targetIdentity else {
      return .counts(position: position, event)
    }
    guard correction.kind == .replaces else { return .void }
    // Where it was parked first, it took effect at another position than its own, if it did.
    guard let effect = try history.correction(of: corrected) else { return .refused }
    if effect != position, try history.event(at: effect).identity != target { return .refused }
    return .counts(position: position, event)
  }

  /// Settles what waits for an event that stands now at `position`, what waits for that, and so on.
  private mutating func settle<History: CorrectionHistory & ~Copyable>(
    _ event: UsageEvent, at position: UInt64, nextPosition: UInt64, _ history: inout History
  ) -> [Step] {
    guard parked.awaits(event.usageStart.hour) else { return [] }
    var steps: [Step] = []
    var nextPosition = nextPosition
    var counting: (event: UsageEvent, position: UInt64)? = (event, position)
    while let (target, targetPosition) = counting {
      counting = nil
      let entries = parked.remove(waitingFor: target.identity)
      guard target.correction?.kind != .voids, let first = entries.first else {
        steps += refuse(entries) { $0.voidTarget }
        break
      }
      let applied = AppliedCorrection(first.event, of: target, at: targetPosition)
      let effect = nextPosition
      history.setCorrection(of: target.identity, at: effect)
      steps.append(.apply(applied))
      nextPosition += UInt64(applied.deltas.count)
      steps += refuse(Array(entries.dropFirst())) { $0.correctedTarget(by: effect) }
      counting = (first.event, first.position)
    }
    return steps
  }

  /// Refuses parked corrections, and all that wait for these.
  private mutating func refuse(
    _ entries: [ParkedCorrections.Entry], _ refusal: (Correction) -> Refusal
  ) -> [Step] {
    var steps = entries.map { step(refusing: $0, refusal) }
    var refused = entries
    while let entry = refused.popLast() {
      let waiting = parked.remove(waitingFor: entry.event.identity)
      steps += waiting.map { step(refusing: $0) { $0.refusedTarget } }
      refused += waiting
    }
    return steps
  }
}

extension CorrectionLedger {
  /// Takes in one record of the journal, in order. False where it is not of its kind's form.
  mutating func replay(_ record: Record) -> Bool {
    switch record.kind {
    case .parked:
      guard let event = record.parkedCorrection else { return false }
      parked.park(event, at: record.firstPosition)
    case .correction:
      guard let applied = record.appliedCorrection, let target = applied.event.targetIdentity
      else { return false }
      parked.remove(applied.event.identity, waitingFor: target)
    case .unparked:
      guard let unparked = record.unparked else { return false }
      for entry in unparked { parked.remove(at: entry.position) }
    case .batch, .tick, .refusal, .mark, .heartbeat, .resolution: break
    }
    return true
  }

  /// A record for each correction that waits: replaying them makes the same ledger.
  var parkedRecords: [Record] {
    parked.entries.map {
      Record(parked: $0.event, position: $0.position, time: Instant(nanoseconds: 0))
    }
  }

  /// Finishes, after the replay, what a crash in the middle of a commit has left: corrections that wait for an event
  /// that is there.
  mutating func resume<History: CorrectionHistory & ~Copyable>(
    nextPosition: UInt64, _ history: inout History
  ) throws(History.Failure) -> [Step] {
    var steps: [Step] = []
    var nextPosition = nextPosition
    // One that was settled with another is awaited no more.
    for target in parked.awaited where parked.awaits(target) {
      var settled: [Step] = []
      switch try standing(of: target, &history) {
      case .unknown, .waiting: break
      case .refused: settled = refuse(parked.remove(waitingFor: target)) { $0.refusedTarget }
      case .void: settled = refuse(parked.remove(waitingFor: target)) { $0.voidTarget }
      case .corrected(let position):
        settled = refuse(parked.remove(waitingFor: target)) { $0.correctedTarget(by: position) }
      case .counts(let position, let event):
        settled = settle(event, at: position, nextPosition: nextPosition, &history)
      }
      for case .apply(let applied) in settled { nextPosition += UInt64(applied.deltas.count) }
      steps += settled
    }
    return steps
  }
}

extension Correction {
  /// `problem` follows the target's name.
  fileprivate func refusal(_ reason: Refusal.Reason, _ problem: String) -> Refusal {
    Refusal(reason, field: kind.field, "names \"\(targetID)\", \(problem)")
  }

  fileprivate var voidTarget: Refusal {
    refusal(
      .voidOfVoid, "which is a void; a void stands, so report the usage anew under another id")
  }

  fileprivate var refusedTarget: Refusal {
    refusal(.unknownTarget, "which is a correction that was refused itself")
  }

  fileprivate func correctedTarget(by position: UInt64) -> Refusal {
    refusal(
      .alreadyCorrected,
      "which the correction at position \(position) has replaced or voided; that one stands")
  }
}
