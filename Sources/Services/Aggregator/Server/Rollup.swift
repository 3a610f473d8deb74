internal import StackmeterCore
internal import StackmeterJournal
internal import StackmeterStore

/// Why a journal record cannot be applied after those before it.
enum RollupError: Error, Equatable, CustomStringConvertible {
  case gap(expected: UInt64, found: UInt64)
  case undecodable(position: UInt64)
  case otherJournal(LogID, read: LogID)
  case unnamedJournal

  var description: String {
    switch self {
    case .gap(let expected, let found):
      "the journal goes on at position \(found) instead of \(expected): a part of it is missing"
    case .undecodable(let position):
      "the journal's record at position \(position) is of no known form"
    case .otherJournal(let found, let read):
      "the collector serves journal \(found), but the usage database has read \(read): "
        + "restore that journal, or rebuild the usage database from this one"
    case .unnamedJournal:
      "the collector does not say which journal it serves"
    }
  }
}

/// What journal records add up to: pure arithmetic between a position and the next.
///
/// An event belongs to the reporting window of its own reported time, and to the usage hours that it spans, pro
/// rata. A record with a reported time in a later hour closes every window before that hour, because reported
/// time never goes back. The events of a correction belong to one window, that of the first, and are added in one
/// step: nobody sees one half of a replacement. A parked correction counts nothing.
struct Rollup {
  private(set) var position: PipelinePosition
  private(set) var deltas: [AggregateKey: Quantity] = [:]
  private(set) var unapplied: [UnappliedQuantity] = []
  private(set) var events: UInt64 = 0

  init(from position: PipelinePosition) {
    self.position = position
  }

  /// Says which journal the next records are from. All records of one usage database are from one.
  mutating func enter(journal rawID: UInt64) throws(RollupError) -> LogID {
    guard let id = LogID(rawValue: rawID) else { throw .unnamedJournal }
    if let read = LogID(rawValue: position.journalID), read != id {
      throw .otherJournal(id, read: read)
    }
    position.journalID = rawID
    return id
  }

  /// Adds one record; `intern` gives each series its number. A record that was applied before adds nothing.
  ///
  /// False where it stopped inside the record because there are `deltasMax` deltas: commit these, and apply the
  /// same record from the new position.
  mutating func apply<Failure: Error>(
    _ record: Record, deltasMax: Int = .max, intern: (Series) throws(Failure) -> Int64
  ) throws -> Bool {
    guard record.firstPosition <= position.nextPosition else {
      throw RollupError.gap(expected: position.nextPosition, found: record.firstPosition)
    }
    let isTick = record.count == 0
    guard isTick || record.nextPosition > position.nextPosition else { return true }
    let isCorrection = record.kind == .correction
    if record.kind == .batch || isCorrection {
      guard let batch = record.countedEvents, batch.isCountable else {
        throw RollupError.undecodable(position: record.firstPosition)
      }
      let series = try batch.series.map { (series) throws(Failure) in try intern(series) }
      let known = Int(position.nextPosition - record.firstPosition)
      for index in known..<batch.count {
        guard deltas.count < deltasMax || (isCorrection && index > 0) else { return false }
        let time = record.firstTime.advanced(by: .nanoseconds(index))
        let position = record.firstPosition + UInt64(index)
        add(
          batch, index, series: series[Int(batch.seriesIndex[index])], position: position,
          window: (isCorrection ? record.firstTime : time).hour)
        events += 1
        advance(to: position + 1, time)
      }
    }
    advance(to: record.nextPosition, record.lastTime)
    return true
  }

  private mutating func advance(to nextPosition: UInt64, _ time: Instant) {
    position.nextPosition = max(position.nextPosition, nextPosition)
    position.reportedTime = max(position.reportedTime, time)
    position.openWindow = max(position.openWindow, position.reportedTime.hour)
  }

  private mutating func add(
    _ batch: EventBatch, _ index: Int, series: Int64, position: UInt64, window: Hour
  ) {
    let quantity = Quantity(attos: batch.attos[index])!
    let split = UsageSplit(
      start: Instant(nanoseconds: batch.usageStart[index]),
      end: Instant(nanoseconds: batch.usageEnd[index]), quantity: quantity)
    for (hour, part) in split {
      let key = AggregateKey(window: window, series: series, usageHour: hour)
      if let sum = deltas[key, default: .zero].adding(part) {
        deltas[key] = sum
      } else {
        unapplied.append(UnappliedQuantity(key: key, quantity: part, position: position))
      }
    }
  }
}

extension EventBatch {
  /// Whether every event is one that the collector may have accepted.
  fileprivate var isCountable: Bool {
    attos.allSatisfy { Quantity(attos: $0) != nil }
      && zip(usageStart, usageEnd).allSatisfy { $0 <= $1 }
  }
}
