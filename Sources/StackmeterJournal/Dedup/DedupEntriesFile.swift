internal import StackmeterCore

/// The events of a range of the journal's positions, by usage hour, in a file. A collector that starts reads these
/// instead of the journal. See README.md for the bytes.
struct DedupEntriesFile: Hashable, Sendable {
  private static let magic: [UInt8] = Array("stackent".utf8)
  private static let version: UInt32 = 1
  private static let fixedBytes = 56
  private static let sectionBytes = 20
  /// Entries stand in groups by the upper 12 bits of the identity, so that they are inserted in the order of memory.
  private static let groupBits: UInt64 = 12
  private static let bytesPerWrite = 4 << 20

  /// The events of one usage hour.
  struct Section: Hashable, Sendable {
    let hour: Hour
    let count: Int
    let checksum: UInt32
    /// Where its entries begin in the file.
    let offset: Int
  }

  /// Every event at these positions of the journal is in the file.
  let positions: Range<UInt64>
  /// The reported time of the last of them: another history of the journal has another one.
  let lastTime: Instant
  let sections: [Section]
  /// What the owner of the index needs to go on from these positions.
  let context: [UInt8]

  static func name(firstPosition: UInt64) -> String {
    let digits = String(firstPosition)
    return "positions-" + String(repeating: "0", count: 20 - digits.utf8.count) + digits
      + ".entries"
  }

  static func firstPosition(name: String) -> UInt64? {
    guard name.hasPrefix("positions-"), name.hasSuffix(".entries"), name.utf8.count == 38 else {
      return nil
    }
    return UInt64(name.dropFirst(10).dropLast(8))
  }

  /// Writes a file of these entries to `file`.
  init(
    writing entries: [(hour: Hour, entries: [DedupEntry])], positions: Range<UInt64>,
    lastTime: Instant, context: [UInt8], of id: LogID, to file: inout SequentialFile
  ) throws(DiskError) {
    var header = ByteWriter(bytes: DedupEntriesFile.magic)
    header.number(DedupEntriesFile.version)
    header.number(UInt32(entries.count))
    header.number(id.rawValue)
    header.number(positions.lowerBound)
    header.number(positions.upperBound)
    header.number(lastTime.nanoseconds)
    header.number(UInt64(context.count))
    header.bytes += context
    var offset = DedupEntriesFile.headerBytes(sections: entries.count, context: context.count)
    var sections: [Section] = []
    let bodies = entries.map { DedupEntriesFile.grouped($0.entries) }
    for (part, body) in zip(entries, bodies) {
      let checksum = body.withUnsafeBytes { Record.checksum($0, seed: id.seed) }
      header.number(part.hour.index)
      header.number(UInt64(body.count))
      header.number(checksum)
      sections.append(
        Section(hour: part.hour, count: body.count, checksum: checksum, offset: offset))
      offset += body.count * DedupEntry.byteCount
    }
    header.number(Record.checksum(header.bytes[...], seed: id.seed))
    var pending = header.bytes
    for body in bodies {
      body.withUnsafeBytes { pending.append(contentsOf: $0) }
      if pending.count >= DedupEntriesFile.bytesPerWrite {
        try file.append(pending)
        pending.removeAll(keepingCapacity: true)
      }
    }
    try file.append(pending)
    self.positions = positions
    self.lastTime = lastTime
    self.sections = sections
    self.context = context
  }

  private static func headerBytes(sections: Int, context: Int) -> Int {
    fixedBytes + context + sections * sectionBytes + 4
  }

  /// Nil where the file is not one of the log `id` that begins at `firstPosition`.
  init?(_ disk: any Disk, _ path: String, firstPosition: UInt64, of id: LogID) throws(DiskError) {
    let fixed = try disk.read(path, from: 0, count: DedupEntriesFile.fixedBytes)
    var reader = ByteReader(fixed[...])
    guard reader.slice(8).map({ Array($0) }) == DedupEntriesFile.magic,
      reader.number(UInt32.self) == DedupEntriesFile.version,
      let sectionCount = reader.number(UInt32.self).map({ Int($0) }),
      reader.number(UInt64.self) == id.rawValue,
      reader.number(UInt64.self) == firstPosition,
      let next = reader.number(UInt64.self), next > firstPosition,
      let lastTime = reader.number(Int64.self),
      let contextBytes = reader.number(UInt64.self).flatMap({ Int(exactly: $0) })
    else { return nil }
    let size = try disk.size(path)
    guard contextBytes <= size, sectionCount <= size else { return nil }
    let headerBytes = DedupEntriesFile.headerBytes(sections: sectionCount, context: contextBytes)
    guard headerBytes <= size else { return nil }
    let header = try disk.read(path, from: 0, count: headerBytes)
    var table = ByteReader(header[DedupEntriesFile.fixedBytes...])
    guard let context = table.slice(contextBytes).map({ Array($0) }) else { return nil }
    var sections: [Section] = []
    var offset = headerBytes
    for _ in 0..<sectionCount {
      guard let hour = table.number(Int64.self), let count = table.number(UInt64.self),
        let checksum = table.number(UInt32.self), count <= UInt64(UInt32.max)
      else { return nil }
      sections.append(
        Section(
          hour: Hour(index: hour), count: Int(count), checksum: checksum, offset: offset))
      offset += Int(count) * DedupEntry.byteCount
    }
    guard table.number(UInt32.self) == Record.checksum(header.dropLast(4), seed: id.seed),
      offset == size
    else { return nil }
    positions = firstPosition..<next
    self.lastTime = Instant(nanoseconds: lastTime)
    self.sections = sections
    self.context = context
  }

  /// The entries of one hour; nil where they are not what was written.
  static func read(
    _ section: Section, _ disk: any Disk, _ path: String, of id: LogID
  ) throws(DiskError) -> [DedupEntry]? {
    let bytes = try disk.read(
      path, from: section.offset, count: section.count * DedupEntry.byteCount)
    guard bytes.count == section.count * DedupEntry.byteCount,
      Record.checksum(bytes[...], seed: id.seed) == section.checksum
    else { return nil }
    return bytes.withUnsafeBytes { raw in
      (0..<section.count).map { DedupEntry(raw, at: $0 * DedupEntry.byteCount) }
    }
  }

  /// The entries in groups by the upper bits of their identities.
  private static func grouped(_ entries: [DedupEntry]) -> [DedupEntry] {
    let shift = 64 - groupBits
    var starts = [Int](repeating: 0, count: 1 << groupBits + 1)
    for entry in entries { starts[Int(entry.identity >> shift) + 1] += 1 }
    for group in 1..<starts.count { starts[group] += starts[group - 1] }
    return [DedupEntry](unsafeUninitializedCapacity: entries.count) { grouped, count in
      for entry in entries {
        let group = Int(entry.identity >> shift)
        grouped.initializeElement(at: starts[group], to: entry)
        starts[group] += 1
      }
      count = entries.count
    }
  }
}
