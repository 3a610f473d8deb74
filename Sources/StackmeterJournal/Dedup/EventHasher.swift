internal import CStackmeterSupport
package import StackmeterCore

/// What the dedup index keeps of an event: 40 bits of a keyed hash of its identity, and 40 of its content.
///
/// Equal digests are taken for the same event: that two others agree in all 80 bits, under a key that nobody
/// outside knows, is less likely than that the machine fails. Equal identities with other contents prove nothing:
/// whoever asks then compares with the event in the journal.
package struct EventDigest: Hashable, Sendable {
  static let identityBits: UInt64 = 40

  /// The identity's 40 bits above the content's upper 24.
  let high: UInt64
  /// The content's lower 16 bits above 48 bits of zero.
  let low: UInt64

  init(identity: UInt64, content: UInt64) {
    high = identity & ~0xFF_FFFF | content >> 40
    low = content << 24 & 0xFFFF_0000_0000_0000
  }
}

extension EventDigest {
  /// The same identity with another content.
  fileprivate func with(content: UInt64) -> EventDigest {
    EventDigest(identity: identity, content: content)
  }
}

/// Hashes events for the dedup index, with SipHash under a secret key: who reports cannot make two events collide.
package struct EventHasher: Sendable {
  /// What an identity is that of. Each kind has identities of its own.
  enum Namespace: UInt8 {
    case event = 0
    /// A target that a correction took effect on.
    case corrected = 1
  }

  private let key: (UInt64, UInt64)

  package init(key: (UInt64, UInt64)) {
    self.key = key
  }

  /// The digest of a series' every field, to be taken once for each series of a batch. The meter counts without
  /// regard to case, because the catalog's spelling may change between two reports of one event.
  package func digest(_ series: Series) -> UInt64 {
    var text = ByteWriter()
    text.text(series.subscription)
    text.text(series.meter.asciiLowercased)
    text.text(series.resource.uri)
    text.text(series.resource.location)
    text.text(series.resource.tags)
    text.text(series.resource.additionalInfo)
    return hash(text.bytes).0
  }

  /// The digest of every event of a batch whose series have the digests `series`.
  package func digests(of batch: EventBatch, series: [UInt64]) -> [EventDigest] {
    let source = hash(Array(batch.source.utf8))
    let idBytesMax = (0..<batch.count).reduce(0) { max($0, batch.idRange($1).count) }
    return withUnsafeTemporaryAllocation(
      byteCount: EventHasher.prefixBytes + max(idBytesMax, EventHasher.contentBytes), alignment: 16
    ) { scratch in
      [EventDigest](unsafeUninitializedCapacity: batch.count) { digests, count in
        var start = 0
        batch.ids.withUnsafeBytes { ids in
          for index in 0..<batch.count {
            let id = UnsafeRawBufferPointer(rebasing: ids[start..<batch.idEnds[index]])
            start = batch.idEnds[index]
            let identity = hash(id, of: source, .event, scratch)
            let content = hash(
              batch, index, series: series[Int(batch.seriesIndex[index])], salt: identity.1, scratch
            )
            digests.initializeElement(
              at: index, to: EventDigest(identity: identity.0, content: content))
          }
        }
        for placed in batch.corrections {
          digests[placed.event] = digests[placed.event].with(
            content: hash(placed.correction, after: digests[placed.event]))
        }
        count = batch.count
      }
    }
  }

  /// The digest of one event.
  package func digest(of event: UsageEvent) -> EventDigest {
    digests(of: EventBatch(event), series: [digest(event.series)])[0]
  }

  /// What finds all that have this identity, whatever their content.
  func digest(of identity: EventIdentity) -> EventDigest { digest(identity, .event) }

  /// What finds the correction that is in effect on the event of this identity. It has no content.
  func correctionDigest(of identity: EventIdentity) -> EventDigest { digest(identity, .corrected) }

  private func digest(_ identity: EventIdentity, _ namespace: Namespace) -> EventDigest {
    let source = hash(Array(identity.source.utf8))
    return Array(identity.id.utf8).withUnsafeBytes { id in
      withUnsafeTemporaryAllocation(
        byteCount: EventHasher.prefixBytes + id.count, alignment: 16
      ) { scratch in
        EventDigest(identity: hash(id, of: source, namespace, scratch).0, content: 0)
      }
    }
  }

  private func hash(_ correction: Correction, after digest: EventDigest) -> UInt64 {
    var text = ByteWriter()
    text.number(digest.high)
    text.number(digest.low)
    text.number(correction.kind.rawValue)
    text.text(correction.targetID)
    return hash(text.bytes).0
  }

  /// The source's hash and the namespace.
  private static let prefixBytes = 24
  private static let contentBytes = 48

  private func hash(
    _ id: UnsafeRawBufferPointer, of source: (UInt64, UInt64), _ namespace: Namespace,
    _ scratch: UnsafeMutableRawBufferPointer
  ) -> (UInt64, UInt64) {
    scratch.storeBytes(of: source.0, toByteOffset: 0, as: UInt64.self)
    scratch.storeBytes(of: source.1, toByteOffset: 8, as: UInt64.self)
    scratch.storeBytes(of: UInt64(namespace.rawValue), toByteOffset: 16, as: UInt64.self)
    UnsafeMutableRawBufferPointer(rebasing: scratch[EventHasher.prefixBytes...]).copyMemory(
      from: id)
    return hash(scratch.baseAddress!, EventHasher.prefixBytes + id.count)
  }

  private func hash(
    _ batch: EventBatch, _ index: Int, series: UInt64, salt: UInt64,
    _ scratch: UnsafeMutableRawBufferPointer
  ) -> UInt64 {
    scratch.storeBytes(of: salt, toByteOffset: 0, as: UInt64.self)
    scratch.storeBytes(of: series, toByteOffset: 8, as: UInt64.self)
    scratch.storeBytes(of: batch.usageStart[index], toByteOffset: 16, as: Int64.self)
    scratch.storeBytes(of: batch.usageEnd[index], toByteOffset: 24, as: Int64.self)
    scratch.storeBytes(of: batch.attos[index], toByteOffset: 32, as: Int128.self)
    return hash(scratch.baseAddress!, EventHasher.contentBytes).0
  }

  private func hash(_ bytes: [UInt8]) -> (UInt64, UInt64) {
    bytes.withUnsafeBytes { hash($0.baseAddress, $0.count) }
  }

  private func hash(_ bytes: UnsafeRawPointer?, _ count: Int) -> (UInt64, UInt64) {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4) { words in
      words[0] = key.0
      words[1] = key.1
      stackmeter_siphash128(words.baseAddress!, bytes, count, words.baseAddress! + 2)
      return (words[2], words[3])
    }
  }
}
