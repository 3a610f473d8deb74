import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import Testing

@testable import CollectorServer

/// What became of one report, without the words.
enum Outcome: Hashable {
  case accepted
  case duplicate
  case conflict
  case parked
  case refused(Refusal.Reason)
}

/// What the index and the journal know, in dictionaries.
struct MemoryHistory: CorrectionHistory {
  var positions: [EventIdentity: UInt64] = [:]
  var corrections: [EventIdentity: UInt64] = [:]
  var events: [UInt64: UsageEvent] = [:]

  func position(of identity: EventIdentity) -> UInt64? { positions[identity] }

  func correction(of identity: EventIdentity) -> UInt64? { corrections[identity] }

  mutating func setCorrection(of identity: EventIdentity, at position: UInt64) {
    corrections[identity] = position
  }

  func event(at position: UInt64) -> UsageEvent { events[position]! }

  mutating func add(_ event: UsageEvent, at position: UInt64) {
    events[position] = event
    // A parked correction keeps the position where it was parked.
    if positions[event.identity] == nil { positions[event.identity] = position }
  }
}

/// A ledger over a journal in memory, used as the collector uses it: everything but the bytes of the journal can
/// be lost at any time.
struct RecordedLedger {
  static let id = LogID(rawValue: 7)!

  private(set) var bytes: [UInt8] = []
  /// Where the records in `bytes` end.
  private(set) var ends = [0]
  private(set) var ledger = CorrectionLedger()
  private(set) var totals = UsageTotals()
  /// The parked corrections that were refused, once for each time.
  private(set) var refused: [UsageEvent] = []
  private var history = MemoryHistory()
  private var nextPosition: UInt64 = 1
  private var time = Fixture.now

  init() {}

  /// Starts again from what is durable.
  init(restartingFrom durable: some Sequence<UInt8>) throws {
    for record in Record.all(in: Array(durable), of: RecordedLedger.id) {
      let isRead = ledger.replay(record)
      try #require(isRead)
      try #require(record.firstPosition == nextPosition)
      note(record)
    }
    carryOut(ledger.resume(nextPosition: nextPosition, &history))
  }

  mutating func report(_ reported: UsageEvent) -> Outcome {
    let event = reported.correction?.kind == .voids ? reported.canonicalVoid : reported
    if let position = history.positions[event.identity] {
      return history.events[position] == event ? .duplicate : .conflict
    }
    let position = nextPosition
    guard event.correction != nil else {
      write(
        Record(
          kind: .batch, count: 1, firstPosition: position, firstTime: nextTime(),
          payload: EventBatch(event).journalPayload()))
      carryOut(ledger.accepted(event, at: position, nextPosition: nextPosition, &history))
      return .accepted
    }
    switch ledger.take(event, nextPosition: position, &history) {
    case .refuse(let refusal): return .refused(refusal.reason)
    case .take(let steps):
      carryOut(steps)
      if case .park? = steps.first { return .parked }
      return .accepted
    }
  }

  mutating func expire(before limit: Instant) {
    carryOut(ledger.expire(before: limit))
  }

  private mutating func carryOut(_ steps: [CorrectionLedger.Step]) {
    var unparked: [Unparked] = []
    for step in steps {
      switch step {
      case .apply(let correction):
        write(Record(correction, position: nextPosition, time: nextTime()))
      case .park(let event):
        write(Record(parked: event, position: nextPosition, time: nextTime()))
      case .refuse(_, let position, let refusal):
        unparked.append(Unparked(position: position, reason: refusal.reason))
      }
    }
    guard !unparked.isEmpty else { return }
    write(Record(unparked: unparked, position: nextPosition, time: nextTime()))
  }

  private mutating func nextTime() -> Instant {
    time = time.advanced(by: .nanoseconds(10))
    return time
  }

  private mutating func write(_ record: Record) {
    record.write(to: &bytes, of: RecordedLedger.id, startsCommit: false)
    note(record)
  }

