package import CStackmeterProto

/// `Collector.ReadJournal`.
package struct ReadJournalRequest: WireMessage, Hashable {
  package var fromPosition: UInt64
  package var follow: Bool
  /// The journal that the reader has read so far; 0 where it has read none.
  package var journalID: UInt64

  package init(fromPosition: UInt64, follow: Bool, journalID: UInt64 = 0) {
    self.fromPosition = fromPosition
    self.follow = follow
    self.journalID = journalID
  }

  package init(wire raw: borrowing Stackmeter__V1__ReadJournalRequest) {
    fromPosition = raw.from_position
    follow = raw.follow != 0
    journalID = raw.journal_id
  }

  package func fill(_ raw: inout Stackmeter__V1__ReadJournalRequest, _ packer: borrowing Packer) {
    raw.from_position = fromPosition
    raw.follow = follow ? 1 : 0
    raw.journal_id = journalID
  }
}

/// Whole records of the journal, in the journal's own format.
package struct JournalChunk: WireMessage, Hashable {
  package var records: [UInt8]
  /// The position after the last event of `records`.
  package var nextPosition: UInt64
  /// The position after the last durable event.
  package var durablePosition: UInt64
  /// The journal that `records` are of.
  package var journalID: UInt64

  package init(
    records: [UInt8], nextPosition: UInt64, durablePosition: UInt64, journalID: UInt64
  ) {
    self.records = records
    self.nextPosition = nextPosition
    self.durablePosition = durablePosition
    self.journalID = journalID
  }

  package init(wire raw: borrowing Stackmeter__V1__JournalChunk) {
    records = bytes(raw.records)
    nextPosition = raw.next_position
    durablePosition = raw.durable_position
    journalID = raw.journal_id
  }

  package func fill(_ raw: inout Stackmeter__V1__JournalChunk, _ packer: borrowing Packer) {
    raw.records = packer.arena.bytes(records)
    raw.next_position = nextPosition
    raw.durable_position = durablePosition
    raw.journal_id = journalID
  }
}
