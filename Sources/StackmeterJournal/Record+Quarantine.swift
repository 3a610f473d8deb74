package import StackmeterCore

/// The records of a quarantine. See README.md for the bytes.
extension Record {
  /// A refused event.
  package init(
    number: UInt64, time: Instant, refusal: Refusal, event: EventBatch
  ) {
    var writer = ByteWriter()
    writer.number(refusal.reason.rawValue)
    writer.text(refusal.field)
    writer.text(refusal.message)
    event.writeSingle(to: &writer)
    self.init(
      kind: .refusal, count: 1, firstPosition: number, firstTime: time, payload: writer.bytes)
  }

  /// Why an event was refused, and the event alone; nil where the record is of another kind or form.
  package var refusedEvent: (refusal: Refusal, event: EventBatch)? {
    guard kind == .refusal else { return nil }
    var reader = ByteReader(payload)
    guard let reason = reader.number(UInt8.self).flatMap({ Refusal.Reason(rawValue: $0) }),
      let field = reader.text(), let message = reader.text(),
      let event = EventBatch(single: &reader), reader.isAtEnd
    else { return nil }
    return (Refusal(reason, field: field, message), event)
  }

  /// Nil where the record is of another kind.
  package var quarantineEntry: QuarantineEntry? {
    refusedEvent.map { refused in
      QuarantineEntry(
        number: firstPosition, refusedTime: firstTime, refusal: refused.refusal,
        event: refused.event.event(0))
    }
  }

  /// An entry of the quarantine and how it was closed; the record has the time.
  package typealias ResolvedEntry = (number: UInt64, outcome: QuarantineResolution.Outcome)

  /// Entries that were closed at `time`; `nextNumber` is what the next refused event will have.
  package init(resolved entries: [ResolvedEntry], nextNumber: UInt64, time: Instant) {
    var writer = ByteWriter()
    for (number, outcome) in entries {
      writer.number(number)
      // Positions begin with 1.
      switch outcome {
      case .redriven(let position): writer.number(position)
      case .discarded: writer.number(UInt64(0))
      }
    }
    self.init(
      kind: .resolution, count: 0, firstPosition: nextNumber, firstTime: time,
      payload: writer.bytes)
  }

  /// Nil where the record is of another kind or form.
  package var resolvedEntries: [ResolvedEntry]? {
    guard kind == .resolution, payload.count % 16 == 0 else { return nil }
    var reader = ByteReader(payload)
    var entries: [ResolvedEntry] = []
    while let number = reader.number(UInt64.self), let position = reader.number(UInt64.self) {
      entries.append((number, position == 0 ? .discarded : .redriven(position: position)))
    }
    return entries
  }
}
