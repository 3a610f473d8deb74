internal import Glibc
internal import StackmeterJournal

/// The bytes of a file, and what of them is durable.
struct SimulatedContent {
  /// What a crash keeps or loses as a whole.
  private static let blockBytes = 64

  private(set) var bytes: [UInt8] = []
  private var durable: [UInt8] = []
  /// What was written since the last sync, in order.
  private var unsynced: [Range<Int>] = []
  /// A sync failed: what it should have covered never becomes durable.
  var hasLostWrites = false

  mutating func write(_ written: ArraySlice<UInt8>, at offset: Int) {
    if bytes.count < offset + written.count { resize(offset + written.count) }
    bytes.overwrite(with: written, at: offset)
    unsynced.append(offset..<offset + written.count)
  }

  /// Cuts the file, or makes it longer by zeros.
  mutating func resize(_ count: Int) {
    if count < bytes.count {
      bytes.removeLast(bytes.count - count)
    } else {
      bytes += [UInt8](repeating: 0, count: count - bytes.count)
    }
  }

  /// Puts other bytes in their place, all of them durable.
  mutating func replace(_ body: (inout [UInt8]) -> Void) {
    body(&bytes)
    durable = bytes
    unsynced = []
  }

  mutating func sync() {
    guard !hasLostWrites else { return }
    // Only what changed: files are mostly zeros.
    if durable.count > bytes.count { durable.removeLast(durable.count - bytes.count) }
    durable += [UInt8](repeating: 0, count: bytes.count - durable.count)
    for range in unsynced { keep(range) }
    unsynced = []
  }

  private mutating func keep(_ range: Range<Int>) {
    let range = range.clamped(to: 0..<min(durable.count, bytes.count))
    durable.overwrite(with: bytes[range], at: range.lowerBound)
  }

  mutating func crash(_ kept: SimulatedDisk.Unsynced, _ random: inout SeededRandom) {
    switch kept {
    case .kept where !hasLostWrites:
      durable = bytes
    case .dropped, .kept:
      break
    case .torn:
      // The size is one of those that it had, or one on the way of a file that grew.
      let sizes = min(durable.count, bytes.count)...max(durable.count, bytes.count)
      let size = Bool.random(using: &random) ? bytes.count : Int.random(in: sizes, using: &random)
      durable = Array(durable.prefix(size))
      durable += [UInt8](repeating: 0, count: size - durable.count)
      for range in unsynced {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockBytes)
        where Bool.random(using: &random) {
          keep(start..<min(start + Self.blockBytes, range.upperBound))
        }
      }
    }
    bytes = durable
    unsynced = []
    hasLostWrites = false
  }
}

extension [UInt8] {
  /// As one copy, which is fast in a debug build too.
  fileprivate mutating func overwrite(with bytes: ArraySlice<UInt8>, at offset: Int) {
    withUnsafeMutableBytes { target in
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + $0.count])
          .copyMemory(from: $0)
      }
    }
  }
}

/// The names of a directory, and the changes to them that are not durable yet.
struct SimulatedDirectory {
  enum Change {
    case add(String, Int)
    case rename(String, String)
    case remove(String)
  }

  private(set) var names: [String: Int] = [:]
  private var durableNames: [String: Int] = [:]
  private var unsynced: [Change] = []

  mutating func apply(_ change: Change) {
    names.apply(change)
    unsynced.append(change)
  }

  mutating func sync() {
    durableNames = names
    unsynced = []
  }

  /// Changes of names become durable in their order: a journaling file system has at least that.
  mutating func crash(_ kept: SimulatedDisk.Unsynced, _ random: inout SeededRandom) {
    let count =
      switch kept {
      case .dropped: 0
      case .kept: unsynced.count
      case .torn: Int.random(in: 0...unsynced.count, using: &random)
      }
    for change in unsynced.prefix(count) { durableNames.apply(change) }
    names = durableNames
    unsynced = []
  }
}

extension [String: Int] {
  fileprivate mutating func apply(_ change: SimulatedDirectory.Change) {
    switch change {
    case .add(let name, let file): self[name] = file
    case .rename(let source, let target): self[target] = removeValue(forKey: source)
    case .remove(let name): self[name] = nil
    }
  }
}

extension Set<SimulatedDisk.Operation> {
  /// All that change what is on the disk.
  package static var changes: Set {
    [
      .makeDirectory, .create, .rename, .remove, .syncDirectory, .allocate, .write, .truncate,
      .sync,
    ]
  }
}

extension SimulatedDisk.State {
  func file(_ path: String, _ operation: String) throws(DiskError) -> Int {
    let (directory, name) = SimulatedDisk.split(path)
    guard let file = directories[directory]?.names[name] else {
      throw DiskError(operation: operation, path: path, errno: ENOENT)
    }
    return file
  }
}
