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

  package init(
    id: String, source: String, series: Series, usageStart: Instant, usageEnd: Instant,
    quantity: Quantity
  ) {
    self.id = id
    self.source = source
    self.series = series
    self.usageStart = usageStart
    self.usageEnd = usageEnd
    self.quantity = quantity
  }
}

/// Two events are the same when all fields are, texts byte for byte.
extension UsageEvent {
  package static func == (left: UsageEvent, right: UsageEvent) -> Bool {
    left.usageStart == right.usageStart && left.usageEnd == right.usageEnd
      && left.quantity == right.quantity && left.id.hasSameBytes(as: right.id)
      && left.source.hasSameBytes(as: right.source) && left.series == right.series
  }

  package func hash(into hasher: inout Hasher) {
    id.hashBytes(into: &hasher)
    source.hashBytes(into: &hasher)
    hasher.combine(series)
    hasher.combine(usageStart)
    hasher.combine(usageEnd)
    hasher.combine(quantity)
  }
}

/// The events of one source in columns: what travels, is journaled and is aggregated.
///
/// All columns have `count` elements; `seriesIndex` points into `series`, and `idEnds[i]` is where the bytes
/// of the i-th id end in `ids`. `EventBatch.problem` checks this for a batch that came from outside.
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
  package var attos: [Int128]

  package init(source: String, series: [Series] = []) {
    self.source = source
    self.series = series
    ids = []
    idEnds = []
    seriesIndex = []
    usageStart = []
    usageEnd = []
    attos = []
  }

  package var count: Int { idEnds.count }
  package var isEmpty: Bool { idEnds.isEmpty }

  /// Where the i-th id lies in `ids`.
  package func idRange(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : idEnds[index - 1])..<idEnds[index]
  }

  package func id(_ index: Int) -> String {
    String(decoding: ids[idRange(index)], as: UTF8.self)
  }

  /// The i-th event as a row. A quantity that is out of range reads as zero: whoever accepts a batch from
  /// outside checks `attos` first.
  package func event(_ index: Int) -> UsageEvent {
    UsageEvent(
      id: id(index), source: source, series: series[Int(seriesIndex[index])],
      usageStart: Instant(nanoseconds: usageStart[index]),
      usageEnd: Instant(nanoseconds: usageEnd[index]),
      quantity: Quantity(attos: attos[index]) ?? .zero)
  }

  /// Appends the i-th event of another batch of the same source; `seriesIndex` is this batch's.
  package mutating func append(_ index: Int, of other: EventBatch, seriesIndex: UInt32) {
    ids.append(contentsOf: other.ids[other.idRange(index)])
    idEnds.append(ids.count)
    self.seriesIndex.append(seriesIndex)
    usageStart.append(other.usageStart[index])
    usageEnd.append(other.usageEnd[index])
    attos.append(other.attos[index])
  }
}

extension EventBatch {
  /// Why the columns do not belong together, or nil where every accessor is safe to use.
  package var problem: String? {
    let columns = [seriesIndex.count, usageStart.count, usageEnd.count, attos.count]
    guard columns.allSatisfy({ $0 == count }) else {
      return "its columns have different lengths"
    }
    var end = 0
    for next in idEnds {
      guard next >= end else { return "an id ends before it starts" }
      end = next
    }
    guard end == ids.count else { return "the ids do not end where their bytes do" }
    guard seriesIndex.allSatisfy({ $0 < series.count }) else {
      return "a series index is outside of its dictionary"
    }
    return nil
  }

  /// One batch for each source among `events`, with the original index of each of its events.
  package static func batches(
    of events: [UsageEvent]
  ) -> [(batch: EventBatch, indices: [Int])] {
    var batches: [(batch: EventBatch, indices: [Int])] = []
    var slots: [ExactText: Int] = [:]
    /// For each batch, where a series stands in its dictionary.
    var dictionaries: [[Series: UInt32]] = []
    for (index, event) in events.enumerated() {
      let source = ExactText(event.source)
      let slot = slots[source] ?? batches.count
      if slot == batches.count {
        slots[source] = slot
        batches.append((EventBatch(source: event.source), []))
        dictionaries.append([:])
      }
      let next = UInt32(batches[slot].batch.series.count)
      let seriesIndex = dictionaries[slot][event.series, default: next]
      if seriesIndex == next {
        dictionaries[slot][event.series] = next
        batches[slot].batch.series.append(event.series)
      }
      batches[slot].batch.append(event, seriesIndex: seriesIndex)
      batches[slot].indices.append(index)
    }
    return batches
  }

  private mutating func append(_ event: UsageEvent, seriesIndex: UInt32) {
    ids.append(contentsOf: event.id.utf8)
    idEnds.append(ids.count)
    self.seriesIndex.append(seriesIndex)
    usageStart.append(event.usageStart.nanoseconds)
    usageEnd.append(event.usageEnd.nanoseconds)
    attos.append(event.quantity.attos)
  }
}
