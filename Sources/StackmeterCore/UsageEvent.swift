/// One quantity of one meter, of one resource of one subscription, over [usageStart, usageEnd).
package struct UsageEvent: Hashable, Sendable {
  /// The provider's own id of the event. With the source and the usage hour it is the event's identity.
  package var id: String
  /// The resource provider that reports it.
  package var source: String
  package var series: Series
  package var usageStart: Instant
  /// Equal to `usageStart` for an event that has no duration.
  package var usageEnd: Instant
  package var quantity: Quantity
  /// Nil for an event that corrects no other.
  package var correction: Correction?

  package init(
    id: String, source: String, series: Series, usageStart: Instant, usageEnd: Instant,
    quantity: Quantity, correction: Correction? = nil
  ) {
    self.id = id
    self.source = source
    self.series = series
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.quantity = quantity
    self.correction = correction
  }
}

extension UsageEvent {
  /// The first field in which two events of one identity differ, by its name on the wire.
  package func firstDifference(_ other: UsageEvent) -> String {
    if correction != other.correction, let named = other.correction ?? correction {
      return named.kind.field
    }
    if quantity != other.quantity { return "quantity" }
    if usageStart != other.usageStart { return "usage_start" }
    if usageEnd != other.usageEnd { return "usage_end" }
    if !series.meter.hasSameBytes(as: other.series.meter) { return "series.meter" }
    if !series.subscription.hasSameBytes(as: other.series.subscription) {
      return "series.subscription"
    }
    let (resource, others) = (series.resource, other.series.resource)
    if !resource.uri.hasSameBytes(as: others.uri) { return "series.resource_uri" }
    if !resource.location.hasSameBytes(as: others.location) { return "series.location" }
    if !resource.tags.hasSameBytes(as: others.tags) { return "series.tags" }
    return "series.additional_info"
  }
}

/// Two events are the same when all fields are, texts byte for byte.
extension UsageEvent {
  package static func == (left: UsageEvent, right: UsageEvent) -> Bool {
    left.usageStart == right.usageStart && left.usageEnd == right.usageEnd
      && left.quantity == right.quantity && left.id.hasSameBytes(as: right.id)
      && left.source.hasSameBytes(as: right.source) && left.series == right.series
      && left.correction == right.correction
  }

  package func hash(into hasher: inout Hasher) {
    id.hashBytes(into: &hasher)
    source.hashBytes(into: &hasher)
    hasher.combine(series)
    hasher.combine(usageStart)
    hasher.combine(usageEnd)
    hasher.combine(quantity)
    hasher.combine(correction)
  }
}

