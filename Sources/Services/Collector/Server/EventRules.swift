internal import StackmeterCore

/// The rules that every event must pass before it may be counted, apart from deduplication.
///
/// Rules are checked in the order of `Refusal.Reason`'s severity: what is malformed is never called late.
struct EventRules {
  private let catalog: MeterCatalog
  private let latenessLimit: Duration

  init(catalog: MeterCatalog, latenessLimit: Duration) {
    self.catalog = catalog
    self.latenessLimit = latenessLimit
  }

  /// What is wrong with every event of the batch, by its source.
  func problem(source: String) -> Refusal? {
    nameProblem(source, "source", maxBytes: EventLimits.sourceBytesMax)
  }

  /// The series in its canonical form: the subscription in lower case, the meter as the catalog spells it.
  enum SeriesVerdict {
    case canonical(Series)
    case malformed(Refusal)
    case unknownMeter(Refusal)
  }

  func verdict(_ series: Series) -> SeriesVerdict {
    if let problem = nameProblem(
      series.subscription, "series.subscription", maxBytes: EventLimits.subscriptionBytesMax)
    {
      return .malformed(problem)
    }
    if let problem = nameProblem(
      series.meter, "series.meter", maxBytes: EventLimits.meterBytesMax)
    {
      return .malformed(problem)
    }
    let resource = series.resource
    let texts = [
      (resource.uri, "resource_uri", 1, EventLimits.resourceURIBytesMax),
      (resource.location, "location", 0, EventLimits.locationBytesMax),
      (resource.tags, "tags", 0, EventLimits.tagsBytesMax),
      (resource.additionalInfo, "additional_info", 0, EventLimits.additionalInfoBytesMax),
    ]
    for (text, field, least, most) in texts
    where !(least...most).contains(text.utf8.count) {
      return .malformed(
        Refusal(
          .malformed, field: "series.\(field)",
          "has \(text.utf8.count) bytes; \(least) to \(most) are taken"))
    }
    // A text of tags in which none can be read has more of them than a text of tags may.
    guard resource.tags.isEmpty || (1...EventLimits.tagsMax).contains(resource.tagMembers.count)
    else {
      return .malformed(
        Refusal(
          .malformed, field: "series.tags", "has more than \(EventLimits.tagsMax) tags"))
    }
    guard let meter = catalog[series.meter] else {
      return .unknownMeter(
        Refusal(
          .unknownMeter, field: "series.meter",
          "no meter \"\(series.meter)\" is in the catalog; "
            + "add it there, restart the collector and the aggregator, then report again"))
    }
    var canonical = series
    canonical.subscription = series.subscription.asciiLowercased
    canonical.meter = meter.id
    return .canonical(canonical)
  }

  /// What is malformed about one event beside its source and series.
  func problem(_ batch: EventBatch, _ index: Int) -> Refusal? {
    let id = batch.ids[batch.idRange(index)]
    guard (1...EventLimits.idBytesMax).contains(id.count) else {
      return Refusal(
        .malformed, field: "id",
        "has \(id.count) bytes; 1 to \(EventLimits.idBytesMax) are taken")
    }
    guard !id.contains(0), String(validating: id, as: UTF8.self) != nil else {
      return Refusal(.malformed, field: "id", "is not UTF-8, or holds the character NUL")
    }
    let correction = batch.correction(index)
    if let correction, let problem = problem(correction, ofEvent: id) { return problem }
    let start = Instant(nanoseconds: batch.usageStart[index])
    let end = Instant(nanoseconds: batch.usageEnd[index])
    guard Instant.accepted.contains(start) else {
      return Refusal(
        .malformed, field: "usage_start",
        "lies outside 1970 to 2261; it counts nanoseconds since 1970-01-01T00:00:00Z")
    }
    if correction?.kind == .voids {
      // What else it says is passed over.
      guard batch.attos[index] == 0 else {
        return Refusal(
          .malformed, field: "quantity",
          "must be absent or 0 beside voids; to count something else, use replaces")
      }
      return nil
    }
    guard Instant.accepted.contains(end), start <= end else {
      return Refusal(.malformed, field: "usage_end", "lies before usage_start or after 2261")
    }
    guard let quantity = Quantity(attos: batch.attos[index]) else {
      return Refusal(
        .malformed, field: "quantity",
        "units and attos must have the same sign, with fewer than 10^18 attos")
    }
    guard quantity.attos.magnitude <= EventLimits.quantityMax.attos.magnitude else {
      return Refusal(
        .malformed, field: "quantity",
        "is \(quantity); one event has at most \(EventLimits.quantityMax)")
    }
    return nil
  }

