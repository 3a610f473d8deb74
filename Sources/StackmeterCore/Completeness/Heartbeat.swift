/// A source's word on how far its usage is reported.
///
/// The first one of a source declares it: from then on usage is final only where this source is complete, too.
package struct Heartbeat: Hashable, Sendable {
  /// As events name it.
  package var source: String
  /// How often the source means to say more; 0 where no more is expected of it.
  package var cadenceSeconds: UInt32
  /// All usage of the source before it is reported. Means nothing where no more is expected.
  package var completeUntil: Instant

  package init(source: String, cadenceSeconds: UInt32, completeUntil: Instant) {
    self.source = source
    self.cadenceSeconds = cadenceSeconds
    self.completeUntil = completeUntil
  }

  /// No more is expected of the source.
  package static func end(of source: String) -> Heartbeat {
    Heartbeat(source: source, cadenceSeconds: 0, completeUntil: Instant(nanoseconds: 0))
  }

  package var isEnd: Bool { cadenceSeconds == 0 }
}

extension Heartbeat {
  /// What is wrong with its numbers, whenever it comes: the field by its name on the wire, and what to do.
  package var problem: (field: String, problem: String)? {
    guard cadenceSeconds <= HeartbeatLimits.cadenceSecondsMax else {
      return (
        "cadence_seconds",
        "is \(cadenceSeconds); at most \(HeartbeatLimits.cadenceSecondsMax), 31 days, is taken"
      )
    }
    if isEnd {
      guard completeUntil.nanoseconds == 0 else {
        return (
          "cadence_seconds",
          "is missing: the seconds between two heartbeats. To end a source, leave complete_until out as well"
        )
      }
      return nil
    }
    guard Instant.accepted.contains(completeUntil) else {
      return (
        "complete_until",
        "must be a time from \(Instant.accepted.lowerBound) to \(Instant.accepted.upperBound)"
      )
    }
    return nil
  }
}

/// The limits of what sources declare.
package enum HeartbeatLimits {
  /// Sources that are declared at once; one that has ended makes room.
  package static let sourcesMax = 4096
  package static let cadenceSecondsMax: UInt32 = 31 * 86_400
  /// How far `completeUntil` may lie in the future of the collector's clock.
  package static let futureMax = EventLimits.futureMax
}
