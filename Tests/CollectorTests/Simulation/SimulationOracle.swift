import StackmeterCore
import StackmeterJournal
import StackmeterTesting

@testable import CollectorServer

/// The collector did what it must not.
struct SimulationProblem: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

func expect(_ holds: Bool, _ problem: @autoclosure () throws -> String) throws {
  if !holds { throw SimulationProblem(try problem()) }
}

/// A refusal that the quarantine has to list until it is closed.
struct OpenRefusal: Hashable {
  let reason: Refusal.Reason
  let event: UsageEvent
}

/// What a commit is about to make durable, by the answers that wait for it.
struct SimulatedCommit {
  /// What is true once it is durable.
  var model: CorrectionModel
  /// Newly taken, in order, as they are counted; with their positions.
  var taken: [(event: UsageEvent, position: UInt64)] = []
  /// Of each identity that is in `taken`.
  var positions: [EventIdentity: UInt64] = [:]
  var refused: Set<OpenRefusal> = []
  var closed: Set<OpenRefusal> = []
  /// Refused and not kept, for lack of room.
  var dropped = 0
}

/// What must be true of one collector, whatever happens to it: made of what was answered and what the journal says.
struct SimulationOracle {
  /// What was taken, answered or found after a crash.
  var model = CorrectionModel()
  private(set) var positions: [EventIdentity: UInt64] = [:]
  /// The position of the correction in effect on each event.
  private(set) var effects: [EventIdentity: UInt64] = [:]
  /// The journal but for its marks.
  private(set) var records: [Record] = []
  private(set) var nextPosition: UInt64 = 1
  private var lastTime = Instant(nanoseconds: 0)
  private var totals = UsageTotals()
  private(set) var parked: [UInt64: UsageEvent] = [:]
  /// What the quarantine has to list.
  private(set) var open: Set<OpenRefusal> = []
  /// So many of these may be missing.
  private var droppedMax = 0
  /// How many of the last records one commit has written.
  private(set) var lastCommitCount = 0

  /// What was new in the records that were read last.
  private var found: [UsageEvent] = []

  /// Takes in what the journal has got since.
  mutating func read(_ reader: inout LogReader, _ tail: LogTail) throws {
    found = []
    let before = records.count
    while let chunk = try reader.next(upTo: tail) {
      for record in Record.all(in: chunk.bytes, of: chunk.id) where record.kind != .mark {
        try absorb(record)
      }
    }
    if records.count > before { lastCommitCount = records.count - before }
    try expect(
      nextPosition == tail.nextPosition,
      "the journal can be read up to position \(nextPosition), its tail is \(tail.nextPosition)")
  }

  private mutating func absorb(_ record: Record) throws {
    try expect(
      record.firstPosition == nextPosition,
      "a record at position \(record.firstPosition) follows one that ends at \(nextPosition)")
    try expect(
      record.firstTime > lastTime, "the record at \(nextPosition) is not later than the one before")
    let position = record.firstPosition
    switch record.kind {
    case .batch:
      guard let batch = record.countedEvents else { throw SimulationProblem("an unknown batch") }
      for index in 0..<batch.count {
        try take(batch.event(index), at: position + UInt64(index), .accepted)
      }
    case .parked:
      guard let event = record.parkedCorrection else {
        throw SimulationProblem("an unknown parked correction")
      }
      try take(event, at: position, .parked)
      parked[position] = event
    case .correction:
      guard let applied = record.appliedCorrection, let target = applied.event.targetIdentity
      else { throw SimulationProblem("an unknown correction") }
      if let known = positions[applied.event.identity] {
        try expect(
          parked.removeValue(forKey: known) == applied.event,
          "the correction at \(position) has the identity of one at \(known) that does not wait")
      } else {
        try take(applied.event, at: position, .accepted)
      }
      try expect(
        positions[target] == applied.targetPosition,
        "the correction at \(position) corrects \(applied.targetPosition)")
      try expect(
        effects[target] == nil, "the event at \(applied.targetPosition) is corrected twice")
      effects[target] = position
    case .unparked:
      for entry in record.unparked ?? [] {
        guard let event = parked.removeValue(forKey: entry.position) else {
          throw SimulationProblem("nothing waits at \(entry.position)")
        }
        open.insert(OpenRefusal(reason: entry.reason, event: event))
      }
    case .tick: break
    case .mark, .refusal, .heartbeat, .resolution:
      throw SimulationProblem("a \(record.kind) in the journal")
    }
    if let counted = record.countedEvents {
      for index in 0..<counted.count { totals.add(counted.event(index)) }
    }
    records.append(record)
    nextPosition = record.nextPosition
    lastTime = record.lastTime
  }

