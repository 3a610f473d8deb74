internal import CZstd

/// The system's compression, for blocks whose size is known on both sides.
enum Zstandard {
  /// The fastest ordinary level: a seal must never be in the way of a commit.
  private static let level: Int32 = 1

  static func compress(_ bytes: [UInt8]) -> [UInt8] {
    let bound = ZSTD_compressBound(bytes.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { buffer, filled in
      filled = ZSTD_compress(buffer.baseAddress, bound, bytes, bytes.count, level)
      precondition(ZSTD_isError(filled) == 0, "a buffer of the bound's size takes all")
    }
  }

  /// Nil where `bytes` are not the compressed form of exactly `count` bytes.
  static func decompress(_ bytes: [UInt8], count: Int) -> [UInt8]? {
    let result = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      let written = ZSTD_decompress(buffer.baseAddress, count, bytes, bytes.count)
      filled = ZSTD_isError(written) == 0 ? written : 0
    }
    return result.count == count ? result : nil
  }
}
