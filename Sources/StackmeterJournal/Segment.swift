internal import StackmeterCore

/// The names of a log's files.
enum Segment {
  private static let prefix = "segment-"
  private static let digitCount = 20

  /// The two forms of a segment.
  enum Form: String, CaseIterable {
    /// Records as they were appended.
    case raw = ".log"
    /// The same records in compressed blocks.
    case sealed = ".sealed"
  }

  /// Sorts like the position of its first record.
  static func name(firstPosition: UInt64, _ form: Form = .raw) -> String {
    let digits = String(firstPosition)
    return prefix + String(repeating: "0", count: digitCount - digits.utf8.count) + digits
      + form.rawValue
  }

  static func firstPosition(name: String, _ form: Form = .raw) -> UInt64? {
    guard name.hasPrefix(prefix), name.hasSuffix(form.rawValue),
      name.utf8.count == prefix.utf8.count + digitCount + form.rawValue.utf8.count
    else { return nil }
    return UInt64(name.dropFirst(prefix.count).dropLast(form.rawValue.count))
  }
}

/// What every segment begins with, raw or sealed: which log it belongs to, and where the one in front of it ends.
struct SegmentHeader: Equatable {
  static let byteCount = 56
  /// The format's version.
  private static let version: UInt32 = 1
  private static let otherLogProblem = "it belongs to another log than the segments in front of it"

  let id: LogID
  let firstPosition: UInt64
  /// The last time in front of this segment; 0 where there is none.
  let previousTime: Instant
  /// What the segment in front of it has in its raw form; 0 where there is none.
  let previousBytes: Int
  /// What the raw file was made with, so that one that was cut short is known; 0 where the file system allocates
  /// nothing in advance.
  var allocatedBytes: Int

  private static func magic(_ form: Segment.Form) -> [UInt8] {
    Array((form == .raw ? "stackmtr" : "stackmts").utf8)
  }

  private static func start(_ form: Segment.Form) -> [UInt8] {
    var writer = ByteWriter(bytes: magic(form))
    writer.number(version)
    return writer.bytes
  }

  func bytes(_ form: Segment.Form) -> [UInt8] {
    var body = ByteWriter()
    body.number(id.rawValue)
    body.number(firstPosition)
    body.number(previousTime.nanoseconds)
    body.number(UInt64(previousBytes))
    body.number(UInt64(allocatedBytes))
    var writer = ByteWriter(bytes: SegmentHeader.start(form))
    writer.number(Record.checksum(body.bytes[...], seed: id.seed))
    return writer.bytes + body.bytes
  }

  /// Nil where `bytes` do not begin with a whole header of this form.
  init?(_ bytes: [UInt8], _ form: Segment.Form) {
    let start = SegmentHeader.start(form)
    guard bytes.count >= SegmentHeader.byteCount, bytes.starts(with: start) else { return nil }
    var reader = ByteReader(bytes[start.count..<SegmentHeader.byteCount])
    guard let checksum = reader.number(UInt32.self),
      let id = reader.number(UInt64.self).flatMap({ LogID(rawValue: $0) }),
      let firstPosition = reader.number(UInt64.self), let time = reader.number(Int64.self),
      let previousBytes = reader.number(UInt64.self).flatMap({ Int(exactly: $0) }),
      let allocatedBytes = reader.number(UInt64.self).flatMap({ Int(exactly: $0) }),
      checksum
        == Record.checksum(bytes[(start.count + 4)..<SegmentHeader.byteCount], seed: id.seed)
    else { return nil }
    self.init(
      id: id, firstPosition: firstPosition, previousTime: Instant(nanoseconds: time),
      previousBytes: previousBytes, allocatedBytes: allocatedBytes)
  }

  init(
    id: LogID, firstPosition: UInt64, previousTime: Instant, previousBytes: Int,
    allocatedBytes: Int
  ) {
    self.id = id
    self.firstPosition = firstPosition
    self.previousTime = previousTime
    self.previousBytes = previousBytes
    self.allocatedBytes = allocatedBytes
  }

  /// Greater ones are no versions that there will ever be, but damage.
  private static let versionMax: UInt32 = 1000

  /// The version of a header that this program does not know yet.
  private static func newerVersion(_ bytes: [UInt8], _ form: Segment.Form) -> UInt32? {
    let magic = magic(form)
    guard bytes.starts(with: magic) else { return nil }
    var reader = ByteReader(bytes[magic.count...])
    return reader.number(UInt32.self).flatMap { $0 > version && $0 <= versionMax ? $0 : nil }
  }

  /// The header of the segment that the name says, in the log `known` where that is known already.
  static func read(
    _ disk: any Disk, _ path: String, firstPosition: UInt64, _ form: Segment.Form, known: LogID?
  ) throws(RecordLogError) -> SegmentHeader {
    let bytes = try system { () throws(DiskError) in
      try disk.read(path, from: 0, count: byteCount)
    }
    guard let header = SegmentHeader(bytes, form) else {
      if let newer = newerVersion(bytes, form) {
        throw .newer(
          path: path, found: "a segment of version \(newer), and this program knows \(version)")
      }
      throw .damaged(
        path: path, offset: 0, problem: "the header is not that of a segment of version \(version)")
    }
    guard known == nil || known == header.id else {
      throw .damaged(path: path, offset: 0, problem: otherLogProblem)
    }
    guard header.firstPosition == firstPosition else {
      throw .damaged(
        path: path, offset: 0,
        problem: "it begins at position \(header.firstPosition), which is not what its name says")
    }
    return header
  }
}

/// Why a log cannot be used as it is.
package enum RecordLogError: Error, Equatable, CustomStringConvertible {
  case disk(DiskError)
  /// Damage that no crash explains. Nothing was changed.
  case damaged(path: String, offset: Int, problem: String)
  /// A newer program wrote it. Nothing was changed.
  case newer(path: String, found: String)
  /// What stood at `position` is no longer kept: the log begins at `first`.
  case removed(position: UInt64, first: UInt64)

  /// Whether the files are not what this program can have written: trying again will not help.
  package var isLasting: Bool {
    switch self {
    case .damaged, .newer: true
    case .disk, .removed: false
    }
  }

  package var description: String {
    switch self {
    case .disk(let error): error.description
    case .damaged(let path, let offset, let problem):
      "\(path) is damaged at byte \(offset): \(problem); it was left as it is; "
        + "restore it from a backup"
    case .newer(let path, let found):
      "\(path) is newer than this program: it has \(found); run the version of the program that "
        + "wrote it, or restore the file from a backup if the disk has changed it"
    case .removed(let position, let first):
      "position \(position) is no longer kept: the log begins at position \(first); "
        + "restore older segments from a backup to read them"
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

  /// Of a log that has no records, and may have no file.
  package static let empty = LogTail(
    nextPosition: 1, segment: 1, segmentBytes: SegmentHeader.byteCount)

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
