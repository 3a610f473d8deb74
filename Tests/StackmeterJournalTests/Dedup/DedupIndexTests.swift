import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterJournal

/// A journal of single events that knows nothing of bytes, and the index over it.
private struct Model: ~Copyable {
  let disk = SimulatedDisk()
  let limits: DedupIndex.Limits
  /// The event at position 1, 2, …
  var journal: [UsageEvent] = []
  var firstHour = Hour(index: 0)
  var index: DedupIndex

  init(limits: DedupIndex.Limits) throws {
    self.limits = limits
    index = try Model.open(disk, limits, [], Hour(index: 0), key: (1, 2))
  }

  static func open(
    _ disk: SimulatedDisk, _ limits: DedupIndex.Limits, _ journal: [UsageEvent], _ firstHour: Hour,
    key: (UInt64, UInt64)
  ) throws -> DedupIndex {
    var index = try DedupIndex(
      disk: disk, directory: "/dedup", id: LogID(rawValue: 7)!, newKey: key, limits: limits,
      firstHour: firstHour, firstNeeded: 1, logEnd: UInt64(journal.count) + 1
    ) { (position, time) throws(RecordLogError) in
      position <= UInt64(journal.count) && time == Instant(seconds: Int64(position))
    }
    while index.nextPosition <= UInt64(journal.count) {
      let position = index.nextPosition
      let event = journal[Int(position - 1)]
      index.replay(EventBatchBuilder([event]).batches[0].batch, firstPosition: position)
      index.committed(
        nextPosition: position + 1, lastTime: Instant(seconds: Int64(position)))
    }
    return index
  }

  static func digest(_ event: UsageEvent, _ hasher: EventHasher) -> (Hour, EventDigest) {
    let batch = EventBatchBuilder([event]).batches[0].batch
    let digest = hasher.digests(of: batch, series: [hasher.digest(event.series)])[0]
    return (event.usageStart.hour, digest)
  }

  enum Answer: Equatable {
    case new
    case duplicate(UInt64)
    case conflict(UInt64)
  }

  /// What the collector does with the index.
  mutating func report(_ event: UsageEvent) throws -> Answer {
    let (hour, digest) = Model.digest(event, index.hasher)
    let matches = try index.find(hour, digest)
    if let duplicate = matches.duplicate { return .duplicate(duplicate) }
    for position in matches.claims {
      let known = journal[Int(position - 1)]
      if known.id == event.id && known.source == event.source { return .conflict(position) }
    }
    journal.append(event)
    index.insert(hour, digest, position: UInt64(journal.count))
    return .new
  }

  mutating func commit() {
    index.committed(
      nextPosition: UInt64(journal.count) + 1, lastTime: Instant(seconds: Int64(journal.count)))
  }

  mutating func work() throws {
    while let job = index.nextJob() { index.finish(try job.run()) }
  }

  mutating func restart(key: (UInt64, UInt64) = (1, 2)) throws {
    index = try Model.open(disk, limits, journal, firstHour, key: key)
  }
}

/// The index as a plain dictionary.
private struct Reference {
  struct Identity: Hashable {
    let source: String
    let id: String
    let hour: Hour
  }

  var known: [Identity: (position: UInt64, event: UsageEvent)] = [:]

  mutating func report(_ event: UsageEvent, position: UInt64) -> Model.Answer {
    let identity = Identity(source: event.source, id: event.id, hour: event.usageStart.hour)
    if let first = known[identity] {
      return first.event == event ? .duplicate(first.position) : .conflict(first.position)
    }
    known[identity] = (position, event)
    return .new
  }
}

@Suite struct DedupIndexTests {
  private func randomEvent(
    _ random: inout SeededRandom, hours: Range<Int64> = 0..<4, ids: Int = 30
  ) -> UsageEvent {
    let start = Instant(seconds: 3600 * Int64.random(in: hours, using: &random))
    return UsageEvent(
      id: "id\(Int.random(in: 0..<ids, using: &random))",
      source: ["a", "ab"].randomElement(using: &random)!,
      series: Series(
        subscription: "s", meter: "m",
        resource: Resource(uri: "/r\(Int.random(in: 0..<2, using: &random))")),
      usageStart: start, usageEnd: start.advanced(by: .seconds(60)),
      quantity: Quantity(Int32.random(in: 1...2, using: &random)))
  }

  /// Few events in memory and in one file, so that everything happens often.
  private static let small = DedupIndex.Limits(memoryBytes: 24 * 20, recentCountMax: 8)
  private static let large = DedupIndex.Limits(memoryBytes: 1 << 30)

  @Test func `an index with little memory writes its files sooner`() {
    #expect(DedupIndex.Limits(memoryBytes: 1 << 20).recentCountMax == 1092)
    #expect(Self.large.recentCountMax == 1 << 20)
  }

