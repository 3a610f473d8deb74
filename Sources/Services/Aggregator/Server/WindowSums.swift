internal import StackmeterCore

/// What the events of one reporting window add up to, by series and usage hour.
struct WindowSums {
  struct Entry {
    let slot: Int
    let hour: Int64
    var sum: Int128
    var least: Int128
    var greatest: Int128
    var position: UInt64
    var isTooLarge = false
  }

  private(set) var entries: [Entry] = []
  /// Entries + 1 by hash of slot and hour, 0 where there is none; a power of two.
  private var buckets: [UInt32] = Array(repeating: 0, count: 64)
  /// The entry that a slot used last, + 1: most events of a series lie in one hour.
  private var recent: [UInt32] = []

  /// Adds a part of an event.
  @inline(__always)
  mutating func add(_ attos: Int128, slot: Int, hour: Int64, position: UInt64) {
    let index = entry(slot, hour)
    let (sum, overflow) = entries[index].sum.addingReportingOverflow(attos)
    entries[index].position = position
    guard !overflow else {
      entries[index].isTooLarge = true
      return
    }
    entries[index].sum = sum
    if sum < entries[index].least { entries[index].least = sum }
    if sum > entries[index].greatest { entries[index].greatest = sum }
  }

  @inline(__always)
  private mutating func entry(_ slot: Int, _ hour: Int64) -> Int {
    if slot < recent.count, recent[slot] != 0 {
      let index = Int(recent[slot]) - 1
      if entries[index].hour == hour { return index }
    }
    return find(slot, hour)
  }

  private mutating func find(_ slot: Int, _ hour: Int64) -> Int {
    if slot >= recent.count {
      recent.append(contentsOf: repeatElement(0, count: max(slot + 1, 64) * 2 - recent.count))
    }
    var bucket = bucket(slot, hour)
    while buckets[bucket] != 0 {
      let index = Int(buckets[bucket]) - 1
      if entries[index].slot == slot && entries[index].hour == hour {
        recent[slot] = UInt32(index + 1)
        return index
      }
      bucket = (bucket + 1) & (buckets.count - 1)
    }
    entries.append(Entry(slot: slot, hour: hour, sum: 0, least: 0, greatest: 0, position: 0))
    buckets[bucket] = UInt32(entries.count)
    recent[slot] = UInt32(entries.count)
    if entries.count * 2 > buckets.count { grow() }
    return entries.count - 1
  }

  private func bucket(_ slot: Int, _ hour: Int64) -> Int {
    let mixed =
      (UInt64(truncatingIfNeeded: slot) &* 0x9E37_79B9_7F4A_7C15)
      ^ (UInt64(truncatingIfNeeded: hour) &* 0xC2B2_AE3D_27D4_EB4F)
    return Int(truncatingIfNeeded: (mixed ^ mixed >> 32)) & (buckets.count - 1)
  }

  private mutating func grow() {
    buckets = Array(repeating: 0, count: buckets.count * 2)
    for (index, entry) in entries.enumerated() {
      var bucket = bucket(entry.slot, entry.hour)
      while buckets[bucket] != 0 { bucket = (bucket + 1) & (buckets.count - 1) }
      buckets[bucket] = UInt32(index + 1)
    }
  }
}
