/// The naming and the header of a log's files.
enum Segment {
  /// `stackmtr` and the format's version, little-endian, and four bytes of zero.
  static let header: [UInt8] = Array("stackmtr".utf8) + [1, 0, 0, 0, 0, 0, 0, 0]
  private static let prefix = "segment-"
  private static let suffix = ".log"

  /// Sorts like the position of its first record.
  static func name(firstPosition: UInt64) -> String {
    let digits = String(firstPosition)
    return prefix + String(repeating: "0", count: 20 - digits.utf8.count) + digits + suffix
  }

  static func firstPosition(name: String) -> UInt64? {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.utf8.count == 32 else { return nil }
    return UInt64(name.dropFirst(prefix.count).dropLast(suffix.count))
  }
}

/// Why a log cannot be used as it is.
package enum RecordLogError: Error, Equatable, CustomStringConvertible {
  case disk(DiskError)
  /// Damage that no crash explains. Nothing was changed.
  case damaged(path: String, offset: Int, problem: String)

  package var description: String {
    switch self {
    case .disk(let error): error.description
    case .damaged(let path, let offset, let problem):
      "\(path) is damaged at byte \(offset): \(problem); it was left as it is; "
        + "restore it from a backup"
    }
  }
}

/// Where the durable part of a log ends.
package struct LogTail: Hashable, Sendable {
  /// The position of the next record.
  package var nextPosition: UInt64
  /// The segment that is written to, and its durable bytes.
  package var segment: UInt64
  package var segmentBytes: Int

  package init(nextPosition: UInt64, segment: UInt64, segmentBytes: Int) {
    self.nextPosition = nextPosition
    self.segment = segment
    self.segmentBytes = segmentBytes
  }
}