  @Test(arguments: [small, large])
  func `it answers as a plain dictionary does, whatever is on the disk`(
    limits: DedupIndex.Limits
  ) throws {
    try withSeededRandom { random in
      for _ in 0..<10 {
        var model = try Model(limits: limits)
        var reference = Reference()
        for _ in 0..<400 {
          switch Int.random(in: 0..<60, using: &random) {
          case 0:
            let hour = Hour(index: Int64.random(in: 0..<4, using: &random))
            guard hour > model.firstHour else { break }
            model.commit()
            model.firstHour = hour
            model.index.forget(before: hour.start)
            reference.known = reference.known.filter { $0.key.hour >= hour }
          case 1:
            model.commit()
            try model.restart()
          case 2...5:
            model.commit()
            try model.work()
          default:
            let event = randomEvent(&random, hours: model.firstHour.index..<5)
            let answer = try model.report(event)
            let position = UInt64(model.journal.count)
            try #require(answer == reference.report(event, position: position))
          }
          let count = model.index.count
          try #require(count == reference.known.count)
        }
      }
    }
  }

  @Test
  func `without its files, or with any of them damaged, it is made anew and answers the same`()
    throws
  {
    try withSeededRandom { random in
      for _ in 0..<30 {
        var model = try Model(limits: Self.small)
        var events: [UsageEvent] = []
        for _ in 0..<150 {
          let event = randomEvent(&random, ids: 200)
          if try model.report(event) == .new { events.append(event) }
          model.commit()
          try model.work()
        }
        let names = try model.disk.list("/dedup").sorted()
        #expect(names.contains("manifest") && names.contains { $0.hasSuffix(".run") })
        let path = "/dedup/\(try #require(names.randomElement(using: &random)))"
        if Bool.random(using: &random) {
          try model.disk.remove(path)
        } else {
          let size = try model.disk.size(path)
          try model.disk.damage(
            path, at: Int.random(in: 0..<size, using: &random), mask: 4)
        }
        try model.restart(key: (3, 4))
        for (index, event) in events.enumerated() {
          do {
            let answer = try model.report(event)
            try #require(answer == .duplicate(UInt64(index + 1)), "\(path)")
          } catch is DedupError {
            // A page of a run is only read when it is asked for. The process ends, and the next one knows.
            model.index.discard()
            try model.restart(key: (5, 6))
            #expect(try model.report(event) == .duplicate(UInt64(index + 1)))
          }
        }
      }
    }
  }

  @Test func `an index of another history of the journal is made anew`() throws {
    try withSeededRandom { random in
      var model = try Model(limits: Self.small)
      for number in 0..<100 {
        _ = try model.report(randomEvent(&random, ids: 1000 + number))
        model.commit()
        try model.work()
      }
      // A backup of the journal that is older than the index.
      let lost = model.journal.removeLast()
      model.journal.removeLast(40)
      try model.restart()
      #expect(try model.report(lost) == .new)
    }
  }

  @Test func `a crash at any write leaves an index that answers the same`() throws {
    try withSeededRandom { random in
      for unsynced in SimulatedDisk.Unsynced.allCases {
        for step in 0..<60 {
          var model = try Model(limits: Self.small)
          var events: [UsageEvent] = []
          model.disk.fail(
            [.write, .sync, .create, .rename, .remove, .syncDirectory], after: step, errno: 5,
            isLasting: true)
          do {
            while events.count < 200 {
              let event = randomEvent(&random, ids: 10_000)
              if try model.report(event) == .new { events.append(event) }
              model.commit()
              try model.work()
            }
          } catch is DedupError {}
          model.disk.crash(keepingUnsynced: unsynced, &random)
          try model.restart(key: (3, 4))
          for (index, event) in events.enumerated() {
            let answer = try model.report(event)
            try #require(answer == .duplicate(UInt64(index + 1)))
          }
        }
      }
    }
  }

  @Test func `source and id never run into each other`() throws {
    var model = try Model(limits: Self.large)
    var random = SeededRandom(seed: 1)
    var event = randomEvent(&random)
    (event.source, event.id) = ("ab", "c")
    #expect(try model.report(event) == .new)
    (event.source, event.id) = ("a", "bc")
    #expect(try model.report(event) == .new)
  }

  @Test func `the case of a meter makes no conflict and that of a resource does`() throws {
    var model = try Model(limits: Self.large)
    var random = SeededRandom(seed: 1)
    var event = randomEvent(&random)
    #expect(try model.report(event) == .new)
    event.series.meter = "M"
    #expect(try model.report(event) == .duplicate(1))
    event.series.resource.uri = event.series.resource.uri.uppercased()
    #expect(try model.report(event) == .conflict(1))
  }

  @Test func `when jobs cannot be done it says that it is behind`() throws {
    var model = try Model(limits: Self.small)
    var random = SeededRandom(seed: 1)
    var count = 0
    while !model.index.isBehind {
      _ = try model.report(randomEvent(&random, ids: 1_000_000))
      model.commit()
      count += 1
      try #require(count < 100)
    }
    try model.work()
    let isBehind = model.index.isBehind
    #expect(!isBehind)
  }
}
