package import CStackmeterProto
package import StackmeterCore

/// `Collector.Report`: events as rows, gathered by source.
package struct ReportRequest: WireMessage, Hashable {
  package var batches: [SourcedBatch]
  package var count: Int

  package init(_ events: [UsageEvent]) {
    batches = EventBatchBuilder(events).batches
    count = events.count
  }

  package init(wire raw: borrowing Stackmeter__V1__ReportRequest) throws(WireError) {
    guard raw.n_events <= EventLimits.batchEventsMax else {
      throw .invalidField(
        field: "events",
        problem: "has \(raw.n_events) events; at most \(EventLimits.batchEventsMax) are taken")
    }
    var builder = EventBatchBuilder()
    // protobuf-c never leaves an element nil, so that results stay in step with events.
    for index in 0..<raw.n_events {
      guard let event = raw.events?[index]?.pointee else {
        throw .invalidField(field: "events[\(index)]", problem: "is missing")
      }
      let series = try event.series.map { (series) throws(WireError) in
        try Series(wire: series.pointee)
      }
      builder.append(
        id: text(event.id), source: text(event.source),
        series: series ?? Series(subscription: "", meter: "", resource: Resource(uri: "")),
        usageStart: event.usage_start, usageEnd: event.usage_end,
        attos: Quantity.attos(wire: event.quantity),
        correction: Correction(replaces: text(event.replaces), voids: text(event.voids)))
    }
    batches = builder.batches
    count = raw.n_events
  }

  package func fill(_ raw: inout Stackmeter__V1__ReportRequest, _ packer: borrowing Packer) {
    let events = packer.arena.buffer(
      UnsafeMutablePointer<Stackmeter__V1__UsageEvent>?.self, count: count)
    for sourced in batches {
      for (index, requestIndex) in sourced.requestIndices.enumerated() {
        (events + requestIndex).initialize(
          to: packer.arena.message { raw in
            sourced.batch.event(index).fill(&raw, packer.arena)
          })
      }
    }
    raw.n_events = count
    raw.events = events
  }
}

extension UsageEvent {
  init(wire raw: borrowing Stackmeter__V1__UsageEvent) throws(WireError) {
    guard let series = raw.series else {
      throw .invalidField(field: "series", problem: "is missing")
    }
    self.init(
      id: text(raw.id), source: text(raw.source), series: try Series(wire: series.pointee),
      usageStart: Instant(nanoseconds: raw.usage_start),
      usageEnd: Instant(nanoseconds: raw.usage_end), quantity: try Quantity(wire: raw.quantity),
      correction: Correction(replaces: text(raw.replaces), voids: text(raw.voids)))
  }

  func fill(_ raw: inout Stackmeter__V1__UsageEvent, _ arena: borrowing Arena) {
    raw.id = arena.text(id)
    raw.source = arena.text(source)
    raw.series = arena.message { series.fill(&$0, arena) }
    raw.usage_start = usageStart.nanoseconds
    raw.usage_end = usageEnd.nanoseconds
    raw.quantity = quantity.wire(arena)
    guard let correction else { return }
    raw.replaces = arena.text(correction.replaces)
    raw.voids = arena.text(correction.voids)
  }
}

/// One result for each event, in order.
package struct ReportResponse: WireMessage, Hashable {
  package var results: [EventResult]

  package init(results: [EventResult]) {
    self.results = results
  }

  package init(wire raw: borrowing Stackmeter__V1__ReportResponse) throws(WireError) {
    results = try elements(raw.results, raw.n_results) { (raw) throws(WireError) in
      try EventResult(
        outcome: raw.outcome, position: raw.position, reportedTime: raw.reported_time,
        refusal: Refusal(
          reasonName: text(raw.reason), field: text(raw.field), message: text(raw.message)))
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ReportResponse, _ packer: borrowing Packer) {
    raw.n_results = results.count
    raw.results = packer.arena.messages(results) {
      (result, raw: inout Stackmeter__V1__EventResult) in
      raw.outcome = result.outcome
      raw.position = result.position
      raw.reported_time = result.reportedTime
      guard let refusal = result.refusal else { return }
      raw.reason = packer.arena.text(refusal.reason.name)
      raw.field = packer.arena.text(refusal.field)
      raw.message = packer.arena.text(refusal.message)
    }
  }
}

extension Refusal {
  /// Nil where there is no reason, or one that this program does not know.
  init?(reasonName: String, field: String, message: String) {
    guard let reason = Reason(name: reasonName) else { return nil }
    self.init(reason, field: field, message)
  }
}

extension EventResult {
  init(
    outcome: Stackmeter__V1__Outcome, position: UInt64, reportedTime: Int64, refusal: Refusal?
  ) throws(WireError) {
    switch (outcome, refusal) {
    case (STACKMETER__V1__OUTCOME__OUTCOME_ACCEPTED, _):
      self = .accepted(position: position, reportedTime: Instant(nanoseconds: reportedTime))
    case (STACKMETER__V1__OUTCOME__OUTCOME_DUPLICATE, _):
      self = .duplicate(position: position)
    case (STACKMETER__V1__OUTCOME__OUTCOME_PARKED, _):
      self = .parked(position: position)
    case (STACKMETER__V1__OUTCOME__OUTCOME_CONFLICT, let refusal?):
      self = .conflict(position: position, refusal)
    case (STACKMETER__V1__OUTCOME__OUTCOME_QUARANTINED, let refusal?):
      self = .quarantined(refusal)
    case (STACKMETER__V1__OUTCOME__OUTCOME_INVALID, let refusal?):
      self = .invalid(refusal)
    default:
      throw .invalidField(field: "outcome", problem: "is unknown, or has no known reason")
    }
  }

  var outcome: Stackmeter__V1__Outcome {
    switch self {
    case .accepted: STACKMETER__V1__OUTCOME__OUTCOME_ACCEPTED
    case .duplicate: STACKMETER__V1__OUTCOME__OUTCOME_DUPLICATE
    case .parked: STACKMETER__V1__OUTCOME__OUTCOME_PARKED
    case .conflict: STACKMETER__V1__OUTCOME__OUTCOME_CONFLICT
    case .quarantined: STACKMETER__V1__OUTCOME__OUTCOME_QUARANTINED
    case .invalid: STACKMETER__V1__OUTCOME__OUTCOME_INVALID
    }
  }

  var position: UInt64 {
    switch self {
    case .accepted(let position, _), .duplicate(let position), .parked(let position),
      .conflict(let position, _):
      position
    case .quarantined, .invalid: 0
    }
  }

  var reportedTime: Int64 {
    if case .accepted(_, let time) = self { time.nanoseconds } else { 0 }
  }
}
