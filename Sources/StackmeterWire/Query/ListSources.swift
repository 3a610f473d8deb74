package import CStackmeterProto
package import StackmeterCore

/// `Query.ListSources`.
package struct ListSourcesRequest: WireMessage, Hashable {
  package var caller: Caller

  package init(caller: Caller) {
    self.caller = caller
  }

  package init(wire raw: borrowing Stackmeter__V1__ListSourcesRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
  }

  package func fill(_ raw: inout Stackmeter__V1__ListSourcesRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
  }
}

/// A declared source, as query sees it.
package struct SourceProgress: Hashable, Sendable {
  package var name: String
  package var cadenceSeconds: UInt32
  package var completeUntil: Instant
  package var heardTime: Instant
  /// How long ago it should have said more; 0 where it need not yet.
  package var overdueSeconds: Int64

  package init(
    name: String, cadenceSeconds: UInt32, completeUntil: Instant, heardTime: Instant,
    overdueSeconds: Int64
  ) {
    self.name = name
    self.cadenceSeconds = cadenceSeconds
    self.completeUntil = completeUntil
    self.heardTime = heardTime
    self.overdueSeconds = overdueSeconds
  }

  package init(_ source: ReportingSource, now: Instant) {
    self.init(
      name: source.name, cadenceSeconds: source.cadenceSeconds,
      completeUntil: source.completeUntil, heardTime: source.heardTime,
      overdueSeconds: source.overdue(at: now).components.seconds)
  }
}

/// The declared sources, by name.
package struct ListSourcesResponse: WireMessage, Hashable {
  package var sources: [SourceProgress]

  package init(sources: [SourceProgress]) {
    self.sources = sources
  }

  package init(wire raw: borrowing Stackmeter__V1__ListSourcesResponse) throws(WireError) {
    sources = try elements(raw.sources, raw.n_sources) { (raw) throws(WireError) in
      SourceProgress(
        name: text(raw.name), cadenceSeconds: raw.cadence_seconds,
        completeUntil: Instant(nanoseconds: raw.complete_until),
        heardTime: Instant(nanoseconds: raw.heard_time), overdueSeconds: raw.overdue_seconds)
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ListSourcesResponse, _ packer: borrowing Packer) {
    raw.n_sources = sources.count
    raw.sources = packer.arena.messages(sources) { (source, raw: inout Stackmeter__V1__Source) in
      raw.name = packer.arena.text(source.name)
      raw.cadence_seconds = source.cadenceSeconds
      raw.complete_until = source.completeUntil.nanoseconds
      raw.heard_time = source.heardTime.nanoseconds
      raw.overdue_seconds = source.overdueSeconds
    }
  }
}

extension MissingSources {
  init(wire raw: UnsafeMutablePointer<Stackmeter__V1__MissingSources>?) {
    guard let raw else {
      self = .none
      return
    }
    self.init(names: texts(raw.pointee.names, raw.pointee.n_names), others: raw.pointee.others)
  }

  /// Nil where none is missing.
  func wire(_ arena: borrowing Arena) -> UnsafeMutablePointer<Stackmeter__V1__MissingSources>? {
    guard !isEmpty else { return nil }
    return arena.message { raw in
      raw.n_names = names.count
      raw.names = arena.texts(names)
      raw.others = others
    }
  }
}
