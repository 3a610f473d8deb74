internal import StackmeterCore
internal import StackmeterJournal

/// What was accepted so far: the journal, and the index that finds in it. What was appended counts, committed or not.
struct AcceptedHistory: ~Copyable {
  var journal: RecordLog
  var index: DedupIndex

  init(journal: consuming RecordLog, index: consuming DedupIndex) {
    self.journal = journal
    self.index = index
  }

  /// The earliest time that the next record may have.
  var nextTime: Instant { journal.lastTime.advanced(by: .nanoseconds(1)) }

  /// Appends a record at the next position, not before `time`; nothing else may have asked for that position.
  mutating func append(time: Instant, _ make: (_ position: UInt64, _ time: Instant) -> Record) {
    journal.append(make(journal.nextPosition, max(time, nextTime)))
  }

  /// What was declared at a position: an event, or a correction. Nil where there is none.
  mutating func declared(at position: UInt64) throws(CollectorError) -> UsageEvent? {
    do throws(RecordLogError) {
      return try journal.record(at: position)?.declaredEvent(at: position)
    } catch {
      throw .journalFailed(error.description)
    }
  }

  /// What a file of the index that cannot be read means: the process ends, and the next one makes the index anew.
  mutating func asking<Result>(
    _ ask: (inout DedupIndex) throws(DedupError) -> Result
  ) throws(CollectorError) -> Result {
    do throws(DedupError) {
      return try ask(&index)
    } catch {
      index.discard()
      throw .journalFailed(error.description)
    }
  }
}

extension AcceptedHistory: CorrectionHistory {
  mutating func position(of identity: EventIdentity) throws(CollectorError) -> UInt64? {
    for position in try asking({ (index) throws(DedupError) in try index.positions(of: identity) })
    where try declared(at: position)?.identity == identity {
      return position
    }
    return nil
  }

  mutating func correction(of identity: EventIdentity) throws(CollectorError) -> UInt64? {
    for position in try asking({ (index) throws(DedupError) in
      try index.corrections(of: identity)
    }) where try declared(at: position)?.targetIdentity == identity {
      return position
    }
    return nil
  }

  mutating func setCorrection(of identity: EventIdentity, at position: UInt64) {
    index.setCorrection(of: identity, at: position)
  }

  mutating func event(at position: UInt64) throws(CollectorError) -> UsageEvent {
    guard let event = try declared(at: position) else {
      throw .journalFailed(
        "the journal has no event at position \(position), where the index has one")
    }
    return event
  }
}
