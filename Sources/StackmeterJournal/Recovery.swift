internal import StackmeterCore

/// What a log does when it is opened: checks what is there, replays it, and makes its tail trustworthy again.
struct Recovery {
  private let disk: any Disk
  private let directory: String
  /// The first position of every segment, ascending.
  private let segments: [UInt64]

  init(disk: any Disk, directory: String) throws(DiskError) {
    self.disk = disk
    self.directory = directory
    try disk.makeDirectory(directory)
    var segments: [UInt64] = []
    for name in try disk.list(directory) {
      if let position = Segment.firstPosition(name: name) { segments.append(position) }
      // What an earlier recovery did not finish.
      if name.hasSuffix(".new") { try disk.remove("\(directory)/\(name)") }
    }
    self.segments = segments.sorted()
  }

  /// An open log, and what its fields start from.
  struct Opened {
    var file: any DiskFile
    var tail: LogTail
    var byteCount: UInt64
    var lastTime: Instant
  }

  func open(replayFrom limit: Instant, _ replay: (Record) -> Void) throws(RecordLogError) -> Opened {
    guard let last = segments.last else {
      let file = try system { () throws(DiskError) in
        try RecordLog.createSegment(disk, directory, firstPosition: 1)
      }
      let size = Segment.header.count
      return Opened(
        file: file, tail: LogTail(nextPosition: 1, segment: 1, segmentBytes: size),
        byteCount: UInt64(size), lastTime: Instant(nanoseconds: 0))
    }
    var lastTime = Instant(nanoseconds: 0)
    var byteCount: UInt64 = 0
    let firstNeeded = try firstSegment(replayFrom: limit)
    for (index, segment) in segments.dropLast().enumerated() {
      guard index >= firstNeeded else {
        byteCount += UInt64(try system { () throws(DiskError) in try disk.size(path(segment)) })
        continue
      }
      let bytes = try content(segment)
      let parsed = ParsedSegment(bytes, segment: segment)
      try requireWhole(parsed, segment: segment, next: segments[index + 1])
      parsed.records.forEach(replay)
      lastTime = parsed.records.last?.lastTime ?? lastTime
      byteCount += UInt64(bytes.count)
    }
    let bytes = try content(last)
    let parsed = ParsedSegment(bytes, segment: last)
    if let problem = parsed.problem, let later = ParsedSegment.recordAfter(parsed, in: bytes) {
      throw .damaged(
        path: path(last), offset: parsed.validBytes,
        problem: "\(problem), but a whole record follows at byte \(later)")
    }
    parsed.records.forEach(replay)
    let (file, size) = try system { () throws(DiskError) in
      try rewriteTail(path(last), bytes, validBytes: parsed.validBytes)
    }
    return Opened(
      file: file,
      tail: LogTail(nextPosition: parsed.nextPosition, segment: last, segmentBytes: size),
      byteCount: byteCount + UInt64(size),
      lastTime: parsed.records.last?.lastTime ?? lastTime)
  }

  /// Writes the valid part of the last segment to a fresh file in its place, and keeps what is cut off.
  ///
  /// The rewrite is what makes acknowledged records trustworthy after a failed sync: until then the page cache
  /// may hold what the disk does not.
  private func rewriteTail(
    _ path: String, _ bytes: [UInt8], validBytes: Int
  ) throws(DiskError) -> (any DiskFile, Int) {
    if validBytes < bytes.count {
      let torn = "\(path).\(validBytes).torn"
      if try !disk.list(directory).contains(where: { torn.hasSuffix("/" + $0) }) {
        let copy = try disk.create(torn)
        try copy.append(Array(bytes[validBytes...]))
        try copy.sync()
        copy.close()
      }
    }
    // A crash may have come between making the file and writing its header.
    let valid = validBytes == 0 ? Segment.header : Array(bytes[..<validBytes])
    let file = try disk.create(path + ".new")
    try file.append(valid)
    try file.sync()
    try disk.rename(path + ".new", to: path)
    try disk.syncDirectory(directory)
    return (file, valid.count)
  }

