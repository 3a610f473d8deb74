/// Which bytes of which files are a log at one instant, for who copies a log that is written, sealed and removed from
/// meanwhile.
///
/// It says nothing about what is durable: sync the last file before its copy is relied on. A file may be gone when it
/// is copied, because it was sealed; then take another snapshot.
package struct LogSnapshot: Sendable {
  package struct File: Hashable, Sendable {
    package let name: String
    /// How much of it belongs to the log, from its start.
    package let byteCount: Int
    /// How long a copy is to be, with zeros behind what belongs to the log.
    package let paddedCount: Int
    /// It never changes any more.
    package let isSealed: Bool
  }

  package let id: LogID
  /// In the order of the log. The last one is the one that is written.
  package private(set) var files: [File]
  package let firstPosition: UInt64
  package private(set) var nextPosition: UInt64

  /// Nil where there is no log. Of a log whose segments are all raw, only what is in front of the first record that
  /// `isEnd` says yes to.
  package init?(
    _ disk: any Disk, _ directory: String, endingAt isEnd: ((Record) -> Bool)? = nil
  ) throws(RecordLogError) {
    guard let found = try Recovery(disk: disk, directory: directory).check() else { return nil }
    id = found.header.id
    firstPosition = found.segments.first?.firstPosition ?? found.header.firstPosition
    nextPosition = found.tail.nextPosition
    files = []
    for segment in found.segments {
      if let isEnd, segment.sealed == nil {
        let path = "\(directory)/\(Segment.name(firstPosition: segment.firstPosition))"
        let bytes = try system { () throws(DiskError) in
          try disk.read(path, from: 0, count: segment.rawBytes)
        }
        let header = try SegmentHeader.read(
          disk, path, firstPosition: segment.firstPosition, .raw, known: id)
        if appendEnd(header, ParsedSegment(bytes, header), isEnd) { return }
      }
      let byteCount = segment.sealed?.byteCount ?? segment.rawBytes
      files.append(
        File(
          name: Segment.name(
            firstPosition: segment.firstPosition, segment.sealed == nil ? .raw : .sealed),
          byteCount: byteCount, paddedCount: byteCount, isSealed: segment.sealed != nil))
    }
    if let isEnd, appendEnd(found.header, found.parsed, isEnd) { return }
    appendLast(found.header, found.parsed.validBytes)
  }

  /// Ends the log in this segment, where it has such a record.
  private mutating func appendEnd(
    _ header: SegmentHeader, _ parsed: ParsedSegment, _ isEnd: (Record) -> Bool
  ) -> Bool {
    var byteCount = SegmentHeader.byteCount
    for record in parsed.records {
      if isEnd(record) {
        appendLast(header, byteCount)
        nextPosition = record.firstPosition
        return true
      }
      byteCount += record.byteCount
    }
    return false
  }

  /// The last segment is as long as it was made.
  private mutating func appendLast(_ header: SegmentHeader, _ byteCount: Int) {
    files.append(
      File(
        name: Segment.name(firstPosition: header.firstPosition), byteCount: byteCount,
        paddedCount: max(byteCount, header.allocatedBytes), isSealed: false))
  }
}
