internal import StackmeterCore

/// The end of a sealed segment: where its records end, and the chain of digests.
struct SealedFooter: Equatable {
  static let byteCount = 128
  private static let magic = Array("stackmte".utf8)

  let blockCount: Int
  let tableChecksum: UInt32
  let firstPosition: UInt64
  let nextPosition: UInt64
  let firstTime: Instant
  let lastTime: Instant
  /// The bytes of the raw form, header included.
  let rawBytes: Int
  let previousDigest: SegmentDigest
  let digest: SegmentDigest

  func bytes(_ id: LogID) -> [UInt8] {
    var body = ByteWriter()
    body.number(UInt32(blockCount))
    body.number(tableChecksum)
    body.number(firstPosition)
    body.number(nextPosition)
    body.number(firstTime.nanoseconds)
    body.number(lastTime.nanoseconds)
    body.number(UInt64(rawBytes))
    body.bytes += previousDigest.bytes
    body.bytes += digest.bytes
    let checksum = Record.checksum(body.bytes[...], seed: id.seed)
    var writer = ByteWriter(bytes: SealedFooter.magic)
    writer.number(UInt32(SealedFooter.byteCount))
    writer.number(checksum)
    return writer.bytes + body.bytes
  }

  init?(_ bytes: [UInt8], _ id: LogID) {
    guard bytes.count == SealedFooter.byteCount, bytes.starts(with: SealedFooter.magic)
    else { return nil }
    var reader = ByteReader(bytes[8...])
    guard reader.number(UInt32.self) == UInt32(SealedFooter.byteCount),
      reader.number(UInt32.self) == Record.checksum(bytes[16...], seed: id.seed),
      let blockCount = reader.number(UInt32.self), let tableChecksum = reader.number(UInt32.self),
      let firstPosition = reader.number(UInt64.self), let nextPosition = reader.number(UInt64.self),
      let firstTime = reader.number(Int64.self), let lastTime = reader.number(Int64.self),
      let rawBytes = reader.number(UInt64.self).flatMap({ Int(exactly: $0) }),
      let previousDigest = reader.slice(SegmentDigest.byteCount),
      let digest = reader.slice(SegmentDigest.byteCount)
    else { return nil }
    self.init(
      blockCount: Int(blockCount), tableChecksum: tableChecksum, firstPosition: firstPosition,
      nextPosition: nextPosition, firstTime: Instant(nanoseconds: firstTime),
      lastTime: Instant(nanoseconds: lastTime), rawBytes: rawBytes,
      previousDigest: SegmentDigest(bytes: Array(previousDigest)),
      digest: SegmentDigest(bytes: Array(digest)))
  }

  init(
    blockCount: Int, tableChecksum: UInt32, firstPosition: UInt64, nextPosition: UInt64,
    firstTime: Instant, lastTime: Instant, rawBytes: Int, previousDigest: SegmentDigest,
    digest: SegmentDigest
  ) {
    self.blockCount = blockCount
    self.tableChecksum = tableChecksum
    self.firstPosition = firstPosition
    self.nextPosition = nextPosition
    self.firstTime = firstTime
    self.lastTime = lastTime
    self.rawBytes = rawBytes
    self.previousDigest = previousDigest
    self.digest = digest
  }

  /// The footer of the sealed segment that begins with `header`, and the size of its file.
  static func read(
    _ disk: any Disk, _ path: String, _ header: SegmentHeader
  ) throws(RecordLogError) -> (SealedFooter, size: Int) {
    let size = try system { () throws(DiskError) in try disk.size(path) }
    let start = size - byteCount
    guard start >= SegmentHeader.byteCount else {
      throw .damaged(path: path, offset: size, problem: "it has no room for a footer")
    }
    let bytes = try system { () throws(DiskError) in
      try disk.read(path, from: start, count: byteCount)
    }
    guard let footer = SealedFooter(bytes, header.id) else {
      throw .damaged(path: path, offset: start, problem: "the footer is not whole")
    }
    guard footer.firstPosition == header.firstPosition,
      footer.blockCount * SealedBlock.byteCount <= start - SegmentHeader.byteCount
    else {
      throw .damaged(path: path, offset: start, problem: "header and footer do not fit together")
    }
    return (footer, size)
  }
}

/// An entry of a sealed segment's table: some whole records, compressed together.
struct SealedBlock: Equatable {
  static let byteCount = 36
  /// A block is closed once it has this many bytes of records; the last record may be of any size.
  static let rawBytesMin = 256 << 10
  static let rawBytesMax = rawBytesMin + Record.frameBytes + Record.payloadBytesMax