/// The events of one source in columns: what travels, is journaled and is aggregated.
///
/// All columns have `count` elements; `seriesIndex` points into `series`, and `idEnds[i]` is where the bytes
/// of the i-th id end in `ids`. Whoever makes a batch keeps these; the wire and the journal check them.
package struct EventBatch: Hashable, Sendable {
  package var source: String
  /// The dictionary: every series that the batch speaks of, once.
  package var series: [Series]
  /// The ids, one after the other, in UTF-8.
  package var ids: [UInt8]
  package var idEnds: [Int]
  package var seriesIndex: [UInt32]
  package var usageStart: [Int64]
  package var usageEnd: [Int64]
  /// Quantities in attos. What the reporter sent may be `notAQuantity`, or out of range.
  package var attos: [Int128]
  /// Of the events that correct others, which are few: in the order of their events, one for each at most.
  package var corrections: [PlacedCorrection]

  /// Stands for a quantity that its sender spelled wrong; the collector refuses the event.
  package static let notAQuantity = Int128.min

  package init(source: String, series: [Series] = []) {
    self.source = source
    self.series = series
    ids = []
    idEnds = []
    seriesIndex = []
    usageStart = []
    usageEnd = []
    attos = []
    corrections = []
  }

  package var count: Int { idEnds.count }
  package var isEmpty: Bool { idEnds.isEmpty }

  /// About what the batch occupies: its texts and its columns.
  package var byteCount: Int {
    let texts = series.reduce(ids.count) { $0 + $1.byteCount }
    let targets = corrections.reduce(0) { $0 + $1.correction.targetID.utf8.count + 16 }
    // An end, a series index, two instants and a quantity for each event.
    return texts + targets + count * 44
  }

  /// Makes room for so many events.
  package mutating func reserveCapacity(_ count: Int, idBytes: Int) {
    ids.reserveCapacity(idBytes)
    idEnds.reserveCapacity(count)
    seriesIndex.reserveCapacity(count)
    usageStart.reserveCapacity(count)
    usageEnd.reserveCapacity(count)
    attos.reserveCapacity(count)
  }

  /// Where the i-th id lies in `ids`.
  package func idRange(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : idEnds[index - 1])..<idEnds[index]
  }

  package func id(_ index: Int) -> String {
    String(decoding: ids[idRange(index)], as: UTF8.self)
  }

  /// What the i-th event corrects, if it does.
  package func correction(_ index: Int) -> Correction? {
    guard !corrections.isEmpty else { return nil }
    var range = corrections.indices
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      if corrections[middle].event == index { return corrections[middle].correction }
      range =
        corrections[middle].event < index
        ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }

  /// The i-th event as a row. A quantity that is none reads as zero: whoever accepts a batch checks `attos`
  /// first.
  package func event(_ index: Int) -> UsageEvent {
    UsageEvent(
      id: id(index), source: source, series: series[Int(seriesIndex[index])],
      usageStart: Instant(nanoseconds: usageStart[index]),
      usageEnd: Instant(nanoseconds: usageEnd[index]),
      quantity: Quantity(attos: attos[index]) ?? .zero, correction: correction(index))
  }

  /// Appends one event; `seriesIndex` points into this batch's series.
  package mutating func append(
    id: some Sequence<UInt8>, seriesIndex: UInt32, usageStart: Int64, usageEnd: Int64,
    attos: Int128, correction: Correction? = nil
  ) {
    if let correction { corrections.append(PlacedCorrection(event: count, correction)) }
    ids.append(contentsOf: id)
    idEnds.append(ids.count)
    self.seriesIndex.append(seriesIndex)
    self.usageStart.append(usageStart)
    self.usageEnd.append(usageEnd)
    self.attos.append(attos)
  }

  /// Appends the i-th event of another batch of the same source; `seriesIndex` is this batch's.
  package mutating func append(_ index: Int, of other: EventBatch, seriesIndex: UInt32) {
    append(
      id: other.ids[other.idRange(index)], seriesIndex: seriesIndex,
      usageStart: other.usageStart[index], usageEnd: other.usageEnd[index],
      attos: other.attos[index], correction: other.correction(index))
  }
}

extension EventBatch {
  /// A batch of one event.
  package init(_ event: UsageEvent) {
    self.init(source: event.source, series: [event.series])
    append(
      id: event.id.utf8, seriesIndex: 0, usageStart: event.usageStart.nanoseconds,
      usageEnd: event.usageEnd.nanoseconds, attos: event.quantity.attos,
      correction: event.correction)
  }
}

/// The events of one source among the events of one request.
package struct SourcedBatch: Hashable, Sendable {
  package var batch: EventBatch
  /// Where each event of the batch stands in the request.
  package var requestIndices: [Int]

  package init(batch: EventBatch, requestIndices: [Int]) {
    self.batch = batch
    self.requestIndices = requestIndices
  }
}

/// Gathers rows into one batch for each source.
package struct EventBatchBuilder {
  package private(set) var batches: [SourcedBatch] = []
  private var slots: [ExactText: Int] = [:]
  private var knownSeries: [[Series: UInt32]] = []
  private var count = 0

  package init() {}

  package init(_ events: [UsageEvent]) {
    for event in events {
      append(
        id: event.id, source: event.source, series: event.series,
        usageStart: event.usageStart.nanoseconds, usageEnd: event.usageEnd.nanoseconds,
        attos: event.quantity.attos, correction: event.correction)
    }
  }

  package mutating func append(
    id: String, source: String, series: Series, usageStart: Int64, usageEnd: Int64, attos: Int128,
    correction: Correction? = nil
  ) {
    let slot = slots[ExactText(source)] ?? batches.count
    if slot == batches.count {
      slots[ExactText(source)] = slot
      batches.append(SourcedBatch(batch: EventBatch(source: source), requestIndices: []))
      knownSeries.append([:])
    }
    let seriesIndex: UInt32
    if let known = knownSeries[slot][series] {
      seriesIndex = known
    } else {
      seriesIndex = UInt32(batches[slot].batch.series.count)
      knownSeries[slot][series] = seriesIndex
      batches[slot].batch.series.append(series)
    }
    batches[slot].batch.append(
      id: id.utf8, seriesIndex: seriesIndex, usageStart: usageStart, usageEnd: usageEnd,
      attos: attos, correction: correction)
    batches[slot].requestIndices.append(count)
    count += 1
  }
}
