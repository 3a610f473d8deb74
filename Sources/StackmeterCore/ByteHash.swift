/// A fast hash of bytes for tables in memory. The seed is chosen anew by each table, so that nobody can choose bytes
/// that meet in one bucket. Never stored, never sent.
package struct ByteHash: Sendable {
  private let seed: UInt64

  package init(seed: UInt64 = .random(in: .min ... .max)) {
    self.seed = seed | 1
  }

  /// Eight bytes at a time, each mixed by a wide multiplication.
  @inline(__always)
  package func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hash = seed ^ UInt64(bytes.count)
    var offset = 0
    while offset + 8 <= bytes.count {
      hash = ByteHash.mix(hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    var rest: UInt64 = 0
    while offset < bytes.count {
      rest = rest << 8 | UInt64(bytes[offset])
      offset += 1
    }
    return ByteHash.mix(ByteHash.mix(hash ^ rest) &+ seed)
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    let (high, low) = (value ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(
      by: 0xA076_1D64_78BD_642F)
    return high ^ low
  }
}
