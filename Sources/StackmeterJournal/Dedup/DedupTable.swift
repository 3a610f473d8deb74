internal import CStackmeterSupport

/// The known events of one usage hour in memory, at 16 bytes each and at most a third of empty slots.
///
/// Ordered linear probing: the home of an entry is proportional to its identity, and entries never stand out of
/// order. So a search ends at the first greater one, growing is one pass from front to back, and so is writing
/// all entries in order. The table is cut by the upper bits of the identity into shards that grow by
/// themselves: no insertion ever moves more than one of them, or all of them while they are small.
///
/// `@unchecked Sendable`: one thread owns it until it is frozen; then any number may read it.
// What it points to changes only before it is handed to another thread.
final class DedupTable: @unchecked Sendable {
  private struct Shard {
    var slots: UnsafeMutablePointer<DedupEntry>
    /// Homes lie below this.
    var capacity: Int
    /// Slots, with some behind the last home for those that had to move on.
    var allocated: Int
    var count: Int
  }

  private static let shardBitsMax = 12
  /// What a split multiplies the shards by, as bits.
  private static let splitBits = 2
  /// With more entries for each shard there are 4 times as many shards, up to the limit. A shard of this size is
  /// moved in well below a millisecond, and the list of shards stays in the processor's nearest cache.
  private static let shardEntriesMax = 1 << 16

  private var shards: UnsafeMutableBufferPointer<Shard>
  private var shardBits: Int
  private(set) var count = 0

  /// Has room for `expectedCount` entries.
  init(expectedCount: Int = 0) {
    var bits = 0
    while bits < DedupTable.shardBitsMax, expectedCount > DedupTable.shardEntriesMax << bits {
      bits += DedupTable.splitBits
    }
    shardBits = bits
    shards = .allocate(capacity: 1 << bits)
    let capacity = DedupTable.capacity(for: expectedCount >> bits)
    for index in shards.indices {
      shards.initializeElement(at: index, to: DedupTable.makeShard(capacity: capacity))
    }
  }

  deinit {
    for shard in shards { shard.slots.deallocate() }
    shards.deallocate()
  }

  /// The bytes that the slots take.
  var byteCount: Int {
    shards.reduce(0) { $0 + $1.allocated * DedupEntry.byteCount }
  }

  /// Begins to load what `find` and `insert` will need, so that many searches wait for memory at once.
  func prefetch(_ identity: UInt64) {
    let shard = shards[shardIndex(identity)]
    stackmeter_prefetch(shard.slots + home(identity, shard.capacity))
  }

  /// Adds the entries of this identity to `matches`.
  func find(_ digest: EventDigest, _ matches: inout DedupMatches) {
    let identity = digest.identity
    let shard = shards[shardIndex(identity)]
    var slot = DedupTable.firstSlot(of: identity, shard, home(identity, shard.capacity))
    let end = shard.slots + shard.allocated
    while slot < end, slot.pointee.low != 0, slot.pointee.identity == identity {
      matches.add(slot.pointee, digest)
      slot += 1
    }
  }

  /// Inserts an entry unless there is one of its identity; then returns false.
  func insertIfUnknown(_ entry: DedupEntry) -> Bool {
    prepare()
    let index = shardIndex(entry.identity)
    let shard = shards[index]
    let slot = DedupTable.firstSlot(of: entry.identity, shard, home(entry.identity, shard.capacity))
    if slot < shard.slots + shard.allocated, slot.pointee.low != 0,
      slot.pointee.identity == entry.identity
    {
      return false
    }
    if shard.count >= shard.capacity / 8 * 7 || !DedupTable.place(entry, at: slot, &shards[index]) {
      insert(entry)
    } else {
      count += 1
    }
    return true
  }

  /// Inserts many, none of which is known.
  func insert(_ entries: [DedupEntry]) {
    for index in entries.indices {
      let ahead = index + DedupTable.prefetchAhead
      if ahead < entries.count { prefetch(entries[ahead].identity) }
      insert(entries[index])
    }
  }

  /// So many entries ahead the memory begins to be loaded.
  private static let prefetchAhead = 16

  func insert(_ entry: DedupEntry) {
    prepare()
    let index = shardIndex(entry.identity)
    if shards[index].count >= shards[index].capacity / 8 * 7 { grow(index) }
    while !place(entry, &shards[index]) { grow(index) }
    count += 1
  }

  /// Makes more shards where there are too few.
  private func prepare() {
    if count >= DedupTable.shardEntriesMax << shardBits, shardBits < DedupTable.shardBitsMax {
      split()
    }
  }