  /// An event of a new identity stands in the journal.
  private mutating func take(
    _ event: UsageEvent, at position: UInt64, _ expected: Outcome
  ) throws {
    if let first = positions[event.identity] {
      throw SimulationProblem("the event at \(position) is at \(first) already")
    }
    let outcome = model.report(event)
    try expect(
      outcome == expected, "position \(position) is \(expected), where \(outcome) is right")
    positions[event.identity] = position
    found.append(event)
  }

  /// What an answer has to be: the position is that of an event that is known.
  func answer(
    _ reported: UsageEvent, now: Instant, _ rules: SimulatedRules, isRedriven: Bool,
    _ commit: inout SimulatedCommit
  ) -> (outcome: Outcome, known: UInt64?) {
    if let reason = rules.refusal(reported, now: now) { return (.refused(reason), nil) }
    let event = rules.canonical(reported)
    let outcome = isRedriven ? commit.model.redrive(event) : commit.model.report(event)
    return (outcome, commit.positions[event.identity] ?? positions[event.identity])
  }

  /// Compares an answer to what is right, and notes what it promises. `isRedriven`: the quarantine has it already.
  func note(
    _ reported: UsageEvent, _ result: EventResult, now: Instant, _ rules: SimulatedRules,
    isRedriven: Bool = false, _ commit: inout SimulatedCommit
  ) throws {
    let (outcome, known) = answer(
      reported, now: now, rules, isRedriven: isRedriven, &commit)
    try expect(
      result.outcome == outcome, "\(reported.brief) got \(result), where \(outcome) is right")
    switch result {
    case .accepted(let position, _), .parked(let position):
      let event = rules.canonical(reported)
      commit.taken.append((event, position))
      commit.positions[event.identity] = position
    case .duplicate(let position), .conflict(let position, _):
      try expect(position == known, "\(reported.brief) got \(result), but is at \(known ?? 0)")
    case .quarantined, .invalid: break
    }
    guard !isRedriven, let refusal = result.refusal else { return }
    if refusal.message.contains("it was not kept") {
      commit.dropped += 1
    } else {
      commit.refused.insert(OpenRefusal(reason: refusal.reason, event: reported))
    }
  }

  /// The commit is durable, and all of its records are read.
  mutating func confirm(_ commit: SimulatedCommit, droppedParked: Int) throws {
    try expect(
      found == commit.taken.map(\.event), "the journal has \(found), answered was \(commit.taken)")
    for (event, position) in commit.taken {
      try expect(
        positions[event.identity] == position,
        "answered was position \(position), the journal has \(positions[event.identity] ?? 0)")
    }
    open.subtract(commit.closed)
    open.formUnion(commit.refused)
    droppedMax += droppedParked
  }

  /// The collector was opened again: `recovered` is all that its journal has from position `first` on, and
  /// `commit` was not answered.
  mutating func reopen(
    _ recovered: [Record], from first: UInt64, _ commit: SimulatedCommit?, droppedParked: Int,
    removedBefore: (position: UInt64, time: Instant)
  ) throws {
    droppedMax += droppedParked
    // What takes no position at the start may be passed over.
    var rest = recovered.drop { $0.nextPosition <= first }
    let known = records.drop { $0.nextPosition <= first }
    let removed = records.prefix(records.count - known.count).filter { $0.count > 0 }
    try expect(
      removed.allSatisfy {
        $0.nextPosition <= removedBefore.position && $0.lastTime < removedBefore.time
      }, "the journal begins at position \(first), and has lost what was to be kept")
    for record in known {
      try expect(
        rest.first.map { $0.isSame(record) } ?? false,
        "the record at \(record.firstPosition) is lost or changed")
      rest.removeFirst()
    }
    found = []
    for record in rest { try absorb(record) }
    if !rest.isEmpty { lastCommitCount = rest.count }
    let unanswered = commit?.taken.map(\.event) ?? []
    try expect(
      found.elementsEqual(unanswered.prefix(found.count)),
      "the journal has \(found) beyond what was answered; in doubt were \(unanswered)")
  }

