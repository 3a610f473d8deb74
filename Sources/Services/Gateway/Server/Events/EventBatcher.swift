internal import StackmeterCore

/// Gathers the events of one body into batches for the collector, by source.
struct EventBatcher: Sendable {
  private(set) var batches: [SourcedBatch] = []
  /// Whom a later event of a body names in the same words as one before, or as one of an earlier body.
  private(set) var words: SeriesWords
  /// Of each source by its number, the batch that further events go into.
  private var open: [Int: Int] = [:]
  /// Of each batch, the number by which `words` knows it.
  private var numbers: [UInt64] = []
  /// What each batch takes, about.
  private var byteCounts: [Int] = []
  /// The source of the last event, and its open batch.
  private var last: (source: Int, batch: Int)?

  /// What an event takes in a batch beside its texts.
  private static let eventBytes = 64
  private static let seriesBytes = 64

  init(_ words: SeriesWords) {
    self.words = words
    self.words.trim()
  }

  /// Adds an event; false where it must be read in full.
  mutating func append(_ skim: CloudEventSkim, of text: [UInt8], index: Int) -> Bool {
    text.withUnsafeBytes { bytes in
      guard let series = words.number(skim.seriesParts, in: bytes) else { return false }
      add(
        id: UnsafeRawBufferPointer(rebasing: bytes[skim.id]), series,
        usageStart: skim.usageStart, usageEnd: skim.usageEnd, skim.quantity, index: index)
      return true
    }
  }

  /// Adds an event that was read in full. Where its words are known, later ones with the same words need not be.
  mutating func append(
    _ event: UsageEvent, _ parts: CloudEventSkim.SeriesParts?, of text: [UInt8], index: Int
  ) {
    let series = text.withUnsafeBytes { text in
      words.number(
        of: event.source, event.series, event.correction == nil ? parts : nil, in: text)
    }
    add(
      id: event.id.utf8, series, usageStart: event.usageStart, usageEnd: event.usageEnd,
      event.quantity, event.correction, index: index)
  }

  private mutating func add(
    id: some Collection<UInt8>, _ series: Int, usageStart: Instant, usageEnd: Instant,
    _ quantity: Quantity, _ correction: Correction? = nil, index: Int
  ) {
    let batch = batch(of: words[series].source)
    byteCounts[batch] +=
      EventBatcher.eventBytes + id.count + (correction?.targetID.utf8.count ?? 0)
    batches[batch].batch.append(
      id: id, seriesIndex: place(of: series, in: batch), usageStart: usageStart.nanoseconds,
      usageEnd: usageEnd.nanoseconds, attos: quantity.attos, correction: correction)
    batches[batch].requestIndices.append(index)
  }

  /// The open batch of a source, which has room for one more event of any series.
  private mutating func batch(of source: Int) -> Int {
    if let last, last.source == source, byteCounts[last.batch] < GatewayLimits.callBytesMax {
      return last.batch
    }
    var batch = open[source] ?? batches.count
    if batch == batches.count || byteCounts[batch] >= GatewayLimits.callBytesMax {
      batch = batches.count
      open[source] = batch
      let name = words.sources[source]
      batches.append(SourcedBatch(batch: EventBatch(source: name), requestIndices: []))
      numbers.append(words.nextBatch())
      byteCounts.append(name.utf8.count)
    }
    last = (source, batch)
    return batch
  }

  private mutating func place(of series: Int, in batch: Int) -> UInt32 {
    if words[series].batch == numbers[batch] { return words[series].place }
    let known = words[series].series
    let place = UInt32(batches[batch].batch.series.count)
    words[series].batch = numbers[batch]
    words[series].place = place
    batches[batch].batch.series.append(known)
    byteCounts[batch] += known.byteCount + EventBatcher.seriesBytes
    return place
  }
}
