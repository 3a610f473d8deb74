internal import Synchronization

/// Values that were made of some bytes, found again by these bytes: what reporters say again and again is read once.
package struct ByteMemory<Value: Sendable>: Sendable {
  private struct Entry {
    let hash: UInt64
    /// Where its bytes end in `bytes`; they begin where those of the one before end.
    let end: Int
    let value: Value
  }

  private var bytes: [UInt8] = []
  private var entries: [Entry] = []
  /// Entries + 1 by hash, 0 where there is none; none, or a power of two.
  private var buckets: [UInt32] = []
  private let hash = ByteHash()

  private static var bucketsMin: Int { 64 }

  package init() {}

  package var count: Int { entries.count }
  /// Of the bytes that values are found by.
  package var byteCount: Int { bytes.count }

  package func value(of key: UnsafeRawBufferPointer) -> Value? {
    guard !buckets.isEmpty else { return nil }
    let hash = hash.hash(key)
    return bytes.withUnsafeBytes { bytes in
      var bucket = bucket(hash)
      while buckets[bucket] != 0 {
        let place = Int(buckets[bucket]) - 1
        if entries[place].hash == hash {
          let start = place == 0 ? 0 : entries[place - 1].end
          let known = UnsafeRawBufferPointer(rebasing: bytes[start..<entries[place].end])
          if known.hasSameBytes(as: key) { return entries[place].value }
        }
        bucket = (bucket + 1) & (buckets.count - 1)
      }
      return nil
    }
  }

  /// Remembers the value of bytes that have none yet.
  package mutating func remember(_ key: UnsafeRawBufferPointer, _ value: Value) {
    bytes.append(contentsOf: key)
    entries.append(Entry(hash: hash.hash(key), end: bytes.count, value: value))
    if entries.count * 2 > buckets.count {
      buckets = Array(repeating: 0, count: max(ByteMemory.bucketsMin, buckets.count * 2))
      for place in entries.indices { fillBucket(of: place) }
    } else {
      fillBucket(of: entries.count - 1)
    }
  }

  private mutating func fillBucket(of place: Int) {
    var bucket = bucket(entries[place].hash)
    while buckets[bucket] != 0 { bucket = (bucket + 1) & (buckets.count - 1) }
    buckets[bucket] = UInt32(place + 1)
  }

  private func bucket(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash ^ hash >> 32) & (buckets.count - 1)
  }
}

/// What several threads remember: each takes a memory for itself while it works, and gives it back for the next one.
package final class MemoryPool<Memory: Sendable>: Sendable {
  private let idle = Mutex<[Memory]>([])
  private let countMax: Int

  /// Keeps at most `countMax` of them.
  package init(countMax: Int) {
    self.countMax = countMax
  }

  /// The one that was given back last, if one is idle.
  package func take() -> Memory? {
    idle.withLock { $0.popLast() }
  }

  package func give(_ memory: Memory) {
    idle.withLock { idle in
      if idle.count < countMax { idle.append(memory) }
    }
  }
}
