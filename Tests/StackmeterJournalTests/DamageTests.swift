import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

/// What a disk may do to bytes that were durable: the log is read exactly as it was written, or refused.
@Suite struct DamageTests {
  /// Sealed segments, raw ones and a tail that ends in a mark, of records with random payloads.
  private struct Damageable {
    let disk = SimulatedDisk()
    private(set) var entries: [Entry] = []
    let paths: [String]
    let tail: LogTail

    init(segmentBytesMax: Int, payloadBytes: Int, count: Int) throws {
      var random = SeededRandom(seed: 7)
      var log = try TestLog.open(disk, segmentBytesMax: segmentBytesMax)
      for number in 0..<count {
        let record = Record(
          kind: .batch, count: 2, firstPosition: log.nextPosition,
          firstTime: log.lastTime.advanced(by: .nanoseconds(5)),
          payload: (0..<payloadBytes).map { _ in UInt8.random(in: 1...255, using: &random) })
        entries.append(Entry(record))
        log.append(record)
        try log.commit()
        if number == count / 2 { try TestLog.seal(&log) }
      }
      log.appendMark()
      try log.commit()
      tail = log.tail
      paths = try TestLog.names(disk).map { "/log/\($0)" }
    }

    /// What is read while `path` holds other bytes; nil where it is refused. Nothing else is changed.
    func found(_ path: String, _ change: (inout [UInt8]) -> Void) throws -> [Entry]? {
      let before = try disk.read(path, from: 0, count: .max)
      try disk.change(path, change)
      defer { try? disk.change(path) { $0 = before } }
      do throws(RecordLogError) {
        guard let tail = try RecordLog.tail(disk, TestLog.directory) else { return [] }
        return try TestLog.entries(disk, upTo: tail)
      } catch {
        // A flipped bit may look like a version to come.
        switch error {
        case .damaged, .newer: break
        case .disk, .removed: throw error
        }
        return nil
      }
    }
  }

  @Test func `a flipped bit anywhere changes nothing or is refused`() throws {
    let log = try Damageable(segmentBytesMax: 300, payloadBytes: 60, count: 10)
    try #require(Set(log.paths.map { $0.suffix(4) }).count == 2)
    var (places, refused) = (0, 0)
    for path in log.paths {
      for offset in 0..<(try log.disk.size(path)) {
        for bit in [offset % 2, 2 + offset % 2, 4 + offset % 2, 6 + offset % 2] {
          let found = try log.found(path) { $0[offset] ^= 1 << UInt8(bit) }
          try #require(
            found == nil || found == log.entries, "bit \(bit) of byte \(offset), \(path)")
          places += 1
          refused += found == nil ? 1 : 0
        }
      }
    }
    #expect(places >= 5000 && refused > 2000, "\(refused) of \(places)")
  }

  @Test func `a file that lost its end is refused`() throws {
    let log = try Damageable(segmentBytesMax: 9000, payloadBytes: 4000, count: 8)
    for path in [log.paths[0], log.paths[log.paths.count - 1]] {
      let size = try log.disk.size(path)
      for cut in 1...min(8192, size) {
        let found = try log.found(path) { $0.removeLast(cut) }
        try #require(found == nil, "\(cut) bytes of \(path)")
      }
    }
  }

  @Test func `blocks that are zeroed, swapped or doubled are refused`() throws {
    let log = try Damageable(segmentBytesMax: 24 << 10, payloadBytes: 3000, count: 18)
    let block = 4096
    for path in log.paths {
      let size = try log.disk.size(path)
      let isTail = path == log.paths.last
      let starts = stride(from: 0, to: size - block + 1, by: block)
      for start in starts {
        let zeroed = try log.found(path) { bytes in
          for index in start..<start + block { bytes[index] = 0 }
        }
        try check(zeroed, log, isTail, start..<start + block)
        for other in starts where other != start {
          let doubled = try log.found(path) { bytes in
            bytes.replaceSubrange(other..<other + block, with: bytes[start..<start + block])
          }
          try check(doubled, log, isTail, other..<other + block)
          let swapped = try log.found(path) { bytes in
            let first = Array(bytes[start..<start + block])
            bytes.replaceSubrange(start..<start + block, with: bytes[other..<other + block])
            bytes.replaceSubrange(other..<other + block, with: first)
          }
          try check(swapped, log, isTail, min(start, other)..<max(start, other) + block)
        }
      }
    }
  }

  /// Damage that takes the whole end of the tail with it, the mark too, looks like a tear: it costs the records
  /// that it hit, and never gives another.
  private func check(
    _ found: [Entry]?, _ log: Damageable, _ isTail: Bool, _ damaged: Range<Int>
  ) throws {
    guard let found, found != log.entries else { return }
    try #require(isTail && damaged.upperBound >= log.tail.segmentBytes - Record.frameBytes)
    try #require(found == Array(log.entries.prefix(found.count)))
  }
}
