internal import StackmeterCore

/// What waits for the commit thread, and where its answer goes.
enum Submission: Sendable {
  typealias Answer<Value> = @Sendable (Result<Value, CollectorError>) -> Void

  case report([EventBatch], Answer<[[EventResult]]>)
  case redrive([RefusedEvent], Answer<[QuarantineResult]>)
  case discard([RefusedEvent], Answer<[QuarantineResult]>)

  /// What was decided, to be told once it is durable.
  struct Decision {
    /// Of every event that was taken, to be counted.
    var results: [[EventResult]] = []
    let tell: () -> Void
  }

  func decide(_ intake: inout Intake, clock: Instant) -> Decision {
    switch self {
    case .report(let batches, let answer):
      let results = batches.map { intake.take($0, clock: clock) }
      return Decision(results: results) { answer(.success(results)) }
    case .redrive(let entries, let answer):
      let results = intake.redrive(entries, clock: clock)
      return Decision(results: [results.events]) { answer(.success(results.entries)) }
    case .discard(let entries, let answer):
      let results = intake.discard(entries, clock: clock)
      return Decision { answer(.success(results)) }
    }
  }

  /// Whether it is refused while the disk is short. To discard takes a little room and makes more.
  var needsRoom: Bool {
    switch self {
    case .report, .redrive: true
    case .discard: false
    }
  }

  func fail(_ error: CollectorError) {
    switch self {
    case .report(_, let answer): answer(.failure(error))
    case .redrive(_, let answer), .discard(_, let answer): answer(.failure(error))
    }
  }
}
