extension LogTail {
  /// Where a log ends on the disk, for a reader that is not its writer; nil where there is none.
  ///
  /// The last commit may not be durable yet, so it is left out unless `withLastCommit`: whoever knows a durable
  /// position from elsewhere, and reads no further than that, asks for the tail after having learnt it.
  package static func found(
    _ disk: any Disk, _ directory: String, withLastCommit: Bool
  ) throws(RecordLogError) -> LogTail? {
    while true {
      let names = try system { () throws(DiskError) in try disk.list(directory) }
      guard let last = names.compactMap({ Segment.firstPosition(name: $0) }).max() else {
        return nil
      }
      let path = "\(directory)/\(Segment.name(firstPosition: last))"
      do throws(RecordLogError) {
        let header = try SegmentHeader.read(disk, path, firstPosition: last, .raw, known: nil)
        let bytes = try system { () throws(DiskError) in
          try disk.read(path, from: 0, count: try disk.size(path))
        }
        let parsed = ParsedSegment(bytes, header)
        let whole = LogTail(
          nextPosition: parsed.sequence.nextPosition, segment: last,
          segmentBytes: parsed.validBytes)
        return withLastCommit ? whole : parsed.withoutLastCommit(whole)
      } catch {
        // Sealed a moment ago: there is a newer one.
        guard case .disk(let problem) = error, problem.isMissing else { throw error }
      }
    }
  }

  /// The first position that a log still has; nil where there is no log.
  package static func firstPosition(
    _ disk: any Disk, _ directory: String
  ) throws(RecordLogError) -> UInt64? {
    let names = try system { () throws(DiskError) in try disk.list(directory) }
    return names.flatMap { name in
      Segment.Form.allCases.compactMap { Segment.firstPosition(name: name, $0) }
    }.min()
  }
}

extension ParsedSegment {
  /// Where the last commit begins: all in front of that is durable.
  fileprivate func withoutLastCommit(_ tail: LogTail) -> LogTail {
    var tail = tail
    for record in records.reversed() {
      tail.segmentBytes -= record.byteCount
      tail.nextPosition = record.firstPosition
      if record.startsCommit { break }
    }
    return tail
  }
}
