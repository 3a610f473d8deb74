internal import Crypto
internal import StackmeterCore

/// Turns a segment that is no longer written into its sealed form: compressed, and chained to the one in front of it.
///
/// A value that any thread may run, while the log is written and read. The raw file is removed only when the sealed
/// one is durable. It can be run again after any failure.
package struct SegmentSeal: Sendable {
  /// What was made, for `RecordLog.didSeal`.
  package struct Outcome: Sendable {
    let firstPosition: UInt64
    let sealed: LogSegment.Sealed
  }

  let disk: any Disk
  let directory: String
  let id: LogID
  let segment: LogSegment
  let previousDigest: SegmentDigest

  /// What is read of the raw form at once.
  private static let readBytes = 1 << 20

  package func run() throws(RecordLogError) -> Outcome {
    // An earlier run may have been cut off between its last steps.
    if let finished = try finished() {
      try system { () throws(DiskError) in try disk.syncDirectory(directory) }
      try removeRaw()
      return finished
    }
    let writer = try write()
    try system { () throws(DiskError) in
      try disk.rename(path(.sealed) + ".new", to: path(.sealed))
      try disk.syncDirectory(directory)
    }
    try removeRaw()
    return writer
  }

  /// A sealed form that is there already and whole, with every record that the raw one has.
  private func finished() throws(RecordLogError) -> Outcome? {
    do throws(RecordLogError) {
      let table = try SealedTable.read(
        disk, path(.sealed), firstPosition: segment.firstPosition, known: id)
      var walk = SealWalk(table.header, previousDigest)
      for block in table.blocks {
        let bytes = try block.read(disk, path(.sealed), id)
        guard try walk.takeBlock(bytes, path(.sealed), id, isEnd: true) == block.rawCount
        else { return nil }
      }
      let footer = walk.footer(blockCount: table.blocks.count, table.footer.tableChecksum)
      guard footer == table.footer, isWhole(walk) else { return nil }
      return Outcome(
        firstPosition: segment.firstPosition,
        sealed: LogSegment.Sealed(byteCount: table.byteCount, digest: footer.digest))
    } catch {
      // Not there, or not whole: it is written from the raw form, as long as that is there.
      if case .disk(let problem) = error, !problem.isMissing { throw error }
      return nil
    }
  }

  private func isWhole(_ walk: SealWalk) -> Bool {
    walk.offset == segment.rawBytes && walk.sequence.nextPosition == segment.nextPosition
      && walk.sequence.lastTime == segment.lastTime
  }

  /// Writes the sealed form beside its name, durably.
  private func write() throws(RecordLogError) -> Outcome {
    let header = try SegmentHeader.read(
      disk, path(.raw), firstPosition: segment.firstPosition, .raw, known: id)
    var walk = SealWalk(header, previousDigest)
    var blocks: [SealedBlock] = []
    let file = try system { () throws(DiskError) in try disk.createFresh(path(.sealed) + ".new") }
    defer { file.close() }
    var sealedHeader = header
    sealedHeader.allocatedBytes = 0
    var offset = SegmentHeader.byteCount
    try write(sealedHeader.bytes(.sealed), to: file, at: 0)
    var bytes: [UInt8] = []
    while walk.offset < segment.rawBytes {
      let start = walk
      let isEnd = walk.offset + bytes.count == segment.rawBytes
      guard let used = try walk.takeBlock(bytes, path(.raw), id, isEnd: isEnd) else {
        bytes += try read(from: walk.offset + bytes.count)
        continue
      }
      let compressed = Zstandard.compress(Array(bytes[..<used]))
      blocks.append(
        SealedBlock(
          offset: offset, compressedCount: compressed.count, rawCount: used,
          firstPosition: start.sequence.nextPosition, firstTime: walk.takenFirstTime,
          checksum: Record.checksum(compressed[...], seed: id.seed), rawOffset: start.offset))
      try write(compressed, to: file, at: offset)
      offset += compressed.count
      bytes.removeFirst(used)
    }
    guard isWhole(walk) else {
      throw .damaged(
        path: path(.raw), offset: walk.offset,
        problem: "it does not end where the next segment says")
    }
    return try finish(walk, blocks, file, at: offset)
  }

  private func finish(
    _ walk: SealWalk, _ blocks: [SealedBlock], _ file: any DiskFile, at offset: Int
  ) throws(RecordLogError) -> Outcome {
    var table = ByteWriter()
    for block in blocks { block.write(to: &table) }
    let footer = walk.footer(
      blockCount: blocks.count, Record.checksum(table.bytes[...], seed: id.seed))
    let end = table.bytes + footer.bytes(id)
    try write(end, to: file, at: offset)
    try system { () throws(DiskError) in try file.sync() }
    file.rest()
    return Outcome(
      firstPosition: segment.firstPosition,
      sealed: LogSegment.Sealed(byteCount: offset + end.count, digest: footer.digest))
  }

  private func read(from offset: Int) throws(RecordLogError) -> [UInt8] {
    let count = min(SegmentSeal.readBytes, segment.rawBytes - offset)
    let bytes = try system { () throws(DiskError) in
      try disk.read(path(.raw), from: offset, count: count)
    }
    guard bytes.count == count, count > 0 else {
      throw .damaged(path: path(.raw), offset: offset, problem: "an incomplete record")
    }
    return bytes
  }

  private func write(
    _ bytes: [UInt8], to file: any DiskFile, at offset: Int
  ) throws(RecordLogError) {
    try system { () throws(DiskError) in try file.write(bytes, at: offset) }
  }

  private func removeRaw() throws(RecordLogError) {
    do throws(DiskError) {
      try disk.remove(path(.raw))
    } catch {
      guard error.isMissing else { throw .disk(error) }
    }
  }

  private func path(_ form: Segment.Form) -> String {
    "\(directory)/\(Segment.name(firstPosition: segment.firstPosition, form))"
  }
}

