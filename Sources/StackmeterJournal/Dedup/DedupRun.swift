internal import StackmeterCore

/// The known events of one usage hour up to some position, in a file: pages of entries in the order of their
/// identities, behind a filter. See README.md for the bytes.
struct DedupRun: Sendable {
  static let pageBytes = 4096
  static let pageEntriesMax = 255
  static let footerBytes = 64
  private static let magic: [UInt8] = Array("stackrun".utf8)
  private static let version: UInt32 = 1
  /// What is read at once where a run is read as a whole.
  private static let pagesPerRead = 256

  let disk: any Disk
  let path: String
  let hour: Hour
  let count: Int
  private let pageCount: Int
  private let filter: DedupFilter
  /// The identity of the first entry of every page.
  private let fences: [UInt64]
  private let seed: UInt32

  /// What the run holds in memory.
  var memoryBytes: Int { filter.blocks.count * DedupFilter.blockBytes + fences.count * 8 }

  /// Adds the entries of this identity to `matches`; reads the disk only where the filter says perhaps.
  func find(_ digest: EventDigest, _ matches: inout DedupMatches) throws(DedupError) {
    let identity = digest.identity
    guard filter.mayContain(identity) else { return }
    // The last page that begins before it: its entries may begin there and go on in the next ones.
    var (low, high) = (0, fences.count)
    while low < high {
      let middle = (low + high) / 2
      if fences[middle] < identity { low = middle + 1 } else { high = middle }
    }
    for page in max(0, low - 1)..<pageCount {
      guard fences[page] <= identity else { return }
      for entry in try entries(page..<page + 1) where entry.identity == identity {
        matches.add(entry, digest)
      }
    }
  }

