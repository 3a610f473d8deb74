package import CStackmeterProto

/// `Collector.ReadJournal`.
package struct ReadJournalRequest: WireMessage, Hashable {
  package var fromPosition: UInt64
  package var follow: Bool

  package init(fromPosition: UInt64, follow: Bool) {
    self.fromPosition = fromPosition
    self.follow = follow
  }

  package init(wire raw: borrowing Stackmeter__V1__ReadJournalRequest) {
    fromPosition = raw.from_position
    follow = raw.follow != 0
  }

  package func fill(_ raw: inout Stackmeter__V1__ReadJournalRequest, _ packer: borrowing Packer) {
    raw.from_position = fromPosition
    raw.follow = follow ? 1 : 0
  }
}

/// Whole records of the journal, in the journal's own format.
package struct JournalChunk: WireMessage, Hashable {
  package var records: [UInt8]
  /// The position after the last event of `records`.
  package var nextPosition: UInt64
  /// The position after the last durable event.
  package var durablePosition: UInt64

  package init(records: [UInt8], nextPosition: UInt64, durablePosition: UInt64) {
    self.records = records
    self.nextPosition = nextPosition
    self.durablePosition = durablePosition
  }

  package init(wire raw: borrowing Stackmeter__V1__JournalChunk) {
    records = bytes(raw.records)
    nextPosition = raw.next_position
    durablePosition = raw.durable_position
  }

  package func fill(_ raw: inout Stackmeter__V1__JournalChunk, _ packer: borrowing Packer) {
    raw.records = packer.arena.bytes(records)
    raw.next_position = nextPosition
    raw.durable_position = durablePosition
  }
}
