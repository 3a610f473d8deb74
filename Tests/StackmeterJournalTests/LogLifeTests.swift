import Glibc
import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

/// A log's whole life, with all that makes, seals and removes segments, stopped at each of its changes.
@Suite struct LogLifeTests {
  private struct Life {
    var script = RecordScript()
    /// No more than what is before this may be gone.
    var removable: UInt64 = 1

    mutating func run(_ disk: SimulatedDisk) throws {
      var log = try TestLog.open(disk)
      for group in 0..<9 {
        try log.reserve(500)
        for index in 0...(group % 3) {
          script.append(to: &log, payloadBytes: (group * 37 + index * 11) % 150)
        }
        try log.commit()
        script.noteCommit()
        if group % 2 == 1 {
          log.appendMark()
          try log.commit()
        }
        if group % 4 == 3 { try TestLog.seal(&log) }
        if group == 7 {
          removable = log.nextPosition / 2
          let removal = TestLog.removal(&log, before: removable, Instant(nanoseconds: .max))
          try removal?.run()
        }
      }
    }
  }

  @Test(arguments: SimulatedDisk.Unsynced.allCases)
  func `a crash at any change leaves all that was committed and is not removed`(
    unsynced: SimulatedDisk.Unsynced
  ) throws {
    try withSeededRandom { random in
      for _ in 0..<(unsynced == .torn ? 4 : 1) {
        for index in 0... {
          let disk = SimulatedDisk()
          disk.fail(.changes, after: index, errno: EIO, isLasting: true)
          var life = Life()
          do {
            try life.run(disk)
            try #require(index > 60)
            break
          } catch {}
          disk.crash(keepingUnsynced: unsynced, &random)
          try check(life, disk, "change \(index)")
        }
      }
    }
  }

  @Test(arguments: [EIO, ENOSPC])
  func `one error at any change loses nothing`(errno: Int32) throws {
    try withSeededRandom { random in
      for index in 0... {
        let disk = SimulatedDisk()
        disk.fail(.changes, after: index, errno: errno)
        var life = Life()
        do {
          try life.run(disk)
          // A file that could not be removed after an error is the one thing that may be passed over.
          guard disk.isFaultPending else { continue }
          try #require(index > 60)
          return
        } catch {}
        disk.crash(keepingUnsynced: SimulatedDisk.Unsynced.allCases[index % 3], &random)
        try check(life, disk, "change \(index)")
      }
    }
  }

  private func check(_ life: Life, _ disk: SimulatedDisk, _ place: Comment) throws {
    var log = try TestLog.open(disk)
    let (first, tail) = (log.firstPosition, log.tail)
    try #require(first <= life.removable, place)
    let expected = life.script.appended.filter { $0.position >= first }
    let found = try TestLog.entries(disk, upTo: tail, from: first)
    let dropped = life.script.appended.count - expected.count
    try #require(found.count + dropped >= life.script.committed, place)
    try #require(found == Array(expected.prefix(found.count)), place)
    // It goes on: seals what it can, and takes more.
    try TestLog.seal(&log)
    var more = RecordScript()
    more.append(to: &log, payloadBytes: 40)
    try log.commit()
    let newTail = log.tail
    try #require(
      try TestLog.entries(disk, upTo: newTail, from: first) == found + more.appended, place)
    try #require(!TestLog.names(disk).contains { $0.hasSuffix(".new") }, place)
  }
}