  /// What the index and the aggregates make of a record.
  private mutating func note(_ record: Record) {
    if bytes.count == ends.last {
      record.write(to: &bytes, of: RecordedLedger.id, startsCommit: false)
    }
    ends.append(bytes.count)
    time = record.lastTime
    nextPosition = record.nextPosition
    if let event = record.declaredEvent(at: record.firstPosition) {
      history.add(event, at: record.firstPosition)
    }
    if let target = record.appliedCorrection?.event.targetIdentity {
      history.setCorrection(of: target, at: record.firstPosition)
    }
    refused += (record.unparked ?? []).map { history.event(at: $0.position) }
    guard let counted = record.countedEvents else { return }
    for index in 0..<counted.count {
      totals.add(counted.event(index))
    }
  }
}

/// What each series counts in each usage hour, without zeros.
struct UsageTotals: Equatable {
  private var sums: [Series: [Hour: Quantity]] = [:]

  mutating func add(_ event: UsageEvent) {
    for (hour, part) in UsageSplit(
      start: event.usageStart, end: event.usageEnd, quantity: event.quantity)
    {
      let sum = sums[event.series, default: [:]][hour, default: .zero].adding(part)!
      sums[event.series, default: [:]][hour] = sum == .zero ? nil : sum
    }
    if sums[event.series]?.isEmpty == true { sums[event.series] = nil }
  }
}

/// What is right, from the reports alone: of the corrections of an event the first that was reported is in effect.
struct CorrectionModel {
  private enum Status { case counts, waits, isRefused }

  /// One report of each identity that was taken, in order.
  private var taken: [UsageEvent] = []
  /// Where in `taken` the one of an identity stands, and the first that corrects it.
  private var places: [EventIdentity: Int] = [:]
  private var winners: [EventIdentity: Int] = [:]

  mutating func report(_ reported: UsageEvent) -> Outcome {
    let event = reported.correction?.kind == .voids ? reported.canonicalVoid : reported
    if let first = find(event.identity) { return first == event ? .duplicate : .conflict }
    var outcome = Outcome.accepted
    if let identity = event.targetIdentity {
      if let target = find(identity) {
        if target.correction?.kind == .voids { return .refused(.voidOfVoid) }
        switch status(target) {
        case .isRefused: return .refused(.unknownTarget)
        case .counts where winner(identity) != nil: return .refused(.alreadyCorrected)
        case .counts: break
        case .waits: outcome = .parked
        }
      } else {
        outcome = .parked
      }
    }
    places[event.identity] = taken.count
    if let identity = event.targetIdentity, winners[identity] == nil {
      winners[identity] = taken.count
    }
    taken.append(event)
    return outcome
  }

  /// What an operator is told who reports it again: one that was parked and refused is refused for what refuses it now.
  mutating func redrive(_ reported: UsageEvent) -> Outcome {
    let event = reported.correction?.kind == .voids ? reported.canonicalVoid : reported
    guard find(event.identity) == event, status(event) == .isRefused,
      let target = event.targetIdentity.flatMap({ find($0) })
    else { return report(event) }
    if target.correction?.kind == .voids { return .refused(.voidOfVoid) }
    return .refused(status(target) == .isRefused ? .unknownTarget : .alreadyCorrected)
  }

  var totals: UsageTotals {
    var totals = UsageTotals()
    for event in taken where event.correction == nil {
      var counted = event
      while counted.correction?.kind != .voids, let correction = winner(counted.identity) {
        counted = correction
      }
      guard counted.correction?.kind != .voids else { continue }
      totals.add(counted)
    }
    return totals
  }

  /// The corrections that were taken and are refused by now, and those that wait.
  var refused: Set<UsageEvent> { Set(taken.filter { status($0) == .isRefused }) }
  var waiting: Set<UsageEvent> { Set(taken.filter { status($0) == .waits }) }

  func find(_ identity: EventIdentity) -> UsageEvent? {
    places[identity].map { taken[$0] }
  }

  /// The correction that is in effect on an event that counts.
  func winner(_ identity: EventIdentity) -> UsageEvent? {
    winners[identity].map { taken[$0] }
  }

  private func status(_ event: UsageEvent, depth: Int = 0) -> Status {
    guard let identity = event.targetIdentity else { return .counts }
    // Corrections that name each other in a ring wait for ever.
    guard let target = find(identity), depth <= taken.count else { return .waits }
    guard target.correction?.kind != .voids else { return .isRefused }
    let standing = status(target, depth: depth + 1)
    return standing == .counts && winner(identity) != event ? .isRefused : standing
  }
}