  /// Compares what the quarantine lists as open. `commit` was lost in a crash: what it refused or closed may be or not.
  mutating func checkQuarantine(_ listed: [QuarantineEntry], _ commit: SimulatedCommit?) throws {
    let keys = listed.map { OpenRefusal(reason: $0.refusal.reason, event: $0.event) }
    let all = Set(keys)
    try expect(all.count == keys.count, "a refusal is listed twice")
    let missing = open.subtracting(all).subtracting(commit?.closed ?? [])
    try expect(missing.count <= droppedMax, "the quarantine has lost \(missing)")
    let waiting = Set(parked.values)
    for extra in all.subtracting(open) where commit?.refused.contains(extra) != true {
      // The quarantine is written before the journal says that the correction waits no more, or that it ever did.
      let wasParked =
        waiting.contains(extra.event)
        || commit?.taken.contains { $0.event == extra.event } ?? false
      let isAhead = commit != nil && wasParked && extra.reason.isOfTarget
      try expect(isAhead, "the quarantine lists \(extra), which was not refused")
    }
    open = all
  }
}

extension SimulationOracle {
  /// What must hold between commits.
  func check(_ rules: SimulatedRules) throws {
    try expect(totals == model.totals, "the journal counts \(totals), right is \(model.totals)")
    let oldest = rules.oldest(lastTime)
    let waiting = model.waiting.filter { $0.usageStart.hour.start >= oldest }
    let recorded = Set(parked.values.filter { $0.usageStart.hour.start >= oldest })
    try expect(
      recorded == waiting, "the journal has \(recorded) as parked, \(waiting) wait")
  }

  /// Asks for the events that may be reported again: all of them, or about one of `stride`.
  func checkHistory(
    _ history: inout AcceptedHistory, _ rules: SimulatedRules, stride: Int,
    _ random: inout SeededRandom
  ) throws {
    let oldest = rules.oldest(lastTime)
    for (event, position) in positions.sorted(by: { $0.value < $1.value })
    where event.hour.start >= oldest {
      guard stride == 1 || Int.random(in: 0..<stride, using: &random) == 0 else { continue }
      let known = try history.position(of: event)
      try expect(
        known == position,
        "\(event) is at \(position); the index has \(try history.index.positions(of: event)), "
          + "where the journal has \(try history.declared(at: position)?.brief ?? "nothing")")
      let effect = try history.correction(of: event)
      try expect(
        effect == effects[event],
        "\(event) is corrected at \(effects[event] ?? 0), the index has \(effect ?? 0)")
      let unknown = EventIdentity(source: event.source, id: event.id + "?", hour: event.hour)
      let found = try history.position(of: unknown)
      try expect(found == nil, "the index has \(unknown)")
    }
  }
}

extension Record {
  func isSame(_ other: Record) -> Bool {
    kind == other.kind && firstPosition == other.firstPosition && firstTime == other.firstTime
      && count == other.count && payload == other.payload
  }
}

extension Refusal.Reason {
  /// Of what a parked correction may be refused for.
  fileprivate var isOfTarget: Bool {
    switch self {
    case .alreadyCorrected, .voidOfVoid, .unknownTarget: true
    case .conflict, .unknownMeter, .tooOld, .inFuture, .malformed: false
    }
  }
}

extension EventResult {
  /// Without the words.
  var outcome: Outcome {
    switch self {
    case .accepted: .accepted
    case .duplicate: .duplicate
    case .conflict: .conflict
    case .parked: .parked
    case .quarantined(let refusal), .invalid(let refusal): .refused(refusal.reason)
    }
  }
}
