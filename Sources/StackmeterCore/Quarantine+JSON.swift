extension JSONWriter {
  /// An entry of the quarantine, for programs. Quantities are strings: a JSON number is a float in most readers.
  package mutating func members(of entry: QuarantineEntry) {
    member("number", entry.number)
    members(of: entry.resolution.map { .resolved($0.outcome) } ?? .open)
    if let resolution = entry.resolution {
      member("resolvedTime", string: resolution.time.description)
    }
    member("refusedTime", string: entry.refusedTime.description)
    member("reason", string: entry.refusal.reason.name)
    member("field", string: entry.refusal.field)
    member("message", string: entry.refusal.message)
    let event = entry.event
    let (series, resource) = (event.series, event.series.resource)
    member(
      "event",
      object: { writer in
        writer.member("id", string: event.id)
        writer.member("source", string: event.source)
        writer.member("subscriptionId", string: series.subscription)
        writer.member("meterId", string: series.meter)
        writer.member("resourceUri", string: resource.uri)
        writer.member("location", string: resource.location)
        // What was too long is cut off, and then no JSON.
        writer.member(
          "tags",
          object: { writer in
            for tag in resource.tagMembers { writer.member(tag.name, string: tag.value) }
          })
        writer.member("additionalInfo", string: resource.additionalInfo)
        writer.member("usageStart", string: event.usageStart.description)
        writer.member("usageEnd", string: event.usageEnd.description)
        writer.member("quantity", string: event.quantity.description)
      })
  }

  /// What became of an entry that was to be redriven or discarded.
  package mutating func members(of result: QuarantineResult) {
    member("number", result.number)
    members(of: result.state)
    guard let refusal = result.refusal else { return }
    member("reason", string: refusal.reason.name)
    member("field", string: refusal.field)
    member("message", string: refusal.message)
  }

  private mutating func members(of state: QuarantineResult.State) {
    member("state", string: state.name)
    if case .resolved(.redriven(let position)) = state { member("position", position) }
  }
}

extension QuarantineResult.State {
  /// The name in JSON.
  package var name: String {
    switch self {
    case .open: "open"
    case .resolved(.redriven): "redriven"
    case .resolved(.discarded): "discarded"
    case .absent: "absent"
    }
  }
}