  /// The entries of some pages, each page checked.
  private func entries(_ pages: Range<Int>) throws(DedupError) -> [DedupEntry] {
    let bytes: [UInt8]
    do throws(DiskError) {
      bytes = try disk.read(
        path, from: pages.lowerBound * DedupRun.pageBytes, count: pages.count * DedupRun.pageBytes)
    } catch {
      throw .disk(error)
    }
    guard bytes.count == pages.count * DedupRun.pageBytes else { throw .damaged(path: path) }
    var entries: [DedupEntry] = []
    entries.reserveCapacity(pages.count * DedupRun.pageEntriesMax)
    let isWhole = bytes.withUnsafeBytes { raw in
      for page in 0..<pages.count {
        let start = page * DedupRun.pageBytes
        let checksum = raw.loadUnaligned(fromByteOffset: start, as: UInt32.self)
        let count = raw.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)
        let number = raw.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
        let covered = bytes[(start + 4)..<(start + DedupRun.pageBytes)]
        guard UInt32(littleEndian: checksum) == Record.checksum(covered, seed: seed),
          (1...UInt32(DedupRun.pageEntriesMax)).contains(UInt32(littleEndian: count)),
          UInt64(littleEndian: number) == UInt64(pages.lowerBound + page)
        else { return false }
        for slot in 1...Int(UInt32(littleEndian: count)) {
          entries.append(DedupEntry(raw, at: start + slot * DedupEntry.byteCount))
        }
      }
      return true
    }
    guard isWhole else { throw .damaged(path: path) }
    return entries
  }

  /// Reads all entries in order, some pages at a time.
  struct Cursor {
    private let run: DedupRun
    private var nextPage = 0
    private var buffer: [DedupEntry] = []
    private var index = 0

    init(_ run: DedupRun) { self.run = run }

    mutating func next() throws(DedupError) -> DedupEntry? {
      if index == buffer.count {
        guard nextPage < run.pageCount else { return nil }
        let end = min(nextPage + DedupRun.pagesPerRead, run.pageCount)
        buffer = try run.entries(nextPage..<end)
        nextPage = end
        index = 0
      }
      defer { index += 1 }
      return buffer[index]
    }
  }

  /// Opens a run and loads its filter. Nil where the file is not the run that it should be.
  init?(
    _ disk: any Disk, _ path: String, hour: Hour, count: Int, of id: LogID
  ) throws(DiskError) {
    let size = try disk.size(path)
    guard size >= DedupRun.footerBytes else { return nil }
    let footer = try disk.read(
      path, from: size - DedupRun.footerBytes, count: DedupRun.footerBytes)
    var reader = ByteReader(footer[...])
    guard reader.slice(8).map({ Array($0) }) == DedupRun.magic,
      reader.number(UInt32.self) == DedupRun.version,
      let pageCount = reader.number(UInt32.self).map({ Int($0) }),
      reader.number(UInt64.self) == id.rawValue,
      reader.number(Int64.self) == hour.index,
      reader.number(UInt64.self) == UInt64(count),
      let filterBytes = reader.number(UInt64.self).flatMap({ Int(exactly: $0) }),
      let tableChecksum = reader.number(UInt32.self),
      reader.number(UInt32.self)
        == Record.checksum(footer[..<(DedupRun.footerBytes - 12)], seed: id.seed)
    else { return nil }
    let tableStart = pageCount * DedupRun.pageBytes
    let fenceBytes = pageCount * 8
    guard filterBytes >= 0, tableStart + fenceBytes + filterBytes + DedupRun.footerBytes == size
    else { return nil }
    let table = try disk.read(path, from: tableStart, count: fenceBytes + filterBytes)
    var tables = ByteReader(table[...])
    guard tableChecksum == Record.checksum(table[...], seed: id.seed),
      let fences = tables.column(pageCount, UInt64.self),
      let filter = tables.slice(filterBytes).flatMap({ DedupFilter($0) })
    else { return nil }
    self.disk = disk
    self.path = path
    self.hour = hour
    self.count = count
    self.pageCount = pageCount
    self.filter = filter
    self.fences = fences
    seed = id.seed
  }

  /// Writes a new run in parts, so that its size does not matter.
  struct Writer {
    private let file: any DiskFile
    private var content: SequentialFile
    private let hour: Hour
    private let id: LogID
    private var page = ByteWriter()
    private var pageEntries = 0
    private var pending: [UInt8] = []
    private var fences: [UInt64] = []
    private var filter: DedupFilter
    private var count = 0

    init(_ file: any DiskFile, hour: Hour, expectedCount: Int, of id: LogID) {
      self.file = file
      content = SequentialFile(file)
      self.hour = hour
      self.id = id
      filter = DedupFilter(expectedCount: expectedCount)
    }

    /// Entries come in the order of their identities.
    mutating func append(_ entry: DedupEntry) throws(DiskError) {
      if pageEntries == 0 { fences.append(entry.identity) }
      page.number(entry.high)
      page.number(entry.low)
      pageEntries += 1
      count += 1
      filter.insert(entry.identity)
      if pageEntries == DedupRun.pageEntriesMax { try endPage() }
    }

    private mutating func endPage() throws(DiskError) {
      var covered = ByteWriter()
      covered.number(UInt32(pageEntries))
      covered.number(UInt64(fences.count - 1))
      covered.bytes += page.bytes
      covered.bytes += Array(
        repeating: 0, count: DedupRun.pageBytes - 4 - covered.bytes.count)
      var whole = ByteWriter()
      whole.number(Record.checksum(covered.bytes[...], seed: id.seed))
      pending += whole.bytes + covered.bytes
      page.bytes.removeAll(keepingCapacity: true)
      pageEntries = 0
      guard pending.count >= DedupRun.pagesPerRead * DedupRun.pageBytes else { return }
      try content.append(pending)
      pending.removeAll(keepingCapacity: true)
    }

    /// Returns how many entries there are once all of them are durable.
    mutating func finish() throws(DiskError) -> Int {
      if pageEntries > 0 { try endPage() }
      var table = ByteWriter()
      table.column(fences)
      filter.write(to: &table)
      var footer = ByteWriter(bytes: DedupRun.magic)
      footer.number(DedupRun.version)
      footer.number(UInt32(fences.count))
      footer.number(id.rawValue)
      footer.number(hour.index)
      footer.number(UInt64(count))
      footer.number(UInt64(table.bytes.count - fences.count * 8))
      footer.number(Record.checksum(table.bytes[...], seed: id.seed))
      footer.number(Record.checksum(footer.bytes[...], seed: id.seed))
      footer.bytes += Array(repeating: 0, count: DedupRun.footerBytes - footer.bytes.count)
      try content.append(pending + table.bytes + footer.bytes)
      try file.sync()
      return count
    }
  }
}

extension DedupEntry {
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    high = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    low = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
  }
}

/// Why the dedup index's files cannot be used. It is a function of the journal: without its files it is made anew.
package enum DedupError: Error, Equatable, CustomStringConvertible {
  case disk(DiskError)
  /// A file is not what was written.
  case damaged(path: String)

  package var description: String {
    switch self {
    case .disk(let error): error.description
    case .damaged(let path):
      "\(path) is damaged; the dedup index is made anew from the journal at the next start"
    }
  }
}
