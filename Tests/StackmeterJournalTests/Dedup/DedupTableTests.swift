import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

@Suite struct DedupTableTests {
  @Test(arguments: [0, 1, 7, 100, 5000, 70_000])
  func `it finds all that was inserted, in order, and nothing else`(count: Int) throws {
    try withSeededRandom { random in
      let table = DedupTable(expectedCount: Bool.random(using: &random) ? count : 0)
      var digests: [EventDigest] = []
      for position in 0..<count {
        let digest = EventDigest(identity: random.next(), content: random.next())
        table.insert(DedupEntry(digest, position: UInt64(position + 1)))
        digests.append(digest)
      }
      #expect(table.count == count)
      for (index, digest) in digests.enumerated() {
        var matches = DedupMatches()
        table.find(digest, &matches)
        try #require(matches == DedupMatches(duplicate: UInt64(index + 1)))
      }
      for _ in 0..<1000 {
        var matches = DedupMatches()
        table.find(EventDigest(identity: random.next(), content: 0), &matches)
        try #require(matches == DedupMatches())
      }
      let all = Array(IteratorSequence(table.makeIterator()))
      #expect(all.count == count)
      #expect(zip(all, all.dropFirst()).allSatisfy { $0.identity <= $1.identity })
      #expect(Set(all.map(\.position)).count == count)
    }
  }

  @Test func `identities that crowd at one place are all found`() throws {
    try withSeededRandom { random in
      for _ in 0..<20 {
        let table = DedupTable()
        let base = random.next() & ~0xFFFF_FFFF
        var digests: [EventDigest: [UInt64]] = [:]
        for position in 1...300 as ClosedRange<UInt64> {
          // Few identities with few contents, at the upper end of all too.
          let crowds: [UInt64] = [base, .max & ~0xFFFF_FFFF, 0]
          let identity = crowds.randomElement(using: &random)!
          let digest = EventDigest(
            identity: identity | random.next() % 4 << 24,
            content: random.next() % 3 << 40)
          table.insert(DedupEntry(digest, position: position))
          digests[digest, default: []].append(position)
        }
        for (digest, positions) in digests {
          var matches = DedupMatches()
          table.find(digest, &matches)
          let others = digests.filter { $0.key != digest && $0.key.identity == digest.identity }
          let duplicate = try #require(matches.duplicate)
          try #require(positions.contains(duplicate))
          try #require(Set(matches.claims) == Set(others.values.joined()))
        }
      }
    }
  }

  @Test func `a large table takes at most 24 bytes for each event`() {
    var random = SeededRandom(seed: 1)
    let table = DedupTable()
    for position in 1...400_000 as ClosedRange<UInt64> {
      let digest = EventDigest(identity: random.next(), content: random.next())
      table.insert(DedupEntry(digest, position: position))
      if position > 50_000 && position % 25_000 == 0 {
        #expect(table.byteCount <= Int(position) * 24, "at \(position)")
      }
    }
  }

  @Test func `a filter never misses and is seldom wrong`() {
    var random = SeededRandom(seed: 2)
    var filter = DedupFilter(expectedCount: 20_000)
    let identities = (0..<20_000).map { _ in random.next() & ~0xFF_FFFF }
    for identity in identities { filter.insert(identity) }
    #expect(identities.allSatisfy { filter.mayContain($0) })
    let wrong = (0..<20_000).count { _ in filter.mayContain(random.next() & ~0xFF_FFFF) }
    #expect(wrong < 200, "\(wrong) of 20,000")
    var writer = ByteWriter()
    filter.write(to: &writer)
    #expect(DedupFilter(writer.bytes[...])?.blocks == filter.blocks)
    #expect(DedupFilter([]) == nil && DedupFilter(writer.bytes.dropLast()) == nil)
  }
}