  let offset: Int
  let compressedCount: Int
  let rawCount: Int
  let firstPosition: UInt64
  let firstTime: Instant
  /// Of the compressed bytes.
  let checksum: UInt32
  /// Where its first record stands in the raw form. Not on the disk: the sum of what is in front of it.
  let rawOffset: Int

  func write(to writer: inout ByteWriter) {
    writer.number(UInt64(offset))
    writer.number(UInt32(compressedCount))
    writer.number(UInt32(rawCount))
    writer.number(firstPosition)
    writer.number(firstTime.nanoseconds)
    writer.number(checksum)
  }

  /// The records of the block of the sealed segment at `path`.
  func read(_ disk: any Disk, _ path: String, _ id: LogID) throws(RecordLogError) -> [UInt8] {
    let bytes = try system { () throws(DiskError) in
      try disk.read(path, from: offset, count: compressedCount)
    }
    guard bytes.count == compressedCount, Record.checksum(bytes[...], seed: id.seed) == checksum
    else {
      throw .damaged(path: path, offset: offset, problem: "checksum mismatch of a block")
    }
    guard let records = Zstandard.decompress(bytes, count: rawCount) else {
      throw .damaged(path: path, offset: offset, problem: "a block that cannot be expanded")
    }
    return records
  }
}

/// A sealed segment without its blocks' content.
struct SealedTable {
  let header: SegmentHeader
  let footer: SealedFooter
  let blocks: [SealedBlock]
  /// Of the file.
  let byteCount: Int

  static func read(
    _ disk: any Disk, _ path: String, firstPosition: UInt64, known: LogID?
  ) throws(RecordLogError) -> SealedTable {
    let header = try SegmentHeader.read(
      disk, path, firstPosition: firstPosition, .sealed, known: known)
    let (footer, size) = try SealedFooter.read(disk, path, header)
    let count = footer.blockCount * SealedBlock.byteCount
    let start = size - SealedFooter.byteCount - count
    let bytes = try system { () throws(DiskError) in
      try disk.read(path, from: start, count: count)
    }
    guard Record.checksum(bytes[...], seed: header.id.seed) == footer.tableChecksum,
      let blocks = blocks(bytes, count: footer.blockCount, tableStart: start)
    else {
      throw .damaged(path: path, offset: start, problem: "the table of blocks is not whole")
    }
    let end = (blocks.last?.rawOffset ?? SegmentHeader.byteCount) + (blocks.last?.rawCount ?? 0)
    guard end == footer.rawBytes else {
      throw .damaged(
        path: path, offset: start,
        problem: "its blocks have \(end) bytes of records instead of \(footer.rawBytes)")
    }
    return SealedTable(header: header, footer: footer, blocks: blocks, byteCount: size)
  }

  private static func blocks(
    _ bytes: [UInt8], count: Int, tableStart: Int
  ) -> [SealedBlock]? {
    var reader = ByteReader(bytes[...])
    var blocks: [SealedBlock] = []
    var rawOffset = SegmentHeader.byteCount
    var offset = SegmentHeader.byteCount
    for _ in 0..<count {
      guard reader.number(UInt64.self) == UInt64(offset),
        let compressed = reader.number(UInt32.self), let raw = reader.number(UInt32.self),
        raw <= SealedBlock.rawBytesMax, let position = reader.number(UInt64.self),
        let time = reader.number(Int64.self), let checksum = reader.number(UInt32.self)
      else { return nil }
      blocks.append(
        SealedBlock(
          offset: offset, compressedCount: Int(compressed), rawCount: Int(raw),
          firstPosition: position, firstTime: Instant(nanoseconds: time), checksum: checksum,
          rawOffset: rawOffset))
      rawOffset += Int(raw)
      offset += Int(compressed)
    }
    return offset == tableStart && reader.isAtEnd ? blocks : nil
  }

  /// The block with the record that holds `position`.
  func block(of position: UInt64) -> SealedBlock? {
    let after = blocks.partition { $0.firstPosition > position }
    return after > 0 ? blocks[after - 1] : nil
  }

  /// The block whose records stand at `offset` of the raw form.
  func block(atRawOffset offset: Int) -> SealedBlock? {
    let after = blocks.partition { $0.rawOffset > offset }
    return after > 0 ? blocks[after - 1] : nil
  }
}