/// A walk through a segment's records that checks each and sums them up for the footer.
private struct SealWalk {
  private(set) var offset = SegmentHeader.byteCount
  private(set) var sequence: RecordSequence
  /// The time of the first record that the last `take` took.
  private(set) var takenFirstTime = Instant(nanoseconds: 0)
  private let header: SegmentHeader
  private let previousDigest: SegmentDigest
  private var hasher = SHA256()
  private var firstTime: Instant?

  init(_ header: SegmentHeader, _ previousDigest: SegmentDigest) {
    self.header = header
    self.previousDigest = previousDigest
    sequence = RecordSequence(header)
    hasher.update(data: previousDigest.bytes)
  }

  /// Takes the records of one block from the start of `bytes`. Nil and without effect where the bytes do not show
  /// that it ends; with `isEnd` nothing follows them.
  mutating func takeBlock(
    _ bytes: [UInt8], _ path: String, _ id: LogID, isEnd: Bool
  ) throws(RecordLogError) -> Int? {
    var used = 0
    var first: Instant?
    var sequence = sequence
    var isClosed = false
    while used < bytes.count && !isClosed {
      switch Record.parse(bytes[used...], of: id) {
      case .record(let record):
        // A mark has no time of its own, and so is never the first of a block.
        isClosed = used >= SealedBlock.rawBytesMin && record.kind != .mark
        guard !isClosed else { break }
        if let problem = sequence.take(record) {
          throw .damaged(path: path, offset: offset + used, problem: problem)
        }
        first = first ?? record.firstTime
        used += record.byteCount
      case .incomplete:
        return nil
      case .damaged(let problem):
        throw .damaged(path: path, offset: offset + used, problem: problem)
      case .unsupported(let found):
        throw .newer(path: path, found: found)
      }
    }
    guard let first, isClosed || isEnd else { return nil }
    bytes.withUnsafeBytes {
      hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<used]))
    }
    takenFirstTime = first
    firstTime = firstTime ?? first
    self.sequence = sequence
    offset += used
    return used
  }

  func footer(blockCount: Int, _ tableChecksum: UInt32) -> SealedFooter {
    SealedFooter(
      blockCount: blockCount, tableChecksum: tableChecksum, firstPosition: header.firstPosition,
      nextPosition: sequence.nextPosition, firstTime: firstTime ?? header.previousTime,
      lastTime: sequence.lastTime, rawBytes: offset, previousDigest: previousDigest,
      digest: SegmentDigest(bytes: Array(hasher.finalize())))
  }
}

extension RecordLog {
  /// The oldest segment that is full and not sealed yet; nil where there is none. Ask again once it is sealed.
  package var nextToSeal: SegmentSeal? {
    guard let index = segments.firstIndex(where: { $0.sealed == nil }) else { return nil }
    let previous = index > 0 ? segments[index - 1].sealed?.digest : nil
    return SegmentSeal(
      disk: disk, directory: directory, id: id, segment: segments[index],
      previousDigest: previous ?? .none)
  }

  /// Takes note of what `run` of a seal has made.
  package mutating func didSeal(_ outcome: SegmentSeal.Outcome) {
    let index = segments.partition { $0.firstPosition > outcome.firstPosition } - 1
    guard index >= 0, segments[index].firstPosition == outcome.firstPosition else { return }
    segments[index].sealed = outcome.sealed
    lookup.forget(outcome.firstPosition)
  }
}
