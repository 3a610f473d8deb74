/// Finds single records of a log again: the caches behind `RecordLog.record(at:)`.
///
/// Takes 16 KiB for each raw segment, about 10 KiB for each sealed one of the last `sealedTablesMax` asked for,
/// and one block.
struct RecordLookup {
  static let sealedTablesMax = 1024
  /// What is read at once where a segment has to be walked.
  private static let walkBytes = 1 << 20

  private var indexes: [UInt64: SparseIndex] = [:]
  private var tables: [UInt64: SealedTable] = [:]
  /// Some whole records of one segment, from an offset of its raw form on.
  private var block: (segment: UInt64, start: Int, bytes: [UInt8])?

  mutating func setIndex(_ index: SparseIndex, of segment: UInt64) { indexes[segment] = index }

  mutating func extendIndex(of segment: UInt64, by index: SparseIndex, at offset: Int) {
    indexes[segment, default: SparseIndex()].append(index, at: offset)
  }

  /// Forgets what belonged to the raw form of a segment.
  mutating func forget(_ segment: UInt64) {
    indexes[segment] = nil
    tables[segment] = nil
  }

  /// The record that holds `position`, which must be in this segment; `end` is where the raw form ends.
  mutating func record(
    at position: UInt64, _ disk: any Disk, _ directory: String, _ id: LogID, segment: UInt64,
    end: Int, isSealed: Bool
  ) throws(RecordLogError) -> Record {
    let path =
      "\(directory)/\(Segment.name(firstPosition: segment, isSealed ? .sealed : .raw))"
    let start: Int?
    if isSealed {
      start = try loadSealed(position, disk, path, id, segment: segment)
    } else {
      start = try loadRaw(position, disk, path, segment: segment, end: end)
    }
    guard let start, let bytes = block?.bytes,
      let record = try Record.find(position, in: bytes, of: id, path, offset: start)
    else {
      throw .damaged(path: path, offset: 0, problem: "no record holds position \(position)")
    }
    return record
  }

  /// Makes `block` that with `position`, and gives where it starts.
  private mutating func loadSealed(
    _ position: UInt64, _ disk: any Disk, _ path: String, _ id: LogID, segment: UInt64
  ) throws(RecordLogError) -> Int? {
    let table = try table(disk, path, id, segment: segment)
    guard let found = table.block(of: position) else { return nil }
    if block?.segment != segment || block?.start != found.rawOffset
      || block?.bytes.count != found.rawCount
    {
      block = (segment, found.rawOffset, try found.read(disk, path, id))
    }
    return found.rawOffset
  }

  private mutating func loadRaw(
    _ position: UInt64, _ disk: any Disk, _ path: String, segment: UInt64, end: Int
  ) throws(RecordLogError) -> Int? {
    if indexes[segment] == nil {
      indexes[segment] = try walk(disk, path, segment: segment, end: end)
    }
    guard let range = indexes[segment]?.range(of: position, end: end) else { return nil }
    // The last range of a segment grows.
    if block?.segment != segment || block?.start != range.lowerBound
      || block?.bytes.count != range.count
    {
      let bytes = try system { () throws(DiskError) in
        try disk.read(path, from: range.lowerBound, count: range.count)
      }
      block = (segment, range.lowerBound, bytes)
    }
    return range.lowerBound
  }

  private mutating func table(
    _ disk: any Disk, _ path: String, _ id: LogID, segment: UInt64
  ) throws(RecordLogError) -> SealedTable {
    if let known = tables[segment] { return known }
    if tables.count >= RecordLookup.sealedTablesMax { tables = [:] }
    let table = try SealedTable.read(disk, path, firstPosition: segment, known: id)
    tables[segment] = table
    return table
  }