  /// The first slot from the identity's home on that is empty or not smaller; perhaps the end.
  private static func firstSlot(
    of identity: UInt64, _ shard: Shard, _ home: Int
  ) -> UnsafeMutablePointer<DedupEntry> {
    let end = shard.slots + shard.allocated
    var slot = shard.slots + home
    while slot < end, slot.pointee.low != 0, slot.pointee.identity < identity { slot += 1 }
    return slot
  }

  /// Every entry, in the order of identities.
  func makeIterator() -> Iterator { Iterator(table: self) }

  struct Iterator: IteratorProtocol {
    fileprivate let table: DedupTable
    private var shard = 0
    private var slot = 0

    fileprivate init(table: DedupTable) { self.table = table }

    mutating func next() -> DedupEntry? {
      while shard < table.shards.count {
        let current = table.shards[shard]
        while slot < current.allocated {
          defer { slot += 1 }
          if current.slots[slot].low != 0 { return current.slots[slot] }
        }
        shard += 1
        slot = 0
      }
      return nil
    }
  }

  private func shardIndex(_ identity: UInt64) -> Int {
    // A shift by 64 would be none; the 24 bits below the identity are zero.
    Int(truncatingIfNeeded: (identity >> 1) >> UInt64(63 - shardBits))
  }

  /// The slot that an identity belongs to: proportional to its bits below those of the shard.
  private func home(_ identity: UInt64, _ capacity: Int) -> Int {
    let local = identity << UInt64(shardBits)
    return Int(truncatingIfNeeded: local.multipliedFullWidth(by: UInt64(capacity)).high)
  }

  /// False where there is no free slot behind the entry's home.
  private func place(_ entry: DedupEntry, _ shard: inout Shard) -> Bool {
    let slot = DedupTable.firstSlot(of: entry.identity, shard, home(entry.identity, shard.capacity))
    return DedupTable.place(entry, at: slot, &shard)
  }

  /// Puts an entry into its slot, and all behind it up to the next hole one further.
  private static func place(
    _ entry: DedupEntry, at slot: UnsafeMutablePointer<DedupEntry>, _ shard: inout Shard
  ) -> Bool {
    let end = shard.slots + shard.allocated
    var hole = slot
    while hole < end, hole.pointee.low != 0 { hole += 1 }
    guard hole < end else { return false }
    while hole > slot {
      hole.pointee = (hole - 1).pointee
      hole -= 1
    }
    slot.pointee = entry
    shard.count += 1
    return true
  }

  private func grow(_ index: Int) {
    let old = shards[index]
    var capacity = old.capacity
    repeat {
      capacity += max(8, capacity / 4)
      shards[index] = DedupTable.makeShard(capacity: capacity)
    } while !append(old, to: index)
    old.slots.deallocate()
  }

  /// Moves the entries of a smaller shard, which keep their order; false where one finds no slot.
  private func append(_ old: Shard, to index: Int) -> Bool {
    var next = 0
    for slot in 0..<old.allocated where old.slots[slot].low != 0 {
      let place = max(next, home(old.slots[slot].identity, shards[index].capacity))
      guard place < shards[index].allocated else {
        shards[index].slots.deallocate()
        return false
      }
      shards[index].slots[place] = old.slots[slot]
      next = place + 1
    }
    shards[index].count = old.count
    return true
  }

  /// Makes 4 shards of each.
  private func split() {
    let old = shards
    shardBits += DedupTable.splitBits
    shards = .allocate(capacity: 1 << shardBits)
    let capacity = DedupTable.capacity(for: count >> shardBits)
    for index in shards.indices {
      shards.initializeElement(at: index, to: DedupTable.makeShard(capacity: capacity))
    }
    for shard in old {
      for slot in 0..<shard.allocated where shard.slots[slot].low != 0 {
        let entry = shard.slots[slot]
        let index = shardIndex(entry.identity)
        while !place(entry, &shards[index]) { grow(index) }
      }
      shard.slots.deallocate()
    }
    old.deallocate()
  }

  /// Filled to three quarters by `count` entries.
  private static func capacity(for count: Int) -> Int {
    max(8, count + count / 3)
  }

  private static func makeShard(capacity: Int) -> Shard {
    let allocated = capacity + 8 + capacity / 64
    let slots = UnsafeMutablePointer<DedupEntry>.allocate(capacity: allocated)
    UnsafeMutableRawPointer(slots).initializeMemory(
      as: UInt8.self, repeating: 0, count: allocated * DedupEntry.byteCount)
    return Shard(slots: slots, capacity: capacity, allocated: allocated, count: 0)
  }
}
