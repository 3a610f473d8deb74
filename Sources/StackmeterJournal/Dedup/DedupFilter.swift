/// Says of an identity that it is certainly not in a run, or perhaps: a split block Bloom filter, as in Apache
/// Parquet (BloomFilter.md), with 32 bytes for 20 identities. Wrong about one of 300 that are not there, and
/// never about one that is.
struct DedupFilter: Sendable {
  static let blockBytes = 32
  private static let entriesPerBlock = 20
  /// Parquet's eight odd constants: each picks one bit of one word of the block.
  private static let salts: SIMD8<UInt32> = [
    0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947,
    0x5c6b_fb31,
  ]

  private(set) var blocks: [SIMD8<UInt32>]

  init(expectedCount: Int) {
    blocks = Array(repeating: .zero, count: 1 + expectedCount / DedupFilter.entriesPerBlock)
  }

  mutating func insert(_ identity: UInt64) {
    blocks[block(identity)] |= bits(identity)
  }

  func mayContain(_ identity: UInt64) -> Bool {
    let bits = bits(identity)
    return blocks[block(identity)] & bits == bits
  }

  /// The block follows the order of identities, so that a run fills its filter from front to back.
  private func block(_ identity: UInt64) -> Int {
    Int(truncatingIfNeeded: identity.multipliedFullWidth(by: UInt64(blocks.count)).high)
  }

  private func bits(_ identity: UInt64) -> SIMD8<UInt32> {
    // Mixed, because the upper bits have chosen the block already.
    let mixed = (identity >> 24) &* 0x9E37_79B9_7F4A_7C15
    let shifts =
      (DedupFilter.salts &* SIMD8(repeating: UInt32(truncatingIfNeeded: mixed >> 32))) &>> 27
    return SIMD8(repeating: 1) &<< shifts
  }

  /// Its bytes, words little-endian.
  func write(to writer: inout ByteWriter) {
    for block in blocks {
      for word in 0..<8 { writer.number(block[word]) }
    }
  }

  /// Nil where the bytes are no filter.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard !bytes.isEmpty, bytes.count % DedupFilter.blockBytes == 0 else { return nil }
    blocks = bytes.withUnsafeBytes { raw in
      (0..<raw.count / DedupFilter.blockBytes).map { block in
        var words = SIMD8<UInt32>.zero
        for word in 0..<8 {
          words[word] = UInt32(
            littleEndian: raw.loadUnaligned(
              fromByteOffset: block * DedupFilter.blockBytes + 4 * word, as: UInt32.self))
        }
        return words
      }
    }
  }
}
