internal import StackmeterCore

/// A segment that is no longer written, as the log knows it.
struct LogSegment: Sendable {
  let firstPosition: UInt64
  /// Where the next one begins.
  let nextPosition: UInt64
  /// The last time up to its end.
  let lastTime: Instant
  /// The bytes of its raw form, header included.
  let rawBytes: Int
  /// Nil while it is raw.
  var sealed: Sealed?

  struct Sealed: Sendable {
    let byteCount: Int
    let digest: SegmentDigest
  }

  /// What it takes on the disk.
  var byteCount: Int { sealed?.byteCount ?? rawBytes }
}

/// The SHA-256 of a segment's records and of the digest of the segment in front of it: the chain.
struct SegmentDigest: Hashable, Sendable {
  static let byteCount = 32
  /// In front of a log's first segment.
  static let none = SegmentDigest(bytes: Array(repeating: 0, count: byteCount))

  /// 32 bytes.
  let bytes: [UInt8]
}
