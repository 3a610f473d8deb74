internal import StackmeterCore
internal import StackmeterJournal

/// The series that the aggregator has met, found by their bytes in the journal. Each has a slot, from 0, and a number
/// of the usage database once it was given one.
struct SeriesIndex {
  /// Not numbered yet.
  static let unnumbered: Int64 = 0
  /// To be numbered in the next transaction.
  static let wanted: Int64 = -1

  private(set) var numbers: [Int64] = []
  private(set) var aggregations: [Aggregation] = []

  /// Slots + 1 by hash, 0 where there is none; a power of two.
  private var buckets: [UInt32]
  private var hashes: [UInt64] = []
  /// The bytes of all series, one after the other.
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  private let hash: ByteHash

  private static let bucketsMin = 1024

  init(seed: UInt64) {
    hash = ByteHash(seed: seed)
    buckets = Array(repeating: 0, count: SeriesIndex.bucketsMin)
  }

  var count: Int { numbers.count }

  /// The slot of a series, made now where it has none. Nil where the bytes are no series.
  mutating func slot(
    _ series: UnsafeRawBufferPointer, aggregation: (Series) -> Aggregation
  ) -> Int? {
    let hash = hash.hash(series)
    let mask = buckets.count - 1
    var bucket = Int(truncatingIfNeeded: hash) & mask
    while buckets[bucket] != 0 {
      let slot = Int(buckets[bucket]) - 1
      if hashes[slot] == hash && holds(series, at: slot) { return slot }
      bucket = (bucket + 1) & mask
    }
    guard let parsed = Series(journalBytes: series) else { return nil }
    let slot = count
    bytes.append(contentsOf: series)
    ends.append(bytes.count)
    hashes.append(hash)
    numbers.append(SeriesIndex.unnumbered)
    aggregations.append(aggregation(parsed))
    buckets[bucket] = UInt32(slot + 1)
    if count * 2 > buckets.count { grow() }
    return slot
  }

  func series(at slot: Int) -> Series {
    guard let series = Series(journalBytes: bytes[range(slot)]) else {
      preconditionFailure("a series was read when its slot was made")
    }
    return series
  }

  mutating func setNumber(_ number: Int64, of slot: Int) {
    numbers[slot] = number
  }

  private func range(_ slot: Int) -> Range<Int> {
    (slot == 0 ? 0 : ends[slot - 1])..<ends[slot]
  }

  private func holds(_ series: UnsafeRawBufferPointer, at slot: Int) -> Bool {
    let range = range(slot)
    guard range.count == series.count else { return false }
    return bytes.withUnsafeBytes { all in
      let held = UnsafeRawBufferPointer(rebasing: all[range])
      var offset = 0
      while offset + 8 <= series.count {
        guard
          held.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            == series.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        else { return false }
        offset += 8
      }
      while offset < series.count {
        guard held[offset] == series[offset] else { return false }
        offset += 1
      }
      return true
    }
  }

  private mutating func grow() {
    buckets = Array(repeating: 0, count: buckets.count * 2)
    let mask = buckets.count - 1
    for slot in 0..<count {
      var bucket = Int(truncatingIfNeeded: hashes[slot]) & mask
      while buckets[bucket] != 0 { bucket = (bucket + 1) & mask }
      buckets[bucket] = UInt32(slot + 1)
    }
  }
}
