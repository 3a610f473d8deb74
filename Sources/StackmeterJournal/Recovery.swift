internal import StackmeterCore

/// What a log does when it is opened, in two steps: `check` finds out where each segment begins and ends and changes
/// nothing, `begin` makes the tail trustworthy again. What is inside of the segments in front of the last is checked
/// by whoever reads them, which is best done between the two.
struct Recovery {
  private let disk: any Disk
  private let directory: String
  private let names: [String]
  /// The first position of every segment, ascending.
  private let positions: [UInt64]
  private let raw: Set<UInt64>
  private let sealed: Set<UInt64>

  init(disk: any Disk, directory: String) throws(RecordLogError) {
    self.disk = disk
    self.directory = directory
    names = try system { () throws(DiskError) in try disk.list(directory) }
    raw = Set(names.compactMap { Segment.firstPosition(name: $0, .raw) })
    sealed = Set(names.compactMap { Segment.firstPosition(name: $0, .sealed) })
    positions = raw.union(sealed).sorted()
  }

  /// A log as it stands on the disk.
  struct Checked {
    let header: SegmentHeader
    /// Those in front of the last.
    let segments: [LogSegment]
    /// The last one's bytes and records.
    let bytes: [UInt8]
    let parsed: ParsedSegment

    var tail: LogTail {
      LogTail(
        nextPosition: parsed.sequence.nextPosition, segment: header.firstPosition,
        segmentBytes: parsed.validBytes)
    }

    var lastTime: Instant { parsed.sequence.lastTime }

    /// Where the records of the last segment stand.
    var index: SparseIndex {
      var index = SparseIndex()
      var offset = SegmentHeader.byteCount
      for record in parsed.records {
        index.add(position: record.firstPosition, offset: offset)
        offset += record.byteCount
      }
      return index
    }

    /// There is a record in the last segment, and none behind it says that it was durable.
    var needsMark: Bool { parsed.records.last.map { $0.kind != .mark } ?? false }
  }

  /// Checks all that opening checks, and changes nothing. Nil where there is no log yet.
  func check() throws(RecordLogError) -> Checked? {
    guard let last = positions.last else { return nil }
    guard !sealed.contains(last) else {
      throw .damaged(
        path: path(last, .sealed), offset: 0,
        problem: "it is sealed, but the segment that follows it is missing")
    }
    var headers: [SegmentHeader] = []
    for position in positions {
      let form: Segment.Form = raw.contains(position) ? .raw : .sealed
      headers.append(
        try SegmentHeader.read(
          disk, path(position, form), firstPosition: position, form, known: headers.last?.id))
    }
    let segments = try closedSegments(headers)
    let bytes = try system { () throws(DiskError) in
      try disk.read(path(last, .raw), from: 0, count: try disk.size(path(last, .raw)))
    }
    let header = headers[headers.count - 1]
    guard bytes.count >= header.allocatedBytes else {
      throw .damaged(
        path: path(last, .raw), offset: bytes.count,
        problem: "it was made with \(header.allocatedBytes) bytes and is shorter now")
    }
    let parsed = ParsedSegment(bytes, header)
    try requireTornAtMost(parsed, bytes, segment: last)
    return Checked(header: header, segments: segments, bytes: bytes, parsed: parsed)
  }

  /// The last segment of a log that is open for writing.
  struct Begun {
    let file: SegmentFile.Opened
    /// What a crash had left incomplete at the end, and was cut off.
    var tornBytes = 0
  }

  /// Makes the log that `check` has found ready for writing, or a new one where it has found none: only now is
  /// anything changed.
  func begin(
    _ found: Checked?, newID: LogID, segmentBytesMax: Int
  ) throws(RecordLogError) -> Begun {
    guard let found else {
      let header = SegmentHeader(
        id: newID, firstPosition: 1, previousTime: Instant(nanoseconds: 0), previousBytes: 0,
        allocatedBytes: 0)
      // The directory itself may be new.
      try system { () throws(DiskError) in try disk.syncDirectory(parent(of: directory)) }
      return Begun(file: try create(header, [], capacities: [segmentBytesMax]))
    }
    try removeLeftovers()
    let parsed = found.parsed
    let torn = found.bytes[parsed.validBytes..<parsed.endOffset]
    if !torn.isEmpty {
      try keepTorn("\(path(found.tail.segment, .raw)).\(parsed.validBytes)", Array(torn))
    }
    // The rewrite is what makes acknowledged records trustworthy after a failed sync: until then the page cache
    // may hold what the disk does not. Without space for a whole segment the records alone will do.
    let file = try create(
      found.header, found.bytes[SegmentHeader.byteCount..<parsed.validBytes],
      capacities: [max(segmentBytesMax, parsed.validBytes), parsed.validBytes])
    return Begun(file: file, tornBytes: torn.count)
  }

