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
  /// The log it belongs to; nil where only the header could tell, and it is torn.
  let id: LogID?

  /// `id` is that of the segments in front of it, if there are any.
  init(_ bytes: [UInt8], segment: UInt64, id known: LogID?) {
    nextPosition = segment
    let found = Segment.id(bytes)
    id = known ?? found
    guard let id, found == id else {
      if ParsedSegment.isTornHeader(bytes, known) {
        problem = .torn("an incomplete header")
      } else {
        problem = .damaged(found == nil ? Segment.headerProblem : Segment.otherLogProblem)
      }
      return
    }
    validBytes = Segment.headerBytes
    while validBytes < bytes.count {
      switch Record.parse(bytes[validBytes...], of: id) {
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
  private static func isTornHeader(_ bytes: [UInt8], _ id: LogID?) -> Bool {
    guard bytes.count <= Segment.headerBytes else { return false }
    let whole = id.map { Segment.header($0) } ?? Segment.headerStart
    let written = zip(bytes, whole).prefix { $0 == $1 }.count
    // Nobody knows what the rest of a log's first header was to be, and no record needs it.
    return (id == nil && written == whole.count) || bytes[written...].allSatisfy { $0 == 0 }
  }

  /// Where the first whole record of a later commit stands after the valid ones. Its commit began when all
  /// before it was durable, so then no crash tore this segment: it was damaged. What a reporter put into a
  /// payload is no record, because its checksum would have to begin with the log's id.
  func laterCommit(in bytes: [UInt8]) -> Int? {
    let start = validBytes + 1
    guard let id, start + Record.frameBytes <= bytes.count else { return nil }
    for offset in start...(bytes.count - Record.frameBytes) {
      // Cheap signs first: version 1, the flag of a commit's first record, a position that can be.
      guard bytes[offset + 9] == Record.version, bytes[offset + 10] == 1, bytes[offset + 11] == 0
      else { continue }
      var reader = ByteReader(bytes[(offset + 16)...])
      guard let position = reader.number(UInt64.self), position >= nextPosition,
        position - nextPosition <= UInt64(bytes.count)
      else { continue }
      if case .record = Record.parse(bytes[offset...], of: id) { return offset }
    }
    return nil
  }
}
