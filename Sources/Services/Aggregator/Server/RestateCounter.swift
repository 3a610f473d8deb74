internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// Counts some meters anew, from the journal's beginning up to a position, by the rule in force and by the one that is
/// to come: what is reported of them, and what should be.
///
/// Not safe for threads: its owner calls it from one task at a time.
final class RestateCounter {
  let stage: RestateStage
  /// The first position that was not counted.
  private(set) var position: UInt64 = 1
  /// Nil until the journal has said where it begins.
  private(set) var fromHour: Hour?
  private let changeOfMeter: [ExactText: Int]
  private let correctionHours: Int64
  private var window = Hour(index: 0)
  private var hasBegun = false

  /// `path` is of a file that is made anew. `fromHour` is the first usage hour to look at, where it is known already.
  init(
    path: String, _ changes: [RuleChange], fromHour: Hour? = nil, latenessLimitDays: Int,
    limits: RestateStage.Limits = RestateStage.Limits()
  ) throws(StoreError) {
    stage = try RestateStage(path: path, changes, limits: limits)
    self.fromHour = fromHour
    changeOfMeter = Dictionary(
      uniqueKeysWithValues: changes.enumerated().map { (ExactText($1.meter), $0) })
    // Twice as long as samples are kept, so that a limit which was lowered makes no difference.
    correctionHours = 2 * UsageWriter.sampleHours(latenessLimitDays: latenessLimitDays)
  }

  /// Counts whole records in front of `end`, which may be in the last one. True once it is there.
  func apply(_ bytes: [UInt8], of rawID: UInt64, upTo end: UInt64) throws -> Bool {
    guard let journal = LogID(rawValue: rawID) else { throw RollupError.unnamedJournal }
    try stage.transaction { () throws(StoreError) in
      do {
        for record in Record.all(in: bytes, of: journal) where record.firstPosition < end {
          try apply(record, upTo: end)
        }
      } catch let error as StoreError {
        throw error
      } catch {
        throw StoreError(.system, "\(error)")
      }
    }
    return position >= end
  }

  private func apply(_ record: Record, upTo end: UInt64) throws {
    if !hasBegun { begin(record) }
    guard record.firstPosition <= position else {
      throw RollupError.gap(expected: position, found: record.firstPosition)
    }
    if record.firstTime.hour > window {
      window = record.firstTime.hour
      try stage.settle(before: Hour(index: window.index - correctionHours))
    }
    guard record.nextPosition > position else { return }
    switch record.kind {
    case .batch: try apply(batch: record, upTo: end)
    case .correction: try apply(correction: record)
    case .tick, .refusal, .mark, .parked, .unparked, .heartbeat, .resolution: break
    }
    position = min(record.nextPosition, end)
  }

  /// What was reported before the first record, up to an hour ahead of it, is not in this journal.
  private func begin(_ record: Record) {
    hasBegun = true
    position = record.firstPosition
    guard fromHour == nil else { return }
    fromHour = Hour(index: position <= 1 ? 0 : record.firstTime.hour.index + 2)
  }

  private func apply(batch record: Record, upTo end: UInt64) throws {
    guard let batch = record.countedEvents else {
      throw RollupError.undecodable(position: record.firstPosition)
    }
    let changes = batch.series.map { changeOfMeter[ExactText($0.meter)] }
    for place in 0..<batch.count {
      let eventPosition = record.firstPosition + UInt64(place)
      guard eventPosition < end else { return }
      guard eventPosition >= position, let change = changes[Int(batch.seriesIndex[place])] else {
        continue
      }
      let event = batch.event(place)
      try stage.add(
        event, id(event.identity), change: change, position: eventPosition,
        from: fromHour ?? Hour(index: 0))
    }
  }

  /// What is corrected counts no more, and what stands in its place counts.
  private func apply(correction record: Record) throws {
    guard let correction = record.appliedCorrection,
      let target = correction.event.targetIdentity, let kind = correction.event.correction?.kind
    else { throw RollupError.undecodable(position: record.firstPosition) }
    var old = correction.deltas.event(0)
    let isReplacement = kind == .replaces
    // One delta of a replacement is the difference between the new quantity and the old one.
    let (content, delta) = (correction.event.quantity.attos, old.quantity.attos)
    let attos = isReplacement && correction.deltas.count == 1 ? content - delta : -delta
    guard let quantity = Quantity(attos: attos) else {
      throw RollupError.undecodable(position: record.firstPosition)
    }
    old.quantity = quantity
    if let change = changeOfMeter[ExactText(old.series.meter)] {
      try stage.remove(old, id(target), change: change)
    }
    if isReplacement, let change = changeOfMeter[ExactText(correction.event.series.meter)] {
      try stage.add(
        correction.event, id(correction.event.identity), change: change,
        position: record.firstPosition, from: fromHour ?? Hour(index: 0))
    }
  }

  private func id(_ identity: EventIdentity) -> SampleID {
    StoreDigest.event(source: identity.source.utf8, id: identity.id.utf8, hour: identity.hour)
  }
}
