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
    var id: LogID
    var file: any DiskFile
    var tail: LogTail
    var byteCount: UInt64
    var lastTime: Instant
    /// What a crash had left incomplete at the end, and was cut off.
    var tornBytes = 0
  }

  func open(
    newID: LogID, replayWithin period: Duration, _ replay: (Record) -> Void
  ) throws(RecordLogError) -> Opened {
    guard let last = segments.last else {
      let file = try system { () throws(DiskError) in
        // The directory itself may be new.
        try disk.syncDirectory(parent(of: directory))
        return try RecordLog.createSegment(disk, directory, newID, firstPosition: 1)
      }
      let size = Segment.headerBytes
      return Opened(
        id: newID, file: file, tail: LogTail(nextPosition: 1, segment: 1, segmentBytes: size),
        byteCount: UInt64(size), lastTime: Instant(nanoseconds: 0))
    }
    // The last segment comes first: it says what the time is in this log.
    let bytes = try content(last)
    let known = segments.count > 1 ? try header(segments[0], known: nil) : nil
    let parsed = ParsedSegment(bytes, segment: last, id: known)
    try requireTornAtMost(parsed, bytes, segment: last)
    // A log whose one header is torn has no record: it is made only now.
    let id = parsed.id ?? newID
    let lastTime = try lastTime(parsed, id)
    var byteCount: UInt64 = 0
    let firstNeeded = try firstSegment(replayFrom: lastTime.advanced(by: .zero - period))
    for (index, segment) in segments.dropLast().enumerated() {
      guard index >= firstNeeded else {
        _ = try header(segment, known: id)
        byteCount += UInt64(try system { () throws(DiskError) in try disk.size(path(segment)) })
        continue
      }
      let (sealed, size) = try sealedSegment(index, id)
      sealed.records.forEach(replay)
      byteCount += UInt64(size)
    }
    parsed.records.forEach(replay)
    let (file, size) = try system { () throws(DiskError) in
      try rewriteTail(path(last), bytes, validBytes: parsed.validBytes, id)
    }
    return Opened(
      id: id, file: file,
      tail: LogTail(nextPosition: parsed.nextPosition, segment: last, segmentBytes: size),
      byteCount: byteCount + UInt64(size), lastTime: lastTime,
      tornBytes: bytes.count - parsed.validBytes)
  }

  /// The time of the last record. A segment is sealed with records in it, so that two segments tell.
  private func lastTime(_ last: ParsedSegment, _ id: LogID) throws(RecordLogError) -> Instant {
    if let record = last.records.last { return record.lastTime }
    guard segments.count > 1 else { return Instant(nanoseconds: 0) }
    let (sealed, _) = try sealedSegment(segments.count - 2, id)
    return sealed.records.last?.lastTime ?? Instant(nanoseconds: 0)
  }

  private func requireTornAtMost(
    _ parsed: ParsedSegment, _ bytes: [UInt8], segment: UInt64
  ) throws(RecordLogError) {
    switch parsed.problem {
    case nil:
      return
    case .damaged(let problem):
      throw .damaged(path: path(segment), offset: parsed.validBytes, problem: problem)
    case .torn(let problem):
      guard let later = parsed.laterCommit(in: bytes) else { return }
      throw .damaged(
        path: path(segment), offset: parsed.validBytes,
        problem: "\(problem), but a later commit follows at byte \(later)")
    }
  }

  /// Writes the valid part of the last segment to a fresh file in its place, and keeps what is cut off.
  ///
  /// The rewrite is what makes acknowledged records trustworthy after a failed sync: until then the page cache
  /// may hold what the disk does not.
  private func rewriteTail(
    _ path: String, _ bytes: [UInt8], validBytes: Int, _ id: LogID
  ) throws(DiskError) -> (any DiskFile, Int) {
    if validBytes < bytes.count {
      try keepTorn("\(path).\(validBytes)", Array(bytes[validBytes...]))
    }
    // A crash may have come between making the file and writing its header.
    let valid = validBytes == 0 ? Segment.header(id) : Array(bytes[..<validBytes])
    let file = try disk.create(path + ".new")
    try file.append(valid)
    try file.sync()
    try disk.rename(path + ".new", to: path)
    try disk.syncDirectory(directory)
    return (file, valid.count)
  }

  /// Keeps what is cut off, under a name that no earlier tear has. A recovery that itself was interrupted finds
  /// its own copy again.
  private func keepTorn(_ prefix: String, _ bytes: [UInt8]) throws(DiskError) {
    let known = Set(try disk.list(directory))
    var number = 1
    var name = "\(prefix).torn"
    while known.contains(name.split(separator: "/").last.map(String.init) ?? name) {
      if try disk.read(name, from: 0, count: try disk.size(name)) == bytes { return }
      number += 1
      name = "\(prefix).\(number).torn"
    }
    let copy = try disk.create(name + ".new")
    try copy.append(bytes)
    try copy.sync()
    copy.close()
    try disk.rename(name + ".new", to: name)
    try disk.syncDirectory(directory)
  }

  /// The index of the last segment that begins before `limit`: all before it are older as a whole. At least one
  /// sealed segment is always read, so that the time of the last record is known.
  private func firstSegment(replayFrom limit: Instant) throws(RecordLogError) -> Int {
    var index = max(0, segments.count - 2)
    while index > 0 {
      let start = try system { () throws(DiskError) in
        try disk.read(
          path(segments[index]), from: Segment.headerBytes, count: Record.frameBytes)
      }
      var reader = ByteReader(start[...])
      _ = reader.slice(Record.frameBytes - 8)
      // A record that cannot be read is found by the full check; until then it counts as new.
      if let time = reader.number(Int64.self), time < limit.nanoseconds { break }
      index -= 1
    }
    return index
  }

  /// The log of a segment that is not the last, which is `known` where the segments in front of it tell.
  private func header(_ segment: UInt64, known: LogID?) throws(RecordLogError) -> LogID {
    let bytes = try system { () throws(DiskError) in
      try disk.read(path(segment), from: 0, count: Segment.headerBytes)
    }
    return try Segment.requireID(bytes, known: known, path: path(segment))
  }

  /// A segment that is not the last: it must be whole, and end where the next begins.
  private func sealedSegment(
    _ index: Int, _ id: LogID
  ) throws(RecordLogError) -> (ParsedSegment, size: Int) {
    let (segment, next) = (segments[index], segments[index + 1])
    let bytes = try content(segment)
    let parsed = ParsedSegment(bytes, segment: segment, id: id)
    if let problem = parsed.problem {
      throw .damaged(path: path(segment), offset: parsed.validBytes, problem: problem.text)
    }
    guard parsed.nextPosition == next else {
      throw .damaged(
        path: path(segment), offset: parsed.validBytes,
        problem:
          "it ends at position \(parsed.nextPosition), but the next segment begins at \(next)")
    }
    return (parsed, bytes.count)
  }

  private func path(_ segment: UInt64) -> String {
    "\(directory)/\(Segment.name(firstPosition: segment))"
  }

  private func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private func content(_ segment: UInt64) throws(RecordLogError) -> [UInt8] {
    try system { () throws(DiskError) in
      try disk.read(path(segment), from: 0, count: try disk.size(path(segment)))
    }
  }
}