  /// What is malformed about the correction of an event with this id.
  private func problem(_ correction: Correction, ofEvent id: ArraySlice<UInt8>) -> Refusal? {
    guard correction.kind != .contradictory else {
      return Refusal(.malformed, field: "voids", "may not stand beside replaces; use one of them")
    }
    let target = correction.targetID.utf8
    guard (1...EventLimits.idBytesMax).contains(target.count) else {
      return Refusal(
        .malformed, field: correction.kind.field,
        "has \(target.count) bytes; an id has 1 to \(EventLimits.idBytesMax)")
    }
    guard !target.elementsEqual(id) else {
      return Refusal(
        .malformed, field: correction.kind.field,
        "names the event itself; a correction needs an id of its own")
    }
    return nil
  }

  /// Whether a well-formed event comes at a time when it may be counted.
  func timing(_ batch: EventBatch, _ index: Int, now: Instant) -> Refusal? {
    let start = Instant(nanoseconds: batch.usageStart[index])
    let isVoid = batch.correction(index)?.kind == .voids
    let end = isVoid ? start : Instant(nanoseconds: batch.usageEnd[index])
    guard end <= now.advanced(by: EventLimits.futureMax) else {
      return Refusal(
        .inFuture, field: "usage_end",
        "is \(end), more than 5 minutes after the collector's clock, \(now); check both clocks")
    }
    guard start.hour.start >= oldestStart(now: now) else {
      return Refusal(
        .tooOld, field: "usage_start",
        "is \(start); usage older than \(latenessLimit.components.seconds / 86_400) days "
          + "is no longer deduplicated, so it is not counted")
    }
    return nil
  }

  /// What is wrong with one event beside its source and series, if anything.
  func refusal(_ batch: EventBatch, _ index: Int, now: Instant) -> Refusal? {
    problem(batch, index) ?? timing(batch, index, now: now)
  }

  /// What holds for every event that `problem` and `timing` find nothing wrong with, in plain numbers.
  func bounds(now: Instant) -> EventBounds {
    let oldest = oldestStart(now: now)
    let firstHour = oldest.hour.start < oldest ? oldest.hour.next : oldest.hour
    return EventBounds(
      startMin: max(firstHour.start, Instant.accepted.lowerBound).nanoseconds,
      endMax: min(
        now.advanced(by: EventLimits.futureMax),
        Instant.accepted.upperBound.advanced(by: .nanoseconds(-1))
      ).nanoseconds,
      attosMax: EventLimits.quantityMax.attos.magnitude)
  }

  /// Usage hours that start before this are past the lateness limit.
  func oldestStart(now: Instant) -> Instant {
    now.advanced(by: .zero - latenessLimit)
  }

  /// Names travel in logs, files and URLs: visible ASCII only.
  private func nameProblem(_ name: String, _ field: String, maxBytes: Int) -> Refusal? {
    guard (1...maxBytes).contains(name.utf8.count) else {
      return Refusal(
        .malformed, field: field, "has \(name.utf8.count) bytes; 1 to \(maxBytes) are taken")
    }
    guard name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      return Refusal(
        .malformed, field: field, "may hold visible ASCII characters only, without spaces")
    }
    return nil
  }
}

/// The rules of time, quantity and id as they are for most events: one comparison each. An event outside of them
/// is looked at again by `EventRules`, which says what is wrong.
struct EventBounds {
  let startMin: Int64
  let endMax: Int64
  let attosMax: UInt128

  /// True only where nothing is wrong with the event beside its source and series.
  func contain(_ batch: EventBatch, _ index: Int, idsAreASCII: Bool) -> Bool {
    let id = batch.idRange(index)
    return batch.usageStart[index] >= startMin && batch.usageStart[index] <= batch.usageEnd[index]
      && batch.usageEnd[index] <= endMax && batch.attos[index].magnitude <= attosMax
      && !id.isEmpty && id.count <= EventLimits.idBytesMax && idsAreASCII
  }
}
