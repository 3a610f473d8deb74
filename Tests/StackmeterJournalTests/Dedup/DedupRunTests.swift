import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct DedupRunTests {
  private let id = LogID(rawValue: 7)!
  private let hour = Hour(index: 5)

  private func table(_ count: Int, _ random: inout SeededRandom) -> (DedupTable, [EventDigest]) {
    let table = DedupTable()
    let digests = (0..<count).map { _ in
      // The same identity now and then, so that its entries cross the borders of pages.
      EventDigest(
        identity: random.next() % 3 == 0 ? 1 << 60 : random.next(), content: random.next())
    }
    for (index, digest) in digests.enumerated() {
      table.insert(DedupEntry(digest, position: UInt64(index + 1)))
    }
    return (table, digests)
  }

  private func write(_ table: DedupTable, _ disk: SimulatedDisk) throws -> DedupRun {
    try disk.makeDirectory("/dedup")
    let file = try disk.create("/dedup/run")
    var writer = DedupRun.Writer(file, hour: hour, expectedCount: table.count, of: id)
    for entry in IteratorSequence(table.makeIterator()) { try writer.append(entry) }
    #expect(try writer.finish() == table.count)
    return try #require(
      try DedupRun(disk, "/dedup/run", hour: hour, count: table.count, of: id))
  }

  @Test(arguments: [1, 254, 255, 256, 3000])
  func `a run answers as the table that it was made of`(count: Int) throws {
    try withSeededRandom { random in
      let (table, digests) = table(count, &random)
      let run = try write(table, SimulatedDisk())
      let others = (0..<300).map { _ in
        EventDigest(identity: random.next(), content: random.next())
      }
      for digest in digests + others {
        var expected = DedupMatches()
        var found = DedupMatches()
        table.find(digest, &expected)
        try run.find(digest, &found)
        try #require(found.duplicate == expected.duplicate)
        try #require(Set(found.claims) == Set(expected.claims))
      }
      var cursor = DedupRun.Cursor(run)
      var read: [DedupEntry] = []
      while let entry = try cursor.next() { read.append(entry) }
      #expect(read == Array(IteratorSequence(table.makeIterator())))
    }
  }

  @Test func `a flipped bit anywhere is found, never a wrong answer`() throws {
    try withSeededRandom { random in
      let disk = SimulatedDisk()
      let (table, digests) = table(600, &random)
      let run = try write(table, disk)
      let size = try disk.size("/dedup/run")
      // All but the padding of the footer.
      for offset in stride(from: 0, to: size - 8, by: 41) {
        let mask: UInt8 = 1 << UInt8.random(in: 0..<8, using: &random)
        try disk.damage("/dedup/run", at: offset, mask: mask)
        if let opened = try DedupRun(disk, run.path, hour: hour, count: run.count, of: id) {
          let error = #expect(throws: DedupError.self, "at byte \(offset)") {
            for digest in digests {
              var matches = DedupMatches()
              try opened.find(digest, &matches)
            }
          }
          #expect(error == .damaged(path: run.path))
        }
        try disk.damage("/dedup/run", at: offset, mask: mask)
      }
    }
  }

  @Test func `a run of another log, hour or count is none`() throws {
    try withSeededRandom { random in
      let disk = SimulatedDisk()
      let run = try write(table(10, &random).0, disk)
      #expect(
        try DedupRun(disk, run.path, hour: hour, count: 10, of: LogID(rawValue: 8)!) == nil)
      #expect(try DedupRun(disk, run.path, hour: hour.next, count: 10, of: id) == nil)
      #expect(try DedupRun(disk, run.path, hour: hour, count: 11, of: id) == nil)
      try disk.change(run.path) { $0.removeLast() }
      #expect(try DedupRun(disk, run.path, hour: hour, count: 10, of: id) == nil)
      try disk.change(run.path) { $0 = [] }
      #expect(try DedupRun(disk, run.path, hour: hour, count: 10, of: id) == nil)
    }
  }
}
