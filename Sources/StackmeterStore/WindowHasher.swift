internal import Crypto
package import StackmeterCore

/// The hash of a closed window, chained to the one before it.
///
/// SHA-256 over these bytes; numbers are little-endian, a text is its count of bytes as u32 and its UTF-8:
///
/// ```
/// previous   32 bytes      the hash of the closed window before it, zeros for the first
/// journal    u64           the journal's id
/// cell       text
/// window     i64           hours since 1970-01-01T00:00Z
/// end        u64           the position after the window's last
/// rows, in the order of series and usage hour:
///   1        u8            only in front of the first row of a series that no earlier window has:
///   series   i64
///   subscription, meter, resource URI, location, tags, additional info: six texts
///   2        u8            the row
///   series   i64
///   hour     i64           the usage hour
///   attos    i128          the quantity in 10⁻¹⁸
/// 3          u8
/// rows       u64           how many
/// ```
package struct WindowHasher {
  private static let seriesMark: UInt8 = 1
  private static let rowMark: UInt8 = 2
  private static let endMark: UInt8 = 3
  package static let hashBytes = 32

  private var digest = SHA256()
  /// What was not fed yet: the digest is fed in pieces, which is faster.
  private var buffer: [UInt8] = []
  private static let bufferBytes = 64 << 10
  private var lastSeries: Int64?
  private let window: Hour
  private let endPosition: UInt64
  private var rowCount: UInt64 = 0
  private var oldestUsage: Hour

  /// `previous` is nil for the first window of a database.
  package init(
    previous: [UInt8]?, journalID: UInt64, cell: String, window: Hour, endPosition: UInt64
  ) {
    self.window = window
    self.endPosition = endPosition
    oldestUsage = Hour(index: .max)
    buffer.reserveCapacity(WindowHasher.bufferBytes + 4096)
    buffer.append(contentsOf: previous ?? Array(repeating: 0, count: WindowHasher.hashBytes))
    number(journalID)
    text(cell)
    number(window.index)
    number(endPosition)
  }

  /// Takes the next row.
  package mutating func add(_ row: WindowRow) {
    if let series = row.newSeries, lastSeries != row.key.series {
      buffer.append(WindowHasher.seriesMark)
      number(row.key.series)
      text(series.subscription)
      text(series.meter)
      text(series.resource.uri)
      text(series.resource.location)
      text(series.resource.tags)
      text(series.resource.additionalInfo)
    }
    lastSeries = row.key.series
    buffer.append(WindowHasher.rowMark)
    number(row.key.series)
    number(row.key.usageHour.index)
    number(row.quantity.attos)
    rowCount += 1
    oldestUsage = min(oldestUsage, row.key.usageHour)
    if buffer.count >= WindowHasher.bufferBytes { feed() }
  }

  /// What is written down of the window, once all its rows were added.
  package mutating func finish() -> ClosedWindow {
    buffer.append(WindowHasher.endMark)
    number(rowCount)
    feed()
    return ClosedWindow(
      window: window, endPosition: endPosition, rowCount: rowCount, oldestUsage: oldestUsage,
      hash: Array(digest.finalize()))
  }

  private mutating func feed() {
    digest.update(data: buffer)
    buffer.removeAll(keepingCapacity: true)
  }

  private mutating func number(_ value: some FixedWidthInteger & BitwiseCopyable) {
    withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) }
  }

  private mutating func text(_ text: String) {
    number(UInt32(text.utf8.count))
    buffer.append(contentsOf: text.utf8)
  }
}

/// Digests by which rows are found.
package enum StoreDigest {
  /// The first eight bytes of SHA-256 over the six texts of a series, each as its count of bytes (u32) and its UTF-8.
  package static func series(_ series: Series) -> Int64 {
    var bytes: [UInt8] = []
    for text in [
      series.subscription, series.meter, series.resource.uri, series.resource.location,
      series.resource.tags, series.resource.additionalInfo,
    ] { append(text.utf8, to: &bytes) }
    return Int64(bitPattern: words(bytes).high)
  }

  /// The first 16 bytes of SHA-256 over an event's source, its id (each as its count of bytes, u32, and its UTF-8)
  /// and the hour of its start (i64).
  package static func event(
    source: some Collection<UInt8>, id: some Collection<UInt8>, hour: Hour
  ) -> SampleID {
    var bytes: [UInt8] = []
    append(source, to: &bytes)
    append(id, to: &bytes)
    withUnsafeBytes(of: hour.index.littleEndian) { bytes.append(contentsOf: $0) }
    let words = words(bytes)
    return SampleID(high: words.high, low: words.low)
  }

  private static func append(_ text: some Collection<UInt8>, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(text.count).littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: text)
  }

  private static func words(_ bytes: [UInt8]) -> (high: UInt64, low: UInt64) {
    SHA256.hash(data: bytes).withUnsafeBytes { digest in
      (
        UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)),
        UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      )
    }
  }
}
