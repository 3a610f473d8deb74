import StackmeterCore
import StackmeterJournal
import StackmeterStore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// What the aggregator makes of heartbeats.
@Suite struct HeartbeatTests {
  private static let catalog = try! MeterCatalog([
    Meter(
      id: "cpu", name: "CPU", unit: "s", category: "Compute", resourceProvider: "test",
      aggregation: .sum, isBillable: true)
  ])
  private static let start = Sample.start.start

  private func counter(_ store: SQLiteUsageStore) throws -> JournalCounter {
    try JournalCounter(store: store, catalog: Self.catalog, latenessLimitDays: 7)
  }

  private func time(_ seconds: Int64) -> Instant { Self.start.advanced(by: .seconds(seconds)) }

  private func chunk(_ records: [Record]) -> JournalChunk {
    var bytes: [UInt8] = []
    for record in records {
      record.write(to: &bytes, of: JournalScript.journal, startsCommit: true)
    }
    let next = records.last!.nextPosition
    return JournalChunk(
      records: bytes, nextPosition: next, durablePosition: next,
      journalID: JournalScript.journal.rawValue)
  }

  private func heartbeat(
    _ source: String, every cadence: UInt32 = 600, until seconds: Int64, at position: UInt64 = 1,
    _ heard: Int64
  ) -> Record {
    Record(
      Heartbeat(source: source, cadenceSeconds: cadence, completeUntil: time(seconds)),
      position: position, time: time(heard))
  }

  @Test func `a window that closes notes the sources that were behind, and keeps to it`() throws {
    let store = try SQLiteUsageStore(path: ":memory:")
    let reader = SQLiteUsageReader(store.connection)
    let counter = try counter(store)
    try counter.apply([
      chunk([
        heartbeat("behind", until: 0, 1), heartbeat("on-time", until: 3000, 2),
        heartbeat("ended", until: 0, 3), heartbeat("hourly", every: 3600, until: 0, 4),
        Record(.end(of: "ended"), position: 1, time: time(5)),
        Sample.record([Sample.event("1")], at: 1, time: time(6)),
        Sample.tick(at: 2, time: time(3600)),
      ])
    ])
    let closed = try #require(try reader.windows(before: nil, limit: 9).last)
    #expect(closed.isClosed && closed.hour == Sample.start)
    #expect(closed.missingAtClose == MissingSources(["behind"]))
    // It is final later, but what it missed when it was closed stays.
    try counter.apply([
      chunk([
        heartbeat("behind", until: 3600, at: 2, 3700),
        heartbeat("on-time", until: 3600, at: 2, 3701),
        heartbeat("hourly", every: 3600, until: 3600, at: 2, 3702),
      ])
    ])
    #expect(try reader.sources().allSatisfy { $0.completeUntil == time(3600) })
    #expect(try reader.sources().map(\.name) == ["behind", "hourly", "on-time"])
    #expect(try reader.windows(before: nil, limit: 9).last?.missingAtClose == closed.missingAtClose)
    for change in ["DELETE FROM window_missing", "UPDATE window_missing SET others = 7"] {
      #expect(throws: StoreError.self) { try store.connection.execute(change) }
    }
  }

  @Test func `a heartbeat that comes again after a restart changes nothing`() throws {
    let store = try SQLiteUsageStore(path: ":memory:")
    let records = [
      heartbeat("a", every: 60, until: 0, 1), heartbeat("a", every: 3600, until: 10, 2),
      Record(.end(of: "b"), position: 1, time: time(3)), heartbeat("b", until: 5, 4),
      Record(.end(of: "b"), position: 1, time: time(5)),
    ]
    try counter(store).apply([chunk(records)])
    let sources = try store.sources()
    #expect(sources.map(\.name) == ["a"] && sources.first?.heardTime == time(2))
    for count in 1...records.count {
      let counter = try counter(store)
      try counter.apply([chunk(Array(records.prefix(count)))])
      #expect(try store.sources() == sources && counter.sources.all == sources)
    }
  }

  @Test func `what a transaction that failed had heard is not heard`() throws {
    let store = try SQLiteUsageStore(path: ":memory:")
    let counter = try counter(store)
    let gap = Sample.record([Sample.event("2")], at: 7, time: time(2))
    let heard = heartbeat("a", until: 0, 1)
    #expect(throws: RollupError.gap(expected: 1, found: 7)) {
      try counter.apply([chunk([heard]), chunk([gap])])
    }
    #expect(try store.sources().isEmpty && counter.sources.isEmpty)
    try counter.apply([chunk([heard])])
    #expect(try store.sources() == counter.sources.all && counter.sources.count == 1)
  }

  @Test func `a heartbeat of no known form stops the aggregator`() throws {
    let counter = try counter(SQLiteUsageStore(path: ":memory:"))
    let broken = Record(
      kind: .heartbeat, count: 0, firstPosition: 1, firstTime: time(1), payload: [1, 0])
    #expect(throws: RollupError.undecodable(position: 1)) { try counter.apply([chunk([broken])]) }
  }
}
