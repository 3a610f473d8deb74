/// About where in some bytes each position stands: one entry for every 64 KiB of records.
struct SparseIndex: Sendable {
  static let strideBytes = 64 << 10

  private var positions: [UInt64] = []
  private var offsets: [Int] = []

  /// Says that a record of `position` begins at `offset`; both never go down.
  mutating func add(position: UInt64, offset: Int) {
    guard offset - (offsets.last ?? -SparseIndex.strideBytes) >= SparseIndex.strideBytes
    else { return }
    positions.append(position)
    offsets.append(offset)
  }

  /// Between which offsets the record that holds `position` stands; `end` where that is the last part.
  func range(of position: UInt64, end: Int) -> Range<Int>? {
    // Records without events share their position with the next that has some, which stands behind them.
    let after = positions.partition { $0 > position }
    guard after > 0 else { return nil }
    return offsets[after - 1]..<(after < offsets.count ? offsets[after] : end)
  }

  /// Takes over the entries of bytes that now stand at `offset` behind these.
  mutating func append(_ other: SparseIndex, at offset: Int) {
    for (position, start) in zip(other.positions, other.offsets) {
      add(position: position, offset: start + offset)
    }
  }

  mutating func removeAll() {
    positions.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
  }
}

extension Array {
  /// The index of the first element that `isBehind` says yes to, where all after it do so too.
  func partition(_ isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
