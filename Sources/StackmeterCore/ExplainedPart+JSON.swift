extension JSONWriter {
  /// What an aggregate is made of, as the native API and the command line write it.
  package mutating func members(of part: ExplainedPart) {
    let (usage, event) = (part.usage, part.usage.event)
    member("position", usage.position)
    member("reportedTime", string: usage.reportedTime.description)
    member("window", string: part.window.description)
    member("source", string: event.source)
    member("id", string: event.id)
    member("resourceUri", string: event.series.resource.uri)
    member("usageStart", string: event.usageStart.description)
    member("usageEnd", string: event.usageEnd.description)
    member("quantity", string: event.quantity.description)
    member("part", string: part.part.description)
    if let correction = event.correction {
      member(correction.kind.field, string: correction.targetID)
    }
    if let position = usage.takesBack { member("takesBack", position) }
    if let declared = usage.counts, declared != event.quantity {
      member("declaredQuantity", string: declared.description)
    }
  }
}
