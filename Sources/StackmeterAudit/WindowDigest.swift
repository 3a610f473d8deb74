internal import Crypto
internal import StackmeterCore

/// The hash of a closed window, made from its description in StackmeterStore's `WindowHasher` apart from that code.
struct WindowDigest {
  private var digest = SHA256()
  private(set) var rowCount: UInt64 = 0

  init(previous: [UInt8]?, journalID: UInt64, cell: String, window: Hour, endPosition: UInt64) {
    digest.update(data: previous ?? Array(repeating: 0, count: 32))
    add(journalID)
    add(cell)
    add(window.index)
    add(endPosition)
  }

  /// The next row in the order of series and usage hour, with the texts of the series in front of its first row ever.
  mutating func add(series: Int64, new: Series?, hour: Int64, attos: Int128) {
    if let new {
      add(1 as UInt8)
      add(series)
      for text in new.texts { add(text) }
    }
    add(2 as UInt8)
    add(series)
    add(hour)
    add(attos)
    rowCount += 1
  }

  mutating func finish() -> [UInt8] {
    add(3 as UInt8)
    add(rowCount)
    return Array(digest.finalize())
  }

  private mutating func add(_ number: some FixedWidthInteger & BitwiseCopyable) {
    withUnsafeBytes(of: number.littleEndian) { digest.update(bufferPointer: $0) }
  }

  private mutating func add(_ text: String) {
    add(UInt32(text.utf8.count))
    digest.update(data: Array(text.utf8))
  }
}
