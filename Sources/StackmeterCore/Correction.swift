/// What an event does to an earlier one of its source, in the usage hour of its own start.
///
/// A correction is an event with an id of its own. A void cancels its target; a replacement cancels it and counts
/// its own content instead. Neither edits anything: the difference is counted when it is reported.
package struct Correction: Hashable, Sendable {
  /// The raw values are those of the journal and of the quarantine.
  package enum Kind: UInt8, Sendable, CaseIterable {
    case replaces = 1
    case voids = 2
    /// What the reporter sent does both; the collector refuses the event.
    case contradictory = 3

    /// The field that names the target.
    package var field: String { self == .voids ? "voids" : "replaces" }
  }

  package var kind: Kind
  /// The id of the event that is corrected.
  package var targetID: String

  package init(_ kind: Kind, _ targetID: String) {
    self.kind = kind
    self.targetID = targetID
  }

  /// What a reporter says in two fields, of which an empty one is absent; nil where both are.
  package init?(replaces: String, voids: String) {
    switch (replaces.isEmpty, voids.isEmpty) {
    case (true, true): return nil
    case (false, true): self.init(.replaces, replaces)
    case (true, false): self.init(.voids, voids)
    case (false, false): self.init(.contradictory, replaces)
    }
  }

  /// The two fields again.
  package var replaces: String { kind == .voids ? "" : targetID }
  package var voids: String { kind == .replaces ? "" : targetID }
}

/// The target is the same where all of its bytes are.
extension Correction {
  package static func == (left: Correction, right: Correction) -> Bool {
    left.kind == right.kind && left.targetID.hasSameBytes(as: right.targetID)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(kind)
    targetID.hashBytes(into: &hasher)
  }
}

/// The correction of one event of a batch. Few events have one, so they are no column.
package struct PlacedCorrection: Hashable, Sendable {
  /// Which event of the batch it is.
  package var event: Int
  package var correction: Correction

  package init(event: Int, _ correction: Correction) {
    self.event = event
    self.correction = correction
  }
}

/// What identifies an event: two events with one identity are one.
package struct EventIdentity: Hashable, Sendable {
  package let source: String
  package let id: String
  /// The usage hour of the event's start.
  package let hour: Hour

  package init(source: String, id: String, hour: Hour) {
    self.source = source
    self.id = id
    self.hour = hour
  }

  package static func == (left: EventIdentity, right: EventIdentity) -> Bool {
    left.hour == right.hour && left.id.hasSameBytes(as: right.id)
      && left.source.hasSameBytes(as: right.source)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(hour)
    id.hashBytes(into: &hasher)
    source.hashBytes(into: &hasher)
  }
}

extension UsageEvent {
  package var identity: EventIdentity {
    EventIdentity(source: source, id: id, hour: usageStart.hour)
  }

  /// The identity of the event that this one corrects, if it does: of the same source and usage hour.
  package var targetIdentity: EventIdentity? {
    correction.map { EventIdentity(source: source, id: $0.targetID, hour: usageStart.hour) }
  }
}
