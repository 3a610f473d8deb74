package import CStackmeterProto
package import StackmeterCore

/// `Collector.ListQuarantine`.
package struct ListQuarantineRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000
  package static let pageSizeDefault = 100

  /// Entries after this number.
  package var afterNumber: UInt64
  package var pageSize: UInt32

  package init(afterNumber: UInt64, pageSize: UInt32) {
    self.afterNumber = afterNumber
    self.pageSize = pageSize
  }

  package init(wire raw: borrowing Stackmeter__V1__ListQuarantineRequest) {
    afterNumber = raw.after_number
    pageSize = raw.page_size
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListQuarantineRequest, _ packer: borrowing Packer
  ) {
    raw.after_number = afterNumber
    raw.page_size = pageSize
  }
}

/// A page of what was refused, oldest first.
package struct ListQuarantineResponse: WireMessage, Hashable {
  package var entries: [QuarantineEntry]
  package var more: Bool

  package init(entries: [QuarantineEntry], more: Bool) {
    self.entries = entries
    self.more = more
  }

  package init(wire raw: borrowing Stackmeter__V1__ListQuarantineResponse) throws(WireError) {
    more = raw.more != 0
    entries = try elements(raw.entries, raw.n_entries) { (raw) throws(WireError) in
      guard let event = raw.event,
        let refusal = Refusal(
          reasonName: text(raw.reason), field: text(raw.field), message: text(raw.message))
      else { throw .invalidField(field: "entries", problem: "has one without event or reason") }
      return QuarantineEntry(
        number: raw.number, refusedTime: Instant(nanoseconds: raw.refused_time), refusal: refusal,
        event: try UsageEvent(wire: event.pointee))
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListQuarantineResponse, _ packer: borrowing Packer
  ) {
    raw.more = more ? 1 : 0
    raw.n_entries = entries.count
    raw.entries = packer.arena.messages(entries) {
      (entry, raw: inout Stackmeter__V1__QuarantineEntry) in
      raw.number = entry.number
      raw.refused_time = entry.refusedTime.nanoseconds
      raw.reason = packer.arena.text(entry.refusal.reason.name)
      raw.field = packer.arena.text(entry.refusal.field)
      raw.message = packer.arena.text(entry.refusal.message)
      raw.event = packer.arena.message { entry.event.fill(&$0, packer.arena) }
    }
  }
}
