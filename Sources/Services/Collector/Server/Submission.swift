internal import StackmeterCore

/// What waits for the commit thread, and where its answer goes.
enum Submission: Sendable {
  typealias Answer<Value> = @Sendable (Result<Value, CollectorError>) -> Void

  case report([EventBatch], Answer<[EventResults]>)
  case redrive([RefusedEvent], Answer<[QuarantineResult]>)
  case discard([RefusedEvent], Answer<[QuarantineResult]>)
  case heartbeat(Heartbeat, Answer<ReportingSource?>)

  /// What was decided, to be told once it is durable.
  struct Decision {
    /// Of every event that was taken, to be counted.
    var results: [EventResults] = []
    let tell: () -> Void
  }

  /// What is to be written to the journal.
  var batches: [EventBatch] {
    switch self {
    case .report(let batches, _): batches
    case .redrive(let entries, _): entries.map(\.event)
    case .discard, .heartbeat: []
    }
  }

  var isHeartbeat: Bool {
    if case .heartbeat = self { true } else { false }
  }

  func decide(_ intake: inout Intake, clock: Instant) throws(CollectorError) -> Decision {
    switch self {
    case .report(let batches, let answer):
      var results: [EventResults] = []
      for batch in batches { results.append(try intake.take(batch, clock: clock)) }
      return Decision(results: results) { answer(.success(results)) }
    case .redrive(let entries, let answer):
      let results = try intake.redrive(entries, clock: clock)
      return Decision(results: [EventResults(results.events)]) { answer(.success(results.entries)) }
    case .discard(let entries, let answer):
      let results = intake.discard(entries, clock: clock)
      return Decision { answer(.success(results)) }
    case .heartbeat(let heartbeat, let answer):
      let result = try intake.take(heartbeat, clock: clock)
      return Decision { answer(result) }
    }
  }

  /// Whether it is refused while the disk is short. To discard takes a little room and makes more.
  var needsRoom: Bool {
    switch self {
    case .report, .redrive, .heartbeat: true
    case .discard: false
    }
  }

  func fail(_ error: CollectorError) {
    switch self {
    case .report(_, let answer): answer(.failure(error))
    case .redrive(_, let answer), .discard(_, let answer): answer(.failure(error))
    case .heartbeat(_, let answer): answer(.failure(error))
    }
  }
}
