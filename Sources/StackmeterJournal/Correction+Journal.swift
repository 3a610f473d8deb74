package import StackmeterCore

/// A correction that took effect, as the journal has it.
package struct AppliedCorrection: Hashable, Sendable {
  /// The replacement or void, as it was declared.
  package let event: UsageEvent
  /// Where the event that it corrects stands.
  package let targetPosition: UInt64
  /// What counts from then on; at most two events, which take the record's positions.
  package let deltas: EventBatch

  package static let deltasMax = 2

  package init(_ event: UsageEvent, of target: UsageEvent, at targetPosition: UInt64) {
    self.init(
      event: event, targetPosition: targetPosition, deltas: event.deltas(correcting: target))
  }

  fileprivate init(event: UsageEvent, targetPosition: UInt64, deltas: EventBatch) {
    self.event = event
    self.targetPosition = targetPosition
    self.deltas = deltas
  }
}

/// A parked correction that was refused in the end.
package struct Unparked: Hashable, Sendable {
  /// Of the record that parked it.
  package let position: UInt64
  package let reason: Refusal.Reason

  package init(position: UInt64, reason: Refusal.Reason) {
    self.position = position
    self.reason = reason
  }
}

extension Record {
  /// A correction that takes effect at `position`.
  package init(_ correction: AppliedCorrection, position: UInt64, time: Instant) {
    var writer = ByteWriter()
    writer.number(correction.targetPosition)
    EventBatch(correction.event).writeSingle(to: &writer)
    correction.deltas.write(to: &writer)
    self.init(
      kind: .correction, count: UInt32(correction.deltas.count), firstPosition: position,
      firstTime: time, payload: writer.bytes)
  }

  /// Nil where the record is of another kind or form.
  package var appliedCorrection: AppliedCorrection? {
    guard kind == .correction else { return nil }
    var reader = ByteReader(payload)
    guard let targetPosition = reader.number(UInt64.self),
      let event = EventBatch(single: &reader)?.event(0), event.isCorrection,
      let deltas = EventBatch(&reader), reader.isAtEnd, deltas.count == count,
      (1...AppliedCorrection.deltasMax).contains(deltas.count)
    else { return nil }
    return AppliedCorrection(event: event, targetPosition: targetPosition, deltas: deltas)
  }

  /// A correction that waits for what it corrects, parked at `position`.
  package init(parked event: UsageEvent, position: UInt64, time: Instant) {
    precondition(event.correction != nil, "only a correction is parked")
    var writer = ByteWriter()
    EventBatch(event).writeSingle(to: &writer)
    self.init(
      kind: .parked, count: 1, firstPosition: position, firstTime: time, payload: writer.bytes)
  }

  /// Nil where the record is of another kind or form.
  package var parkedCorrection: UsageEvent? {
    guard kind == .parked, count == 1 else { return nil }
    var reader = ByteReader(payload)
    guard let event = EventBatch(single: &reader)?.event(0), event.isCorrection, reader.isAtEnd
    else { return nil }
    return event
  }

  /// Parked corrections that were refused. Takes no position.
  package init(unparked: [Unparked], position: UInt64, time: Instant) {
    var writer = ByteWriter()
    writer.number(UInt32(unparked.count))
    for entry in unparked {
      writer.number(entry.position)
      writer.number(entry.reason.rawValue)
    }
    self.init(
      kind: .unparked, count: 0, firstPosition: position, firstTime: time, payload: writer.bytes)
  }

  private static let unparkedBytes = 9

  /// Nil where the record is of another kind or form.
  package var unparked: [Unparked]? {
    guard kind == .unparked, count == 0 else { return nil }
    var reader = ByteReader(payload)
    guard let entries = reader.number(UInt32.self),
      reader.left == Int(entries) * Record.unparkedBytes
    else { return nil }
    var unparked: [Unparked] = []
    unparked.reserveCapacity(Int(entries))
    for _ in 0..<entries {
      guard let position = reader.number(UInt64.self),
        let reason = reader.number(UInt8.self).flatMap({ Refusal.Reason(rawValue: $0) })
      else { return nil }
      unparked.append(Unparked(position: position, reason: reason))
    }
    return unparked
  }

  /// The events that the record counts: those of a batch, the deltas of a correction. Nil where it is of
  /// another kind, or not of its kind's form.
  package var countedEvents: EventBatch? {
    switch kind {
    case .batch:
      guard let batch = EventBatch(journalPayload: payload), batch.count == count else {
        return nil
      }
      return batch
    case .correction: return appliedCorrection?.deltas
    case .tick, .refusal, .mark, .parked, .unparked, .heartbeat, .resolution: return nil
    }
  }

  /// The event that was declared at a position of this record; a correction is one at all of its positions.
  /// Nil where there is none, or the record is not of its kind's form.
  package func declaredEvent(at position: UInt64) -> UsageEvent? {
    guard (firstPosition..<nextPosition).contains(position) else { return nil }
    return switch kind {
    case .batch: countedEvents?.event(Int(position - firstPosition))
    case .correction: appliedCorrection?.event
    case .parked: parkedCorrection
    case .tick, .refusal, .mark, .unparked, .heartbeat, .resolution: nil
    }
  }
}

extension UsageEvent {
  /// Whether it is a correction as the collector takes them.
  fileprivate var isCorrection: Bool {
    switch correction?.kind {
    case .replaces, .voids: true
    case .contradictory, nil: false
    }
  }
}

extension EventBatch {
  private static let noCorrection: UInt8 = 0

  /// A batch of one event, in front of it what the event corrects.
  func writeSingle(to writer: inout ByteWriter) {
    precondition(count == 1, "one event is written alone")
    let correction = correction(0)
    writer.number(correction?.kind.rawValue ?? EventBatch.noCorrection)
    writer.text(correction?.targetID ?? "")
    write(to: &writer)
  }

  init?(single reader: inout ByteReader) {
    guard let code = reader.number(UInt8.self), let targetID = reader.text() else { return nil }
    let kind = Correction.Kind(rawValue: code)
    guard kind != nil || (code == EventBatch.noCorrection && targetID.isEmpty) else { return nil }
    self.init(&reader)
    guard count == 1 else { return nil }
    if let kind { corrections = [PlacedCorrection(event: 0, Correction(kind, targetID))] }
  }
}
