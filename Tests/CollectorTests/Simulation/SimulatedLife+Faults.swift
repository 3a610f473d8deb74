import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting

@testable import CollectorServer

extension SimulatedLife {
  private static let kinds: [Set<SimulatedDisk.Operation>] = [
    .changes, .changes, .changes, [.read], [.write], [.sync], [.create], [.rename], [.remove],
    [.syncDirectory], [.allocate], [.truncate], [.size], [.list],
  ]

  /// A fault that strikes at one of the next operations.
  mutating func armFault() {
    let kinds = SimulatedLife.kinds.randomElement(using: &random)!
    let after = Int.random(in: 0..<(kinds.count > 1 ? 40 : 12), using: &random)
    let error = chance(3) ? ENOSPC : EIO
    let isLasting = Bool.random(using: &random)
    trace.note("to fail after \(after) of \(kinds): \(error)\(isLasting ? ", for good" : "")")
    disk.fail(kinds, after: after, errno: error, isLasting: isLasting)
  }

  /// What lies between two processes.
  mutating func restart() throws {
    disk.heal()
    if !chance(3) {
      let kept = SimulatedDisk.Unsynced.allCases.randomElement(using: &random)!
      trace.note("the power failed: \(kept)")
      disk.crash(keepingUnsynced: kept, &random)
    }
    // The next process may be disturbed from its start.
    isDisturbed = chance(5)
    rules.knowsDisk = chance(3)
    if chance(8) { try removeIndex() }
    if chance(6) { try flipIndex() }
    if chance(4) { clock.jump(by: .seconds(Int.random(in: -9000...9000, using: &random))) }
    trace.note("a process starts\(isDisturbed ? ", disturbed" : "")")
  }

  /// Removes all or some of the files of the dedup index.
  private mutating func removeIndex() throws {
    guard let names = try? disk.list("/dedup") else { return }
    let isAll = Bool.random(using: &random)
    for name in names where isAll || Bool.random(using: &random) {
      trace.note("remove dedup/\(name)")
      try disk.remove("/dedup/\(name)")
    }
    try disk.syncDirectory("/dedup")
  }

  private mutating func flipIndex() throws {
    guard let name = try? disk.list("/dedup").randomElement(using: &random) else { return }
    guard try flip("/dedup/\(name)", disk) != nil else { return }
    isDedupFlipped = true
  }

  /// Flips a bit of a file; nil where the file is empty.
  private mutating func flip(_ path: String, _ disk: SimulatedDisk) throws -> (Int, UInt8)? {
    let size = try disk.size(path)
    guard size > 0 else { return nil }
    let offset = Int.random(in: 0..<size, using: &random)
    let mask = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
    trace.note("flip \(path) at \(offset)")
    try disk.damage(path, at: offset, mask: mask)
    return (offset, mask)
  }

  /// Flips a bit of the journal, on a copy of the disk: it is found out, or it is where nothing was promised, and
  /// once the bit is as it was, everything is there.
  mutating func checkDamage() throws {
    let copy = disk.copy()
    let names = try copy.list("/journal").filter {
      $0.hasSuffix(".log") || $0.hasSuffix(".sealed")
    }
    guard let name = names.randomElement(using: &random) else { return }
    let path = "/journal/\(name)"
    guard let (offset, mask) = try flip(path, copy) else { return }
    let before = try SimulatedLife.files(copy)
    var isOpened = false
    do {
      let intake = try openIntake(copy)
      isOpened = true
      let records = try SimulatedLife.records(copy, intake.tail)
      let first = try SimulatedLife.firstPosition(copy)
      let known = oracle.records.drop { $0.nextPosition <= first }.drop { record in
        records.first.map { !record.isSame($0) } ?? false
      }
      // The last commit is as torn as one that never ended, as long as nothing is behind it.
      let least = known.count - oracle.lastCommitCount
      try expect(
        records.count >= least && records.count <= known.count
          && zip(records, known).allSatisfy { $0.isSame($1) },
        "a flipped bit in \(path) at \(offset) was not found out, and \(records.count) of "
          + "\(known.count) records are as they were")
    } catch let error as RecordLogError {
      // A flipped bit may look like a version to come.
      guard error.isLasting else {
        throw SimulationProblem("a flipped bit in \(path) at \(offset): \(error)")
      }
      trace.note("found out: \(error)")
      // What the collector did not need to read, only a reader finds out.
      try expect(
        try isOpened || SimulatedLife.files(copy) == before,
        "a flipped bit in \(path) at \(offset) was refused, but something was changed")
      try copy.damage(path, at: offset, mask: mask)
      let records = try SimulatedLife.records(copy, openIntake(copy).tail)
      try expect(
        oracle.records.suffix(records.count).elementsEqual(records) { $0.isSame($1) },
        "after damage to \(path) at \(offset) was undone, records are missing or changed")
    }
  }

  /// What both logs have on the disk.
  private static func files(_ disk: SimulatedDisk) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for directory in ["/journal", "/quarantine"] {
      for name in try disk.list(directory) {
        let path = "\(directory)/\(name)"
        files[path] = try disk.read(path, from: 0, count: .max)
      }
    }
    return files
  }

  /// The journal's records, without what takes no position at the start.
  private static func records(_ disk: SimulatedDisk, _ tail: LogTail) throws -> [Record] {
    let first = try firstPosition(disk)
    return try read(disk, tail).records.filter { $0.nextPosition > first }
  }
}
