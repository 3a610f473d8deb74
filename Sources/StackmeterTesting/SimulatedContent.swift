internal import Glibc
internal import StackmeterJournal

/// The bytes of a file that only grows, and how many of them are durable.
struct SimulatedContent {
  /// What a crash keeps or loses as a whole.
  private static let blockBytes = 64

  var bytes: [UInt8] = []
  var durableCount = 0
  /// A sync failed: what it should have covered never becomes durable.
  var hasLostWrites = false

  mutating func sync() {
    if !hasLostWrites { durableCount = bytes.count }
  }

  mutating func crash(_ unsynced: SimulatedDisk.Unsynced, _ random: inout SeededRandom) {
    switch unsynced {
    case .kept where !hasLostWrites:
      break
    case .dropped, .kept:
      bytes.removeLast(bytes.count - durableCount)
    case .torn:
      bytes.removeLast(Int.random(in: 0...(bytes.count - durableCount), using: &random))
      for start in stride(from: durableCount, to: bytes.count, by: SimulatedContent.blockBytes)
      where Bool.random(using: &random) {
        for index in start..<min(start + SimulatedContent.blockBytes, bytes.count) {
          bytes[index] = 0
        }
      }
    }
    durableCount = bytes.count
    hasLostWrites = false
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
    [.makeDirectory, .create, .rename, .remove, .syncDirectory, .write, .sync]
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
