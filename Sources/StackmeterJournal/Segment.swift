/// The naming and the header of a log's files.
enum Segment {
  static let headerBytes = 24
  /// `stackmtr` and the format's version, little-endian.
  static let headerStart: [UInt8] = Array("stackmtr".utf8) + [1, 0, 0, 0]
  static let headerProblem = "the header is not that of a segment of version 1"
  static let otherLogProblem = "it belongs to another log than the segments in front of it"
  private static let prefix = "segment-"
  private static let suffix = ".log"

  static func header(_ id: LogID) -> [UInt8] {
    var writer = ByteWriter(bytes: headerStart)
    writer.number(id.seed)
    writer.number(id.rawValue)
    return writer.bytes
  }

  /// The log of a segment that begins with `bytes`; nil where that is no whole header.
  static func id(_ bytes: [UInt8]) -> LogID? {
    guard bytes.starts(with: headerStart) else { return nil }
    var reader = ByteReader(bytes[headerStart.count...])
    guard let seed = reader.number(UInt32.self),
      let id = reader.number(UInt64.self).flatMap({ LogID(rawValue: $0) }), id.seed == seed
    else { return nil }
    return id
  }

  /// The log of the segment at `path`, which is `known` where the segments in front of it tell.
  static func requireID(
    _ bytes: [UInt8], known: LogID?, path: String
  ) throws(RecordLogError) -> LogID {
    guard let id = id(bytes) else {
      throw .damaged(path: path, offset: 0, problem: headerProblem)
    }
    guard known == nil || known == id else {
      throw .damaged(path: path, offset: 0, problem: otherLogProblem)
    }
    return id
  }

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

/// What a log asks of the disk; a refusal becomes one of the log's own errors.
func system<Result>(
  _ body: () throws(DiskError) -> Result
) throws(RecordLogError) -> Result {
  do throws(DiskError) { return try body() } catch { throw .disk(error) }
}