  /// The index of the last segment that begins before `limit`: all before it are older as a whole. At least one
  /// sealed segment is always read, so that the time of the last record is known.
  private func firstSegment(replayFrom limit: Instant) throws(RecordLogError) -> Int {
    var index = max(0, segments.count - 2)
    while index > 0 {
      let start = try system { () throws(DiskError) in
        try disk.read(
          path(segments[index]), from: Segment.header.count, count: Record.frameBytes)
      }
      var reader = ByteReader(start[...])
      _ = reader.slice(Record.frameBytes - 8)
      // A record that cannot be read is found by the full check; until then it counts as new.
      if let time = reader.number(Int64.self), time < limit.nanoseconds { break }
      index -= 1
    }
    return index
  }

  private func requireWhole(
    _ parsed: ParsedSegment, segment: UInt64, next: UInt64
  ) throws(RecordLogError) {
    if let problem = parsed.problem {
      throw .damaged(path: path(segment), offset: parsed.validBytes, problem: problem)
    }
    guard parsed.nextPosition == next else {
      throw .damaged(
        path: path(segment), offset: parsed.validBytes,
        problem:
          "it ends at position \(parsed.nextPosition), but the next segment begins at \(next)")
    }
  }

  private func path(_ segment: UInt64) -> String {
    "\(directory)/\(Segment.name(firstPosition: segment))"
  }

  private func content(_ segment: UInt64) throws(RecordLogError) -> [UInt8] {
    try system { () throws(DiskError) in
      try disk.read(path(segment), from: 0, count: try disk.size(path(segment)))
    }
  }

  private func system<Result>(
    _ body: () throws(DiskError) -> Result
  ) throws(RecordLogError) -> Result {
    do throws(DiskError) { return try body() } catch { throw .disk(error) }
  }
}

/// The records at the start of a segment's bytes, as far as they are whole and follow each other.
struct ParsedSegment {
  private(set) var records: [Record] = []
  /// The bytes of the header and of `records`; 0 where not even the header is whole.
  private(set) var validBytes = 0
  /// What stands after `validBytes`, where that is not the end.
  private(set) var problem: String?
  private(set) var nextPosition: UInt64

  init(_ bytes: [UInt8], segment: UInt64) {
    nextPosition = segment
    guard bytes.starts(with: Segment.header) else {
      let isTorn = Segment.header.starts(with: bytes) || bytes.allSatisfy { $0 == 0 }
      problem = isTorn ? "an incomplete header" : "not a segment of version 1"
      return
    }
    validBytes = Segment.header.count
    while validBytes < bytes.count {
      switch Record.parse(bytes[validBytes...]) {
      case .incomplete:
        problem = "an incomplete record"
        return
      case .damaged(let reason):
        problem = reason
        return
      case .record(let record):
        guard record.firstPosition == nextPosition,
          records.last.map({ $0.lastTime < record.firstTime }) ?? true
        else {
          problem = "a record at position \(record.firstPosition) instead of \(nextPosition)"
          return
        }
        records.append(record)
        nextPosition = record.nextPosition
        validBytes += record.byteCount
      }
    }
  }

  /// Where a whole record of this log stands after the valid ones: then no crash tore the end, but something
  /// was damaged that had been written before it.
  static func recordAfter(_ parsed: ParsedSegment, in bytes: [UInt8]) -> Int? {
    let start = parsed.validBytes
    guard start + 1 + Record.frameBytes <= bytes.count else { return nil }
    for offset in (start + 1)...(bytes.count - Record.frameBytes) {
      // Cheap signs first: a known kind, version 1, two bytes of zero.
      guard (1...3).contains(bytes[offset + 8]), bytes[offset + 9] == Record.version,
        bytes[offset + 10] == 0, bytes[offset + 11] == 0
      else { continue }
      if case .record(let record) = Record.parse(bytes[offset...]),
        record.firstPosition >= parsed.nextPosition
      {
        return offset
      }
    }
    return nil
  }
}
