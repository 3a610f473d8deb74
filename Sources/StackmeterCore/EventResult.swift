/// What became of one reported event.
package enum EventResult: Hashable, Sendable {
  /// Durable, at this position of the journal, with this reported time.
  case accepted(position: UInt64, reportedTime: Instant)
  /// Same identity and same content as the event at this position. A success without effect.
  case duplicate(position: UInt64)
  /// A correction whose target is not known yet. Durable at this position, and applied when its target is
  /// accepted; quarantined where that does not happen within the lateness limit.
  case parked(position: UInt64)
  /// Same identity, other content. The event at this position stands; this one was quarantined.
  case conflict(position: UInt64, Refusal)
  /// A well-formed event that may not be counted: too old, in the future, unknown meter.
  case quarantined(Refusal)
  /// A malformed event.
  case invalid(Refusal)

  /// Whether the provider is done with the event: it is counted exactly once, or waits for what it corrects.
  package var isSuccess: Bool {
    switch self {
    case .accepted, .duplicate, .parked: true
    case .conflict, .quarantined, .invalid: false
    }
  }

  package var refusal: Refusal? {
    switch self {
    case .accepted, .duplicate, .parked: nil
    case .conflict(_, let refusal), .quarantined(let refusal), .invalid(let refusal): refusal
    }
  }
}

/// Why an event was refused.
package struct Refusal: Hashable, Sendable {
  package let reason: Reason
  /// The field at fault: `quantity`, `series.meter`.
  package let field: String
  /// What is wrong with the value and what to do. Lower case, without a full stop.
  package let message: String

  package init(_ reason: Reason, field: String, _ message: String) {
    self.reason = reason
    self.field = field
    self.message = message
  }

  /// Stable names for programs. The raw values are those of the wire and of the quarantine's records.
  package enum Reason: UInt8, Sendable, CaseIterable {
    /// The same identity was accepted with other content.
    case conflict = 1
    /// No meter of this id is in the catalog.
    case unknownMeter = 2
    /// The usage hour is past the lateness limit.
    case tooOld = 3
    /// The event ends too far in the future.
    case inFuture = 4
    /// A field is missing, too long, or not of its form.
    case malformed = 5
    /// Another correction of the same event stands.
    case alreadyCorrected = 6
    /// The event to correct is a void, which nothing corrects.
    case voidOfVoid = 7
    /// The event to correct never came, or was refused.
    case unknownTarget = 8

    /// The name in JSON and in listings.
    package var name: String {
      switch self {
      case .conflict: "Conflict"
      case .unknownMeter: "UnknownMeter"
      case .tooOld: "TooOld"
      case .inFuture: "InFuture"
      case .malformed: "Malformed"
      case .alreadyCorrected: "AlreadyCorrected"
      case .voidOfVoid: "VoidOfVoid"
      case .unknownTarget: "UnknownTarget"
      }
    }

    /// All names, for messages.
    package static var names: String { allCases.map(\.name).joined(separator: ", ") }

    /// Nil where no reason has the name.
    package init?(name: String) {
      guard let reason = Reason.allCases.first(where: { $0.name == name }) else { return nil }
      self = reason
    }
  }
}
