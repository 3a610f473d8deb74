/// Reads the durable part of a log from a position on, whole records at a time. Any number may read while one
/// `RecordLog` writes.
package struct LogReader: Sendable {
  /// What one call gives at most, unless a single record is larger.
  package static let chunkBytesMax = 1 << 20

  private let disk: any Disk
  private let directory: String
  /// Records that end at or before this position are passed over.
  private let fromPosition: UInt64
  private var segment: UInt64?
  /// What the segments say so far.
  private var id: LogID?
  private var offset = Segment.headerBytes
  /// The position that the record at `offset` must have.
  private var expected: UInt64 = 0

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

  /// The next records before `tail`; nil where there are none yet.
  package mutating func next(upTo tail: LogTail) throws(RecordLogError) -> Chunk? {
    while true {
      let current: UInt64
      if let segment {
        current = segment
      } else {
        current = try firstSegment(tail: tail)
        segment = current
        expected = current
      }
      let path = "\(directory)/\(Segment.name(firstPosition: current))"
      if offset == Segment.headerBytes {
        let header = try system { () throws(DiskError) in
          try disk.read(path, from: 0, count: Segment.headerBytes)
        }
        id = try Segment.requireID(header, known: id, path: path)
      }
      let end =
        current == tail.segment
        ? tail.segmentBytes : try system { () throws(DiskError) in try disk.size(path) }
      guard offset < end else {
        guard let successor = try segments().first(where: { $0 > current }),
          successor <= tail.segment
        else { return nil }
        guard successor == expected else {
          throw .damaged(
            path: path, offset: offset,
            problem: "it ends at position \(expected), but the next segment begins at \(successor)")
        }
        segment = successor
        offset = Segment.headerBytes
        continue
      }
      if let id, let chunk = try chunk(path, id, end: end) { return chunk }
    }
  }

  /// Reads once from the current place; nil where all that was read is before the wanted position.
  private mutating func chunk(
    _ path: String, _ id: LogID, end: Int
  ) throws(RecordLogError) -> Chunk? {
    var wanted = min(LogReader.chunkBytesMax, end - offset)
    var bytes: [UInt8] = []
    while true {
      bytes = try system { () throws(DiskError) in
        try disk.read(path, from: offset, count: wanted)
      }
      guard case .incomplete = Record.parse(bytes[...], of: id), wanted < end - offset else {
        break
      }
      wanted = min(Record.frameBytes + Record.payloadBytesMax, end - offset)
    }
    var position = 0
    var firstWanted: Int?
    var nextPosition: UInt64 = 0
    scan: while position < bytes.count {
      switch Record.parse(bytes[position...], of: id) {
      case .record(let record):
        guard record.firstPosition == expected else {
          throw .damaged(
            path: path, offset: offset + position,
            problem: "a record at position \(record.firstPosition) instead of \(expected)")
        }
        expected = record.nextPosition
        let isWanted =
          record.nextPosition > fromPosition
          || (record.count == 0 && record.firstPosition == fromPosition)
        if isWanted && firstWanted == nil { firstWanted = position }
        position += record.byteCount
        nextPosition = record.nextPosition
      case .incomplete where position > 0:
        break scan
      case .incomplete:
        throw .damaged(path: path, offset: offset, problem: "an incomplete record")
      case .damaged(let problem), .unsupported(let problem):
        throw .damaged(path: path, offset: offset + position, problem: problem)
      }
    }
    offset += position
    guard let firstWanted else { return nil }
    return Chunk(
      bytes: Array(bytes[firstWanted..<position]), id: id, nextPosition: nextPosition)
  }

  /// The segment that holds the wanted position.
  private func firstSegment(tail: LogTail) throws(RecordLogError) -> UInt64 {
    let known = try segments()
    if let holder = known.last(where: { $0 <= max(fromPosition, 1) && $0 <= tail.segment }) {
      return holder
    }
    throw .damaged(
      path: directory, offset: 0,
      problem: "no segment holds position \(max(fromPosition, 1)); the first begins at "
        + "\(known.first ?? tail.segment)")
  }

  private func segments() throws(RecordLogError) -> [UInt64] {
    try system { () throws(DiskError) in
      try disk.list(directory).compactMap { Segment.firstPosition(name: $0) }.sorted()
    }
  }
}
