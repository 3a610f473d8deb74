package import CStackmeterProto
package import StackmeterCore

/// `Collector.ListQuarantine`.
package struct ListQuarantineRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000
  package static let pageSizeDefault = 100

  /// Entries after this number.
  package var afterNumber: UInt64
  /// At most `pageSizeMax`; 0 for the default.
  package var pageSize: UInt32
  package var filter: QuarantineFilter
  package var includeResolved: Bool

  package init(
    afterNumber: UInt64, pageSize: UInt32, filter: QuarantineFilter = QuarantineFilter(),
    includeResolved: Bool = false
  ) {
    self.afterNumber = afterNumber
    self.pageSize = pageSize
    self.filter = filter
    self.includeResolved = includeResolved
  }

  /// How many entries a page may have.
  package var entriesMax: Int {
    pageSize == 0
      ? ListQuarantineRequest.pageSizeDefault
      : min(Int(pageSize), ListQuarantineRequest.pageSizeMax)
  }

  package init(wire raw: borrowing Stackmeter__V1__ListQuarantineRequest) throws(WireError) {
    afterNumber = raw.after_number
    pageSize = raw.page_size
    guard pageSize <= ListQuarantineRequest.pageSizeMax else {
      throw .invalidField(
        field: "page_size", problem: "at most \(ListQuarantineRequest.pageSizeMax)")
    }
    filter =
      try raw.filter.map { (filter) throws(WireError) in
        try QuarantineFilter(wire: filter.pointee)
      } ?? QuarantineFilter()
    includeResolved = raw.include_resolved != 0
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListQuarantineRequest, _ packer: borrowing Packer
  ) {
    raw.after_number = afterNumber
    raw.page_size = pageSize
    if filter != QuarantineFilter() {
      raw.filter = packer.arena.message { filter.fill(&$0, packer.arena) }
    }
    raw.include_resolved = includeResolved ? 1 : 0
  }
}

/// A page of what was refused, oldest first.
package struct ListQuarantineResponse: WireMessage, Hashable {
  package var entries: [QuarantineEntry]
  /// There may be others after `lastNumber`.
  package var more: Bool
  package var lastNumber: UInt64

  package init(entries: [QuarantineEntry], more: Bool, lastNumber: UInt64) {
    self.entries = entries
    self.more = more
    self.lastNumber = lastNumber
  }

  package init(wire raw: borrowing Stackmeter__V1__ListQuarantineResponse) throws(WireError) {
    more = raw.more != 0
    lastNumber = raw.last_number
    entries = try elements(raw.entries, raw.n_entries) { (raw) throws(WireError) in
      try QuarantineEntry(wire: raw)
    }
  }

  package func fill(
    _ raw: inout Stackmeter__V1__ListQuarantineResponse, _ packer: borrowing Packer
  ) {
    raw.more = more ? 1 : 0
    raw.last_number = lastNumber
    raw.n_entries = entries.count
    raw.entries = packer.arena.messages(entries) {
      (entry, raw: inout Stackmeter__V1__QuarantineEntry) in
      entry.fill(&raw, packer)
    }
  }
}

/// `Collector.GetQuarantineEntry`.
package struct GetQuarantineEntryRequest: WireMessage, Hashable {
  package var number: UInt64

  package init(number: UInt64) {
    self.number = number
  }

  package init(wire raw: borrowing Stackmeter__V1__GetQuarantineEntryRequest) {
    number = raw.number
  }

  package func fill(
    _ raw: inout Stackmeter__V1__GetQuarantineEntryRequest, _ packer: borrowing Packer
  ) {
    raw.number = number
  }
}

extension QuarantineEntry: WireMessage {
  package init(wire raw: borrowing Stackmeter__V1__QuarantineEntry) throws(WireError) {
    guard let event = raw.event,
      let refusal = Refusal(
        reasonName: text(raw.reason), field: text(raw.field), message: text(raw.message))
    else { throw .invalidField(field: "entries", problem: "has one without event or reason") }
    let time = Instant(nanoseconds: raw.resolved_time)
    let resolution: QuarantineResolution? =
      switch QuarantineResult.State(raw.state, position: raw.position) {
      case .resolved(let outcome): QuarantineResolution(outcome, time: time)
      case .open, .absent, nil: nil
      }
    self.init(
      number: raw.number, refusedTime: Instant(nanoseconds: raw.refused_time), refusal: refusal,
      event: try UsageEvent(wire: event.pointee), resolution: resolution)
  }

  package func fill(_ raw: inout Stackmeter__V1__QuarantineEntry, _ packer: borrowing Packer) {
    raw.number = number
    raw.refused_time = refusedTime.nanoseconds
    raw.reason = packer.arena.text(refusal.reason.name)
    raw.field = packer.arena.text(refusal.field)
    raw.message = packer.arena.text(refusal.message)
    raw.event = packer.arena.message { event.fill(&$0, packer.arena) }
    let state = resolution.map { QuarantineResult.State.resolved($0.outcome) } ?? .open
    raw.state = state.code
    raw.position = state.position
    raw.resolved_time = resolution?.time.nanoseconds ?? 0
  }
}

extension QuarantineFilter {
  init(wire raw: borrowing Stackmeter__V1__QuarantineFilter) throws(WireError) {
    var reasons: Set<Refusal.Reason> = []
    for name in texts(raw.reasons, raw.n_reasons) {
      guard let reason = Refusal.Reason(name: name) else {
        throw .invalidField(
          field: "filter.reasons",
          problem: "has \"\(name.prefix(64))\", which is none of \(Refusal.Reason.names)")
      }
      reasons.insert(reason)
    }
    let (source, subscription) = (text(raw.source), text(raw.subscription))
    self.init(
      reasons: reasons, source: source.isEmpty ? nil : source,
      subscription: subscription.isEmpty ? nil : subscription,
      from: raw.from_time == 0 ? nil : Instant(nanoseconds: raw.from_time),
      to: raw.to_time == 0 ? nil : Instant(nanoseconds: raw.to_time))
  }

  func fill(_ raw: inout Stackmeter__V1__QuarantineFilter, _ arena: borrowing Arena) {
    raw.n_reasons = reasons.count
    raw.reasons = arena.texts(reasons.map(\.name).sorted())
    raw.source = arena.text(source ?? "")
    raw.subscription = arena.text(subscription ?? "")
    raw.from_time = from?.nanoseconds ?? 0
    raw.to_time = to?.nanoseconds ?? 0
  }
}
