internal import Glibc

/// The records at the start of a segment's bytes, as far as they are whole and follow each other.
struct ParsedSegment {
  /// What stands after the last valid record.
  enum Problem: Equatable {
    /// What a crash may leave of a write that no sync has covered.
    case torn(String)
    /// What no crash leaves.
    case damaged(String)
    /// What a newer program has written.
    case newer(String)

    var text: String {
      switch self {
      case .torn(let text), .damaged(let text), .newer(let text): text
      }
    }
  }

  private(set) var records: [Record] = []
  /// The bytes of the header and of `records`.
  private(set) var validBytes = SegmentHeader.byteCount
  /// Where the bytes end but for zeros; `validBytes` where nothing else follows the records.
  private(set) var endOffset: Int
  /// What stands after `validBytes`, where that is not the end.
  private(set) var problem: Problem?
  private(set) var sequence: RecordSequence
  private let id: LogID

  /// `bytes` begin with `header`.
  init(_ bytes: [UInt8], _ header: SegmentHeader) {
    id = header.id
    sequence = RecordSequence(header)
    endOffset = bytes.endOffsetWithoutZeros
    while validBytes < endOffset {
      switch Record.parse(bytes[validBytes...], of: id) {
      case .incomplete:
        problem = .torn("an incomplete record")
        return
      case .damaged(let reason):
        problem = .torn(reason)
        return
      case .unsupported(let reason):
        problem = .newer(reason)
        return
      case .record(let record):
        if let reason = sequence.take(record) {
          problem = .damaged(reason)
          return
        }
        records.append(record)
        validBytes += record.byteCount
      }
    }
    // The last record may itself end in zeros.
    endOffset = validBytes
  }

  /// Where the first whole record of a later commit stands after the valid ones. Its commit began when all
  /// before it was durable, so then no crash tore this segment: it was damaged. What a reporter put into a
  /// payload is no record, because its checksum would have to begin with the log's id.
  func laterCommit(in bytes: [UInt8]) -> Int? {
    // A record may end in zeros, but its frame is there: it begins before `endOffset`.
    for offset in (validBytes + 1)..<max(validBytes + 1, endOffset) {
      guard offset + Record.frameBytes <= bytes.count else { return nil }
      // Cheap signs first: version 1, the flag of a commit's first record, a position that can be.
      guard bytes[offset + 9] == Record.version, bytes[offset + 10] == 1, bytes[offset + 11] == 0
      else { continue }
      var reader = ByteReader(bytes[(offset + 16)...])
      guard let position = reader.number(UInt64.self), position >= sequence.nextPosition,
        position - sequence.nextPosition <= UInt64(bytes.count)
      else { continue }
      if case .record = Record.parse(bytes[offset...], of: id) { return offset }
    }
    return nil
  }
}

extension [UInt8] {
  /// Where the trailing zeros begin.
  var endOffsetWithoutZeros: Int {
    let pieceBytes = 4096
    let zeros = [UInt8](repeating: 0, count: pieceBytes)
    var end = count
    return withUnsafeBytes { raw in
      // Whole pieces first: a segment is mostly zeros when it is new.
      while end >= pieceBytes, memcmp(raw.baseAddress! + end - pieceBytes, zeros, pieceBytes) == 0 {
        end -= pieceBytes
      }
      while end > 0 && raw[end - 1] == 0 { end -= 1 }
      return end
    }
  }
}