  /// The segments in front of the last: each must end where the next one says.
  private func closedSegments(_ headers: [SegmentHeader]) throws(RecordLogError) -> [LogSegment] {
    var segments: [LogSegment] = []
    for (header, next) in zip(headers, headers.dropFirst()) {
      var segment = LogSegment(
        firstPosition: header.firstPosition, nextPosition: next.firstPosition,
        lastTime: next.previousTime, rawBytes: next.previousBytes)
      if raw.contains(header.firstPosition) {
        let path = path(header.firstPosition, .raw)
        let size = try system { () throws(DiskError) in try disk.size(path) }
        guard size >= next.previousBytes else {
          throw .damaged(
            path: path, offset: size,
            problem: "it had \(next.previousBytes) bytes when the next segment was begun")
        }
      } else {
        segment.sealed = try sealedPart(header, segment, behind: segments.last)
      }
      segments.append(segment)
    }
    return segments
  }

  private func sealedPart(
    _ header: SegmentHeader, _ segment: LogSegment, behind previous: LogSegment?
  ) throws(RecordLogError) -> LogSegment.Sealed {
    let path = path(segment.firstPosition, .sealed)
    let (footer, size) = try SealedFooter.read(disk, path, header)
    guard footer.nextPosition == segment.nextPosition, footer.lastTime == segment.lastTime,
      footer.rawBytes == segment.rawBytes
    else {
      throw .damaged(
        path: path, offset: size - SealedFooter.byteCount,
        problem: "it ends at position \(footer.nextPosition), but the next segment follows "
          + "one that ends at \(segment.nextPosition)")
    }
    if let previous {
      guard let chain = previous.sealed else {
        throw .damaged(
          path: path, offset: 0, problem: "it is sealed, but the segment in front of it is not")
      }
      guard chain.digest == footer.previousDigest else {
        throw .damaged(
          path: path, offset: size - SealedFooter.byteCount,
          problem: "it was sealed behind another segment than the one in front of it")
      }
    }
    return LogSegment.Sealed(byteCount: size, digest: footer.digest)
  }

  private func requireTornAtMost(
    _ parsed: ParsedSegment, _ bytes: [UInt8], segment: UInt64
  ) throws(RecordLogError) {
    switch parsed.problem {
    case nil:
      return
    case .damaged(let problem):
      throw .damaged(path: path(segment, .raw), offset: parsed.validBytes, problem: problem)
    case .newer(let found):
      throw .newer(path: path(segment, .raw), found: found)
    case .torn(let problem):
      guard let later = parsed.laterCommit(in: bytes) else { return }
      throw .damaged(
        path: path(segment, .raw), offset: parsed.validBytes,
        problem: "\(problem), but a later commit follows at byte \(later)")
    }
  }

  /// Tries each of the capacities in turn while there is no space.
  private func create(
    _ header: SegmentHeader, _ records: ArraySlice<UInt8>, capacities: [Int]
  ) throws(RecordLogError) -> SegmentFile.Opened {
    var refused: ReserveError?
    for capacity in capacities {
      do throws(ReserveError) {
        return try SegmentFile.create(
          disk, directory, header, records: records, capacity: capacity)
      } catch {
        refused = error
        if case .disk = error { break }
      }
    }
    throw .disk(refused!.error)
  }

  /// Removes what earlier work did not finish.
  private func removeLeftovers() throws(RecordLogError) {
    for name in names where name.hasSuffix(".new") {
      try system { () throws(DiskError) in try disk.remove("\(directory)/\(name)") }
    }
  }

  /// Keeps what is cut off, under a name that no earlier tear has. A recovery that itself was interrupted finds
  /// its own copy again.
  private func keepTorn(_ prefix: String, _ bytes: [UInt8]) throws(RecordLogError) {
    try system { () throws(DiskError) in
      let known = Set(names)
      var number = 1
      var name = "\(prefix).torn"
      while known.contains(name.split(separator: "/").last.map(String.init) ?? name) {
        if try disk.read(name, from: 0, count: try disk.size(name)) == bytes { return }
        number += 1
        name = "\(prefix).\(number).torn"
      }
      let copy = try disk.createFresh(name + ".new")
      try copy.write(bytes, at: 0)
      try copy.sync()
      copy.close()
      try disk.rename(name + ".new", to: name)
      try disk.syncDirectory(directory)
    }
  }

  private func path(_ segment: UInt64, _ form: Segment.Form) -> String {
    "\(directory)/\(Segment.name(firstPosition: segment, form))"
  }

  private func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
