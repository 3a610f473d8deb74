internal import CStackmeterSupport
package import StackmeterCore

/// Knows every accepted event whose usage hour is within the lateness limit, by its identity.
///
/// A pure function of the journal: it is filled from the journal's records when a collector starts, and again as
/// it appends. Identities and contents are kept as keyed hashes of 128 and 64 bits, under a key that is drawn
/// anew by every process, so that nobody can send events that collide.
package struct DedupIndex: ~Copyable {
  /// What is known of an identity.
  package enum Answer: Equatable {
    case new
    /// Accepted before with the same content.
    case duplicate(position: UInt64)
    /// Accepted before with other content.
    case conflict(position: UInt64)
  }

  private struct Identity: Hashable {
    let low: UInt64
    let high: UInt64

    func hash(into hasher: inout Hasher) { hasher.combine(low) }
  }

  private struct Entry {
    let position: UInt64
    let content: UInt64
  }

  private let key: (UInt64, UInt64)
  private var buckets: [Hour: [Identity: Entry]] = [:]
  private var scratch = ByteWriter()
  package private(set) var count = 0

  package init(key: (UInt64, UInt64)) {
    self.key = key
  }

  /// Looks the i-th event up and, where it is new, remembers it at `position`.
  package mutating func insert(
    _ batch: EventBatch, _ index: Int, seriesDigest: UInt64, position: UInt64
  ) -> Answer {
    let hour = Instant(nanoseconds: batch.usageStart[index]).hour
    scratch.bytes.removeAll(keepingCapacity: true)
    scratch.text(batch.source)
    scratch.bytes.append(contentsOf: batch.ids[batch.idRange(index)])
    let (low, high) = hashScratch()
    scratch.bytes.removeAll(keepingCapacity: true)
    scratch.number(seriesDigest)
    scratch.number(batch.usageStart[index])
    scratch.number(batch.usageEnd[index])
    scratch.number(batch.attos[index])
    let entry = Entry(position: position, content: hashScratch().0)
    let identity = Identity(low: low, high: high)
    if let known = buckets[hour]?[identity] {
      return known.content == entry.content
        ? .duplicate(position: known.position) : .conflict(position: known.position)
    }
    buckets[hour, default: [:]][identity] = entry
    count += 1
    return .new
  }

  /// The digest of a series' every field, to be taken once for each series of a batch. The meter counts without
  /// regard to case, because the catalog's spelling may change between two reports of one event.
  package mutating func digest(_ series: Series) -> UInt64 {
    scratch.bytes.removeAll(keepingCapacity: true)
    scratch.text(series.subscription)
    scratch.text(series.meter.asciiLowercased)
    scratch.text(series.resource.uri)
    scratch.text(series.resource.location)
    scratch.text(series.resource.tags)
    scratch.text(series.resource.additionalInfo)
    return hashScratch().0
  }

  /// Forgets the hours that start before `limit`, whose events are no longer accepted.
  package mutating func forget(before limit: Instant) {
    for (hour, bucket) in buckets where hour.start < limit {
      count -= bucket.count
      buckets[hour] = nil
    }
  }

  private func hashScratch() -> (UInt64, UInt64) {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4) { words in
      words[0] = key.0
      words[1] = key.1
      scratch.bytes.withUnsafeBytes {
        stackmeter_siphash128(words.baseAddress!, $0.baseAddress, $0.count, words.baseAddress! + 2)
      }
      return (words[2], words[3])
    }
  }
}