  /// Reads the frames of a whole segment. What they say is checked when a record is read.
  private func walk(
    _ disk: any Disk, _ path: String, segment: UInt64, end: Int
  ) throws(RecordLogError) -> SparseIndex {
    var index = SparseIndex()
    var offset = SegmentHeader.byteCount
    var expected = segment
    while offset < end {
      let bytes = try system { () throws(DiskError) in
        try disk.read(path, from: offset, count: min(RecordLookup.walkBytes, end - offset))
      }
      var position = 0
      while let frame = RecordFrame(bytes[position...]) {
        guard frame.firstPosition == expected else {
          throw .damaged(
            path: path, offset: offset + position,
            problem: "a record at position \(frame.firstPosition) instead of \(expected)")
        }
        index.add(position: expected, offset: offset + position)
        expected = frame.nextPosition
        position += frame.byteCount
        guard position < bytes.count else { break }
      }
      guard position > 0 else {
        throw .damaged(path: path, offset: offset, problem: "an incomplete record")
      }
      offset += position
    }
    return index
  }
}

/// What a record's frame says, unchecked: enough to step over the record.
struct RecordFrame {
  let byteCount: Int
  let firstPosition: UInt64
  let nextPosition: UInt64

  /// Nil where the bytes end within the frame, or it can be none.
  init?(_ bytes: ArraySlice<UInt8>) {
    var reader = ByteReader(bytes)
    guard let length = reader.number(UInt32.self), length <= Record.payloadBytesMax,
      reader.slice(8) != nil, let count = reader.number(UInt32.self),
      let firstPosition = reader.number(UInt64.self), reader.number(UInt64.self) != nil,
      firstPosition <= UInt64.max - UInt64(count)
    else { return nil }
    byteCount = Record.frameBytes + Int(length)
    self.firstPosition = firstPosition
    nextPosition = firstPosition + UInt64(count)
  }
}

extension Record {
  /// The record in `bytes` that holds `position`, checked whole; nil where none does. The bytes stand at
  /// `offset` of `path`, which is for the diagnosis.
  static func find(
    _ position: UInt64, in bytes: [UInt8], of id: LogID, _ path: String, offset: Int
  ) throws(RecordLogError) -> Record? {
    var start = 0
    while start < bytes.count {
      guard let frame = RecordFrame(bytes[start...]), frame.firstPosition <= position else {
        return nil
      }
      if frame.nextPosition > position {
        guard case .record(let record) = parse(bytes[start...], of: id) else {
          throw .damaged(path: path, offset: offset + start, problem: "a record that is not whole")
        }
        return record
      }
      start += frame.byteCount
    }
    return nil
  }
}

extension RecordLog {
  /// The record that holds `position`, gathered or durable; nil where none does or it is no longer kept.
  package mutating func record(at position: UInt64) throws(RecordLogError) -> Record? {
    if let failure { throw .disk(failure) }
    guard position >= firstPosition, position < nextPosition else { return nil }
    if position >= tail.nextPosition {
      guard let range = pendingIndex.range(of: position, end: pending.count) else { return nil }
      // A copy, so that `pending` stays the only owner of its bytes.
      return try Record.find(
        position, in: Array(pending[range]), of: id, directory, offset: range.lowerBound)
    }
    guard position < tail.segment else {
      return try lookup.record(
        at: position, disk, directory, id, segment: tail.segment, end: tail.segmentBytes,
        isSealed: false)
    }
    let segment = segments[segments.partition { $0.firstPosition > position } - 1]
    do throws(RecordLogError) {
      return try lookup.record(
        at: position, disk, directory, id, segment: segment.firstPosition, end: segment.rawBytes,
        isSealed: segment.sealed != nil)
    } catch {
      // Sealed a moment ago, which `didSeal` has not told yet.
      guard segment.sealed == nil, case .disk(let problem) = error, problem.isMissing else {
        throw error
      }
      return try lookup.record(
        at: position, disk, directory, id, segment: segment.firstPosition, end: segment.rawBytes,
        isSealed: true)
    }
  }
}
