internal import StackmeterCore

/// Reads the durable part of a log from a position on, whole records at a time. Any number may read while one
/// `RecordLog` writes, and while its segments are sealed.
package struct LogReader: Sendable {
  /// What one call gives at most, unless a single record is larger.
  package static let chunkBytesMax = 1 << 20

  private let disk: any Disk
  private let directory: String
  /// Records that end at or before this position are passed over.
  private let fromPosition: UInt64
  private var place: Place?

  /// Where in the log it stands.
  private struct Place {
    let header: SegmentHeader
    /// The table of the sealed form; nil while the raw one is read.
    var table: SealedTable?
    /// In the raw form, whichever is read.
    var offset = SegmentHeader.byteCount
    /// Where the raw form ends, as far as that is known.
    var end: Int?
    var sequence: RecordSequence

    var segment: UInt64 { header.firstPosition }
  }

  package init(disk: any Disk, directory: String, fromPosition: UInt64) {
    self.disk = disk
    self.directory = directory
    self.fromPosition = fromPosition
  }

  /// Some whole records, in order.
  package struct Chunk: Sendable {
    package let bytes: [UInt8]
    /// The log they belong to.
    package let id: LogID
    package let nextPosition: UInt64
  }

  /// The next records before `tail`; nil where there are none yet. Marks that stand alone are passed over.
  package mutating func next(upTo tail: LogTail) throws(RecordLogError) -> Chunk? {
    guard tail != .empty else { return nil }
    var place: Place
    if let known = self.place {
      place = known
    } else {
      place = try enter(try firstSegment(tail: tail), known: nil)
    }
    defer { self.place = place }
    while place.segment <= tail.segment {
      let end = try end(of: &place, tail)
      if place.offset < end {
        if let chunk = try read(&place, end: end) { return chunk }
      } else {
        guard place.segment < tail.segment, let next = try successor(of: place) else { return nil }
        place = next
      }
    }
    return nil
  }

  private func end(of place: inout Place, _ tail: LogTail) throws(RecordLogError) -> Int {
    if place.segment == tail.segment { return tail.segmentBytes }
    if let end = place.end { return end }
    guard let next = try successorHeader(of: place) else { return place.offset }
    place.end = next.previousBytes
    return next.previousBytes
  }

  /// The start of a segment, in the form that is there.
  private func enter(_ segment: UInt64, known: LogID?) throws(RecordLogError) -> Place {
    do throws(RecordLogError) {
      let header = try SegmentHeader.read(
        disk, path(segment, .raw), firstPosition: segment, .raw, known: known)
      return Place(header: header, sequence: RecordSequence(header))
    } catch {
      guard case .disk(let problem) = error, problem.isMissing else { throw error }
    }
    let table: SealedTable
    do throws(RecordLogError) {
      table = try SealedTable.read(
        disk, path(segment, .sealed), firstPosition: segment, known: known)
    } catch {
      guard case .disk(let problem) = error, problem.isMissing else { throw error }
      throw .removed(position: segment, first: try segments().first ?? segment)
    }
    var place = Place(
      header: table.header, table: table, end: table.footer.rawBytes,
      sequence: RecordSequence(table.header))
    // Whole blocks that are not wanted need not be expanded. Records without events may stand in front of the
    // wanted position, at the end of a block.
    if let block = table.blocks.last(where: { $0.firstPosition < fromPosition }) {
      place.offset = block.rawOffset
      place.sequence = RecordSequence(
        nextPosition: block.firstPosition,
        lastTime: block.firstTime.advanced(by: .nanoseconds(-1)))
    }
    return place
  }

  private func successorHeader(of place: Place) throws(RecordLogError) -> SegmentHeader? {
    guard let next = try segments().first(where: { $0 > place.segment }) else { return nil }
    return try enter(next, known: place.header.id).header
  }

  private func successor(of place: Place) throws(RecordLogError) -> Place? {
    guard let position = try segments().first(where: { $0 > place.segment }) else { return nil }
    let path = path(place.segment, place.table == nil ? .raw : .sealed)
    guard position == place.sequence.nextPosition else {
      throw .damaged(
        path: path, offset: place.offset,
        problem:
          "it ends at position \(place.sequence.nextPosition), but the next segment begins at "
          + "\(position)")
    }
    let next = try enter(position, known: place.header.id)
    guard next.header.previousBytes == place.offset,
      next.header.previousTime == place.sequence.lastTime
    else {
      throw .damaged(
        path: path, offset: place.offset,
        problem: "it does not end where the next segment says")
    }
    return next
  }

  /// Reads once from the current place; nil where nothing that was read is wanted.
  private func read(_ place: inout Place, end: Int) throws(RecordLogError) -> Chunk? {
    if place.table == nil {
      do throws(RecordLogError) {
        return try take(readRaw(place, end: end), &place, .raw)
      } catch {
        // Sealed a moment ago.
        guard case .disk(let problem) = error, problem.isMissing else { throw error }
        place.table = try SealedTable.read(
          disk, path(place.segment, .sealed), firstPosition: place.segment,
          known: place.header.id)
      }
    }
    guard let table = place.table, let block = table.block(atRawOffset: place.offset) else {
      return nil
    }
    let bytes = try block.read(disk, path(place.segment, .sealed), place.header.id)
    let first = place.offset - block.rawOffset
    guard first < bytes.count else {
      throw .damaged(
        path: path(place.segment, .sealed), offset: block.offset,
        problem: "its table ends before its records")
    }
    return try take(first == 0 ? bytes : Array(bytes[first...]), &place, .sealed)
  }

  private func readRaw(_ place: Place, end: Int) throws(RecordLogError) -> [UInt8] {
    let path = path(place.segment, .raw)
    var wanted = min(LogReader.chunkBytesMax, end - place.offset)
    while true {
      let bytes = try system { () throws(DiskError) in
        try disk.read(path, from: place.offset, count: wanted)
      }
      guard case .incomplete = Record.parse(bytes[...], of: place.header.id),
        wanted < end - place.offset
      else { return bytes }
      // The first record alone, as long as its frame says: chunks are sent as messages, which have a limit.
      wanted = min(max(wanted + 1, Record.byteCount(frame: bytes)), end - place.offset)
    }
  }

  /// The wanted ones of the whole records at the start of `bytes`, all of which are checked.
  private func take(
    _ bytes: [UInt8], _ place: inout Place, _ form: Segment.Form
  ) throws(RecordLogError) -> Chunk? {
    var position = 0
    var firstWanted: Int?
    func damage(_ problem: String) -> RecordLogError {
      .damaged(
        path: path(place.segment, form), offset: place.offset + position, problem: problem)
    }
    scan: while position < bytes.count {
      switch Record.parse(bytes[position...], of: place.header.id) {
      case .record(let record):
        if let problem = place.sequence.take(record) { throw damage(problem) }
        let isWanted =
          record.nextPosition > fromPosition
          || (record.count == 0 && record.firstPosition == fromPosition)
        if isWanted && record.kind != .mark && firstWanted == nil { firstWanted = position }
        position += record.byteCount
      case .incomplete where position > 0 && form == .raw:
        break scan
      case .incomplete:
        throw damage("an incomplete record")
      case .damaged(let problem):
        throw damage(problem)
      case .unsupported(let found):
        throw .newer(path: path(place.segment, form), found: found)
      }
    }
    guard position > 0 else { throw damage("an incomplete record") }
    place.offset += position
    guard let firstWanted else { return nil }
    return Chunk(
      bytes: firstWanted == 0 && position == bytes.count
        ? bytes : Array(bytes[firstWanted..<position]),
      id: place.header.id, nextPosition: place.sequence.nextPosition)
  }

  /// The segment that holds the wanted position, or the one in front of it: records without events may stand at its
  /// end.
  private func firstSegment(tail: LogTail) throws(RecordLogError) -> UInt64 {
    let known = try segments()
    let wanted = max(fromPosition, 1)
    if let before = known.last(where: { $0 < wanted && $0 <= tail.segment }) { return before }
    if let holder = known.last(where: { $0 <= wanted && $0 <= tail.segment }) { return holder }
    throw .removed(position: wanted, first: known.first ?? tail.segment)
  }

  private func segments() throws(RecordLogError) -> [UInt64] {
    let names = try system { () throws(DiskError) in try disk.list(directory) }
    return Set(
      names.flatMap { name in
        Segment.Form.allCases.compactMap { Segment.firstPosition(name: name, $0) }
      }
    ).sorted()
  }

  private func path(_ segment: UInt64, _ form: Segment.Form) -> String {
    "\(directory)/\(Segment.name(firstPosition: segment, form))"
  }
}
