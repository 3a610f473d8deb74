package import CStackmeterProto
package import StackmeterCore

/// `Bridge.ListDeadLetters`.
package struct ListDeadLettersRequest: WireMessage, Hashable {
  package static let pageSizes: ClosedRange<UInt32> = 1...1000
  package static let pageSizeDefault: UInt32 = 100

  package var pageSize: UInt32
  /// Those with a greater number.
  package var after: UInt64

  package init(pageSize: UInt32 = pageSizeDefault, after: UInt64 = 0) {
    self.pageSize = pageSize
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__ListDeadLettersRequest) throws(WireError) {
    pageSize = raw.page_size == 0 ? ListDeadLettersRequest.pageSizeDefault : raw.page_size
    after = raw.after
    guard ListDeadLettersRequest.pageSizes.contains(pageSize) else {
      throw .invalidField(
        field: "page_size",
        problem: "must be at most \(ListDeadLettersRequest.pageSizes.upperBound)")
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListDeadLettersRequest, _ packer: borrowing Packer
  ) {
    raw.page_size = pageSize
    raw.after = after
  }
}

/// A record that the remote service has refused.
package struct DeadLetter: Hashable, Sendable {
  package var number: UInt64
  /// The record's.
  package var id: String
  /// The remote service's words.
  package var code: String
  package var reason: String
  package var refused: Instant
  package var window: Hour
  /// As it was sent: JSON.
  package var record: [UInt8]

  package init(
    number: UInt64, id: String, code: String, reason: String, refused: Instant, window: Hour,
    record: [UInt8]
  ) {
    self.number = number
    self.id = id
    self.code = code
    self.reason = reason
    self.refused = refused
    self.window = window
    self.record = record
  }
}

/// One page, by number.
package struct ListDeadLettersResponse: WireMessage, Hashable {
  package var letters: [DeadLetter]
  /// Nil on the last page.
  package var nextAfter: UInt64?

  package init(letters: [DeadLetter], nextAfter: UInt64? = nil) {
    self.letters = letters
    self.nextAfter = nextAfter
  }

  package init(wire raw: borrowing Stackmeter__V1__ListDeadLettersResponse) throws(WireError) {
    letters = try elements(raw.letters, raw.n_letters) { (raw) throws(WireError) in
      DeadLetter(
        number: raw.number, id: text(raw.id), code: text(raw.code), reason: text(raw.reason),
        refused: Instant(nanoseconds: raw.refused), window: Hour(index: raw.window),
        record: bytes(raw.record))
    }
    nextAfter = raw.next_after == 0 ? nil : raw.next_after
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListDeadLettersResponse, _ packer: borrowing Packer
  ) {
    raw.n_letters = letters.count
    raw.letters = packer.arena.messages(letters) {
      (letter, raw: inout Stackmeter__V1__DeadLetter) in
      raw.number = letter.number
      raw.id = packer.arena.text(letter.id)
      raw.code = packer.arena.text(letter.code)
      raw.reason = packer.arena.text(letter.reason)
      raw.refused = letter.refused.nanoseconds
      raw.window = letter.window.index
      raw.record = packer.arena.bytes(letter.record)
    }
    raw.next_after = nextAfter ?? 0
  }
}
