/// One known event: its digest and its position in the journal, in 16 bytes.
struct DedupEntry: Hashable, BitwiseCopyable, Sendable {
  /// Positions have 48 bits: at a million events a second, nine years.
  static let positionMax: UInt64 = 1 << 48 - 1
  static let byteCount = 16

  /// The identity's 40 bits above the content's upper 24. Entries are in the order of their identities.
  let high: UInt64
  /// The content's lower 16 bits above the position. Never 0, so that 0 marks an empty slot.
  let low: UInt64

  init(_ digest: EventDigest, position: UInt64) {
    precondition((1...DedupEntry.positionMax).contains(position), "a position has 48 bits")
    high = digest.high
    low = digest.low | position
  }

  var position: UInt64 { low & DedupEntry.positionMax }
  /// The identity in the upper 40 bits, and zeros.
  var identity: UInt64 { high & ~0xFF_FFFF }

  /// Whether the event of `digest` is this one.
  func isSame(_ digest: EventDigest) -> Bool {
    high == digest.high && low & ~DedupEntry.positionMax == digest.low
  }
}

extension EventDigest {
  var identity: UInt64 { high & ~0xFF_FFFF }
}

/// What a place that entries are kept in knows of a digest.
package struct DedupMatches: Hashable, Sendable {
  /// Where the same event stands.
  package var duplicate: UInt64?
  /// Where events stand that have the identity's 40 bits but not the content's: the journal tells whether it is
  /// the same identity. Almost always empty.
  package var claims: [UInt64] = []

  var all: [UInt64] { (duplicate.map { [$0] } ?? []) + claims }
  package var isEmpty: Bool { duplicate == nil && claims.isEmpty }

  /// Takes an entry of the same identity into account.
  mutating func add(_ entry: DedupEntry, _ digest: EventDigest) {
    if entry.isSame(digest) {
      duplicate = entry.position
    } else {
      claims.append(entry.position)
    }
  }
}
