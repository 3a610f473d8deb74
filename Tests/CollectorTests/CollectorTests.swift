import GRPCCore
import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import CollectorServer

@Suite(.timeLimit(.minutes(1))) struct CollectorTests {
  /// Waits until `condition` holds; the time limit of the suite bounds it.
  private func eventually(_ condition: () -> Bool) async throws {
    while !condition() {
      try Task.checkCancellation()
      await Task.yield()
    }
  }

  @Test func `concurrent reports share their syncs`() async throws {
    let disk = SimulatedDisk()
    disk.setSyncMicroseconds(3000)
    try await withCollector(disk) { collector in
      let before = disk.count(.sync)
      let positions = try await withThrowingTaskGroup(of: UInt64?.self) { group in
        for number in 0..<64 {
          group.addTask {
            try await collector.results([Fixture.batch([Fixture.event("\(number)")])])[0][0]
              .position
          }
        }
        return try await group.reduce(into: Set<UInt64?>()) { $0.insert($1) }
      }
      #expect(positions == Set((1...64).map { $0 }))
      #expect(disk.count(.sync) - before <= 64 / 4)
    }
    #expect(try Fixture.journal(disk).count == 64)
  }

  @Test func `the batches of one report are answered in their order`() async throws {
    try await withCollector { collector in
      let results = try await collector.results([
        Fixture.batch([Fixture.event("1"), Fixture.event("2")]), Fixture.batch([]),
        Fixture.batch([Fixture.event("1")]),
      ])
      #expect(results.map(\.count) == [2, 0, 1])
      #expect(results[2] == [.duplicate(position: 1)])
    }
  }

  @Test(arguments: [SimulatedDisk.Operation.write, .sync], [EIO, ENOSPC])
  func `a failed journal answers unknown, ends the run and loses nothing`(
    operation: SimulatedDisk.Operation, errno: Int32
  ) async throws {
    let disk = SimulatedDisk()
    let clock = SimulatedClock()
    let collector = try makeCollector(disk, clock)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        let error = await #expect(throws: CollectorError.self) { try await collector.run() }
        guard case .journalFailed = error else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
      let first = try? await collector.results([Fixture.batch([Fixture.event("1")])])
      #expect(first?[0][0].isAccepted == true)
      disk.fail([operation], after: 0, errno: errno)
      let unknown = await #expect(throws: CollectorError.self) {
        try await collector.results([Fixture.batch([Fixture.event("2")])])
      }
      #expect(unknown?.rpcErrorCode == .unavailable)
      #expect(unknown?.rpcErrorMessage.hasSuffix("is unknown, so retry") == true)
      await group.waitForAll()
      let refused = await #expect(throws: CollectorError.self) {
        try await collector.results([Fixture.batch([Fixture.event("3")])])
      }
      #expect(refused == .stopping && refused?.rpcErrorCode == .unavailable)
    }
    try await withCollector(disk, clock) { collector in
      let again = try await collector.results([
        Fixture.batch([Fixture.event("1"), Fixture.event("2"), Fixture.event("2")])
      ])[0]
      #expect(again[0] == .duplicate(position: 1))
      #expect(again[1].position == 2 && again[2] == .duplicate(position: 2))
    }
    #expect(try Fixture.journal(disk).map(\.event.id) == ["1", "2"])
  }

  @Test func `without its reserve of disk it refuses, can be read, and goes on by itself`()
    async throws
  {
    let disk = SimulatedDisk()
    try await withCollector(disk) { collector in
      _ = try await collector.results([Fixture.batch([Fixture.event("1")])])
      disk.setFreeBytes(999)
      let error = await #expect(throws: CollectorError.self) {
        try await collector.results([Fixture.batch([Fixture.event("2")])])
      }
      #expect(error == .diskFull(freeBytes: 999, reserveBytes: 1000))
      #expect(error?.rpcErrorCode == .resourceExhausted)
      let message =
        "the journal's disk has 999 bytes free, less than the reserve of 1000; free some space and retry"
      #expect(error?.rpcErrorMessage == message && collector.status().refusing == message)
      let readable = try await read(collector)
      #expect(readable == ["1"])
      disk.setFreeBytes(1000)
      let results = try await collector.results([Fixture.batch([Fixture.event("2")])])
      #expect(results[0][0].position == 2 && collector.status().refusing == "")
    }
  }

  @Test func `more than the queue takes is refused at once`() async throws {
    let disk = SimulatedDisk()
    disk.setFreeBytes(0)
    let collector = try makeCollector(disk, SimulatedClock())
    let batch = Fixture.batch(
      (0..<EventLimits.batchEventsMax).map { Fixture.event("\($0)", meter: "disk") })
    let fitting = Collector.queuedBytesMax / batch.byteCount
    try await withThrowingTaskGroup(of: CollectorError?.self) { group in
      for _ in 0...fitting {
        group.addTask {
          do throws(CollectorError) {
            _ = try await collector.report([batch])
            return nil
          } catch {
            return error
          }
        }
      }
      // The one that did not fit ends first: nobody answers the others before `run`.
      let first = try await group.next()
      #expect(first == .queueFull)
      group.addTask {
        try await collector.run()
        return nil
      }
      for _ in 0..<fitting {
        let answered = try await group.next()
        #expect(answered == .diskFull(freeBytes: 0, reserveBytes: 1000))
      }
      collector.stop()
      try await group.waitForAll()
    }
    #expect(CollectorError.queueFull.rpcErrorCode == .resourceExhausted)
  }

  @Test func `a clock that is wrong at the start makes nothing count twice`() async throws {
    let disk = SimulatedDisk()
    let clock = SimulatedClock()
    try await withCollector(disk, clock) {
      _ = try await $0.report([Fixture.batch([Fixture.event()])])
    }
    clock.advance(by: .seconds(30 * 86_400))
    let collector = try makeCollector(disk, clock)
    clock.advance(by: .seconds(-30 * 86_400))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await collector.run() }
      let results = try await collector.results([Fixture.batch([Fixture.event()])])
      #expect(results == [[.duplicate(position: 1)]])
      collector.stop()
      try await group.waitForAll()
    }
  }

  @Test func `an idle collector ends the hour`() async throws {
    let disk = SimulatedDisk()
    let clock = SimulatedClock()
    try await withCollector(disk, clock) { collector in
      _ = try await collector.results([Fixture.batch([Fixture.event()])])
      clock.advance(by: .seconds(3600))
      try await eventually { collector.status().lastReportedTime == clock.now() }
    }
    #expect(try Fixture.records(disk).map(\.kind).filter { $0 != .mark } == [.batch, .tick])
  }

  @Test func `the status is true from the start`() async throws {
    let disk = SimulatedDisk()
    try await withCollector(disk) { collector in
      _ = try await collector.results([
        Fixture.batch([Fixture.event(), Fixture.event(), Fixture.event("2", meter: "disk")])
      ])
      let status = collector.status()
      #expect(status.accepted == 1 && status.duplicates == 1 && status.refused == 1)
    }
    let status = try makeCollector(disk, SimulatedClock()).status()
    #expect(status.nextPosition == 2 && status.dedupEntries == 1 && status.quarantineEntries == 1)
    #expect(status.lastReportedTime == Fixture.now && status.journalBytes > 100)
    #expect(status.accepted == 0 && status.diskReserveBytes == 1000)
  }

  /// The ids of the events in the journal.
  private func read(_ collector: Collector, from position: UInt64 = 1) async throws -> [String] {
    var ids: [String] = []
    try await collector.readJournal(from: position, follow: false) { chunk in
      for record in try chunk.parsed() where record.kind == .batch {
        let batch = try #require(EventBatch(journalPayload: record.payload))
        ids += (0..<batch.count).map { batch.id($0) }
      }
    }
    return ids
  }

  @Test func `a reader that follows gets what comes, and ends when it is cancelled`() async throws {
    try await withCollector { collector in
      let (positions, sink) = AsyncStream.makeStream(of: UInt64.self)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await collector.readJournal(from: 1, follow: true) { sink.yield($0.nextPosition) }
          sink.finish()
        }
        var iterator = positions.makeAsyncIterator()
        for number in 1...5 as ClosedRange<UInt64> {
          _ = try await collector.results([Fixture.batch([Fixture.event("\(number)")])])
          var next = await iterator.next()
          while let seen = next, seen <= number { next = await iterator.next() }
          #expect(next == number + 1)
        }
        group.cancelAll()
        // The stream ends because the reader does.
        while await iterator.next() != nil {}
        try await group.waitForAll()
      }
    }
  }

  @Test func `a position that the journal never had is an error`() async throws {
    try await withCollector { collector in
      let none = try await read(collector, from: 0)
      #expect(none == [])
      let error = await #expect(throws: CollectorError.self) { try await read(collector, from: 2) }
      #expect(error == .beyondJournal(position: 2, nextPosition: 1))
      #expect(error?.rpcErrorCode == .outOfRange)
    }
  }

  @Test func `a reader of a journal that was made anew is refused, whatever its position`()
    async throws
  {
    /// Reports two events, reads them, and gives the ids of their chunks.
    func ids(_ disk: SimulatedDisk, seed: UInt64, of known: UInt64 = 0) async throws -> Set<UInt64>
    {
      let collector = try makeCollector(disk, SimulatedClock(), seed: seed)
      return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await collector.run() }
        defer { collector.stop() }
        for id in ["1", "2"] {
          _ = try await collector.results([Fixture.batch([Fixture.event(id)])])
        }
        var ids: Set<UInt64> = []
        try await collector.readJournal(from: 1, of: known, follow: false) {
          ids.insert($0.journalID)
        }
        return ids
      }
    }
    let disk = SimulatedDisk()
    let first = try await ids(disk, seed: 1)
    #expect(first.count == 1 && !first.contains(0))
    let known = try #require(first.first)
    // The same journal after a restart, with other random numbers.
    let again = try await ids(disk, seed: 2, of: known)
    #expect(again == first)
    let error = await #expect(throws: CollectorError.self) {
      _ = try await ids(SimulatedDisk(), seed: 2, of: known)
    }
    guard case .otherJournal(let own, let read) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(read.rawValue == known && own != read)
    #expect(error?.rpcErrorCode == .failedPrecondition)
    #expect(
      error?.rpcErrorMessage
        == "this is journal \(own), but the reader has read \(read): "
        + "restore that journal, or rebuild the usage database from this one")
  }

  @Test func `damage that a reader meets is told`() async throws {
    let disk = SimulatedDisk()
    try await withCollector(disk) { collector in
      _ = try await collector.results([Fixture.batch([Fixture.event()])])
      try disk.change("/journal/segment-00000000000000000001.log") { $0[100] ^= 1 }
      let error = await #expect(throws: CollectorError.self) { try await read(collector) }
      #expect(error?.rpcErrorCode == .dataLoss)
      #expect(error?.rpcErrorMessage.contains("checksum mismatch") == true)
    }
  }
}
