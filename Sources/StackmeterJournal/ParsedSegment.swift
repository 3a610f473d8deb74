/// The records at the start of a segment's bytes, as far as they are whole and follow each other.
struct ParsedSegment {
  /// What stands after the last valid record.
  enum Problem: Equatable {
    /// What a crash may leave of a write that no sync has covered.
    case torn(String)
    /// What no crash leaves.
    case damaged(String)

    var text: String {
      switch self {
      case .torn(let text), .damaged(let text): text
      }
    }
  }

  private(set) var records: [Record] = []
  /// The bytes of the header and of `records`; 0 where not even the header is whole.
  private(set) var validBytes = 0
  /// What stands after `validBytes`, where that is not the end.
  private(set) var problem: Problem?
  private(set) var nextPosition: UInt64

  init(_ bytes: [UInt8], segment: UInt64) {
    nextPosition = segment
    guard bytes.starts(with: Segment.header) else {
      problem =
        ParsedSegment.isTornHeader(bytes)
        ? .torn("an incomplete header")
        : .damaged("the header is not that of a segment of version 1")
      return
    }
    validBytes = Segment.header.count
    while validBytes < bytes.count {
      switch Record.parse(bytes[validBytes...]) {
      case .incomplete:
        problem = .torn("an incomplete record")
        return
      case .damaged(let reason):
        problem = .torn(reason)
        return
      case .unsupported(let reason):
        problem = .damaged(reason)
        return
      case .record(let record):
        guard record.firstPosition == nextPosition else {
          problem = .damaged(
            "a record at position \(record.firstPosition) instead of \(nextPosition)")
          return
        }
        guard records.last.map({ $0.lastTime < record.firstTime }) ?? true else {
          problem = .damaged("a record that was reported before the one in front of it")
          return
        }
        records.append(record)
        nextPosition = record.nextPosition
        validBytes += record.byteCount
      }
    }
  }

  /// A part of the header, with zeros or nothing after it: the file was made, but never synced.
  private static func isTornHeader(_ bytes: [UInt8]) -> Bool {
    let written = zip(bytes, Segment.header).prefix { $0 == $1 }.count
    return bytes.count <= Segment.header.count && bytes[written...].allSatisfy { $0 == 0 }
  }

  /// Where the first whole record of a later commit stands after the valid ones. Its commit began when all
  /// before it was durable, so then no crash tore this segment: it was damaged.
  func laterCommit(in bytes: [UInt8]) -> Int? {
    let start = validBytes + 1
    guard start + Record.frameBytes <= bytes.count else { return nil }
    for offset in start...(bytes.count - Record.frameBytes) {
      // Cheap signs first: version 1, the flag of a commit's first record, a position that can be.
      guard bytes[offset + 9] == Record.version, bytes[offset + 10] == 1, bytes[offset + 11] == 0
      else { continue }
      var reader = ByteReader(bytes[(offset + 16)...])
      guard let position = reader.number(UInt64.self), position >= nextPosition,
        position - nextPosition <= UInt64(bytes.count)
      else { continue }
      if case .record = Record.parse(bytes[offset...]) { return offset }
    }
    return nil
  }
}
