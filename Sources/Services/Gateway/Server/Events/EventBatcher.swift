internal import Glibc
internal import StackmeterCore

/// Gathers the events of one body into batches for the collector, by source.
///
/// Many events of a body are of a series that another one has named in the same words. So a series is read once, and
/// found again by the bytes that name it.
struct EventBatcher {
  private(set) var batches: [SourcedBatch] = []
  /// The batch of each source that further events go into.
  private var open: [ExactText: Int] = [:]
  /// The places of series in their batch, of each batch.
  private var places: [[Series: UInt32]] = []
  /// What each batch takes, about.
  private var byteCounts: [Int] = []

  /// A series that was read, and where its words lie in the body.
  private struct Known {
    let hash: UInt64
    let parts: CloudEventSkim.SeriesParts
    let source: String
    let series: Series
    /// The batch that `place` is of.
    var batch: Int
    var place: UInt32
  }

  private var known: [Known] = []
  /// Known series + 1 by hash, 0 where there is none; a power of two.
  private var buckets: [UInt32] = Array(repeating: 0, count: 64)
  private let hash = ByteHash()

  /// What an event takes in a batch beside its texts.
  private static let eventBytes = 64
  private static let seriesBytes = 64

  /// Adds an event; false where it must be read in full.
  mutating func append(_ skim: CloudEventSkim, of text: [UInt8], index: Int) -> Bool {
    let (bucket, hash, found) = find(skim.seriesParts, in: text)
    var slot = found ?? known.count
    if found == nil {
      guard let (source, series) = text.withUnsafeBufferPointer(skim.seriesParts.read) else {
        return false
      }
      let batch = batch(of: source, adding: series)
      slot = remember(
        Known(
          hash: hash, parts: skim.seriesParts, source: source, series: series, batch: batch,
          place: place(of: series, in: batch)), at: bucket)
    }
    let batch = batch(of: known[slot].source, adding: known[slot].series)
    if known[slot].batch != batch {
      known[slot].batch = batch
      known[slot].place = place(of: known[slot].series, in: batch)
    }
    byteCounts[batch] += EventBatcher.eventBytes + skim.id.count
    batches[batch].batch.append(
      id: text[skim.id], seriesIndex: known[slot].place,
      usageStart: skim.usageStart.nanoseconds, usageEnd: skim.usageEnd.nanoseconds,
      attos: skim.quantity.attos)
    batches[batch].requestIndices.append(index)
    return true
  }

  /// Adds an event that was read in full. Where its words are known, later ones with the same words need not be.
  mutating func append(
    _ event: UsageEvent, _ parts: CloudEventSkim.SeriesParts?, of text: [UInt8], index: Int
  ) {
    let batch = batch(of: event.source, adding: event.series)
    let place = place(of: event.series, in: batch)
    byteCounts[batch] +=
      EventBatcher.eventBytes + event.id.utf8.count
      + (event.correction?.targetID.utf8.count ?? 0)
    batches[batch].batch.append(
      id: event.id.utf8, seriesIndex: place, usageStart: event.usageStart.nanoseconds,
      usageEnd: event.usageEnd.nanoseconds, attos: event.quantity.attos,
      correction: event.correction)
    batches[batch].requestIndices.append(index)
    guard let parts, event.correction == nil else { return }
    let (bucket, hash, slot) = find(parts, in: text)
    guard slot == nil else { return }
    _ = remember(
      Known(
        hash: hash, parts: parts, source: event.source, series: event.series, batch: batch,
        place: place), at: bucket)
  }

  /// Puts what was read into a free bucket, and gives its slot.
  private mutating func remember(_ read: Known, at bucket: Int) -> Int {
    known.append(read)
    buckets[bucket] = UInt32(known.count)
    if known.count * 2 > buckets.count { grow() }
    return known.count - 1
  }

  /// The open batch of a source, which has room for one more event of any series.
  private mutating func batch(of source: String, adding series: Series) -> Int {
    if let batch = open[ExactText(source)], byteCounts[batch] < GatewayLimits.callBytesMax {
      return batch
    }
    open[ExactText(source)] = batches.count
    batches.append(SourcedBatch(batch: EventBatch(source: source), requestIndices: []))
    places.append([:])
    byteCounts.append(source.utf8.count)
    return batches.count - 1
  }

  private mutating func place(of series: Series, in batch: Int) -> UInt32 {
    if let place = places[batch][series] { return place }
    let place = UInt32(batches[batch].batch.series.count)
    places[batch][series] = place
    batches[batch].batch.series.append(series)
    byteCounts[batch] += series.byteCount + EventBatcher.seriesBytes
    return place
  }

  /// Where a series with these words is, or is to be put.
  private func find(
    _ parts: CloudEventSkim.SeriesParts, in text: [UInt8]
  ) -> (bucket: Int, hash: UInt64, known: Int?) {
    text.withUnsafeBytes { text in
      var combined: UInt64 = 0
      let all = parts.all
      for index in all.indices {
        combined =
          combined &* 31 &+ hash.hash(UnsafeRawBufferPointer(rebasing: text[all[index]]))
      }
      var bucket = Int(truncatingIfNeeded: combined ^ combined >> 32) & (buckets.count - 1)
      while buckets[bucket] != 0 {
        let slot = Int(buckets[bucket]) - 1
        if known[slot].hash == combined, known[slot].parts.hasSameBytes(as: parts, in: text) {
          return (bucket, combined, slot)
        }
        bucket = (bucket + 1) & (buckets.count - 1)
      }
      return (bucket, combined, nil)
    }
  }

  private mutating func grow() {
    buckets = Array(repeating: 0, count: buckets.count * 2)
    for (slot, known) in known.enumerated() {
      var bucket = Int(truncatingIfNeeded: known.hash ^ known.hash >> 32) & (buckets.count - 1)
      while buckets[bucket] != 0 { bucket = (bucket + 1) & (buckets.count - 1) }
      buckets[bucket] = UInt32(slot + 1)
    }
  }
}

extension CloudEventSkim.SeriesParts {
  fileprivate var all: [7 of Range<Int>] {
    [source, subject, meter, resourceURI, location, tags, additionalInfo]
  }

  fileprivate func hasSameBytes(
    as other: CloudEventSkim.SeriesParts, in text: UnsafeRawBufferPointer
  ) -> Bool {
    let (mine, others) = (all, other.all)
    for index in mine.indices {
      guard
        UnsafeRawBufferPointer(rebasing: text[mine[index]]).hasSameBytes(
          as: UnsafeRawBufferPointer(rebasing: text[others[index]]))
      else { return false }
    }
    return true
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    count == other.count
      && (count == 0 || memcmp(baseAddress!, other.baseAddress!, count) == 0)
  }
}
