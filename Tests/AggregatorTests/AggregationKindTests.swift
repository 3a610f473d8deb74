import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// What each aggregation makes of its events: ties, order, late usage and corrections, by example.
@Suite struct AggregationKindTests {
  /// A counter over a new database, and the journal in front of it.
  private final class Pipeline {
    let store: any UsageStore
    let reader: any UsageReader
    let counter: JournalCounter
    private var position: UInt64 = 1
    private var time = Sample.start.start

    init(_ engine: Engine, seriesMax: Int64 = SeriesNumbers.seriesMax) async throws {
      switch engine {
      case .sqlite:
        let database = try SQLiteUsageStore(path: ":memory:", seriesMax: seriesMax)
        (store, reader) = (database, SQLiteUsageReader(database.connection))
      case .postgresql:
        let text = try await TestPostgreSQL.database()
        store = try PostgreSQLUsageStore(text, seriesMax: seriesMax)
        reader = try PostgreSQLUsageReader(text, cell: "local")
      }
      counter = try JournalCounter(
        store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
    }

    func apply(_ record: Record) throws {
      var bytes: [UInt8] = []
      record.write(to: &bytes, of: JournalScript.journal, startsCommit: true)
      position = record.nextPosition
      time = record.lastTime.advanced(by: .nanoseconds(1))
      try counter.apply([
        .init(
          records: bytes, nextPosition: position, durablePosition: position,
          journalID: JournalScript.journal.rawValue)
      ])
    }

    func report(_ events: UsageEvent...) throws {
      try apply(Sample.record(events, at: position, time: time))
    }

    func correct(_ event: UsageEvent, of target: UsageEvent) throws {
      try apply(
        Record(AppliedCorrection(event, of: target, at: 1), position: position, time: time))
    }

    /// Nothing happens for so many hours.
    func wait(hours: Int64) throws {
      time = time.advanced(by: .seconds(hours * 3600))
      try apply(Sample.tick(at: position, time: time))
    }

    /// Each aggregate as window and usage hour after the start, and quantity.
    var rows: [String] {
      get throws {
        try reader.aggregates(
          windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
          filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100
        ).aggregates.map {
          let window = $0.window.index - Sample.start.index
          let hour = $0.usageStart.hour.index - Sample.start.index
          return "\(window) \(hour) \($0.series.meter) \($0.quantity)"
        }
      }
    }

    /// Position, whole units and reason of what was kept aside.
    var unapplied: [String] {
      get throws {
        if let store = store as? SQLiteUsageStore {
          let select = try store.connection.prepare(
            "SELECT position, units, reason FROM unapplied ORDER BY id")
          var found: [String] = []
          while try select.step() {
            found.append("\(select.integer(0)) \(select.integer(1)) \(select.text(2))")
          }
          return found
        }
        let rows = try postgresql.query(
          "SELECT position, trunc(quantity)::bigint, reason FROM unapplied ORDER BY id")
        return (0..<rows.count).map {
          "\(rows.integer($0, 0)) \(rows.integer($0, 1)) \(rows.text($0, 2))"
        }
      }
    }

    func count(of table: String) throws -> Int64 {
      let sql = "SELECT count(*) FROM \(table)"
      if let store = store as? SQLiteUsageStore {
        let count = try store.connection.prepare(sql)
        _ = try count.step()
        return count.integer(0)
      }
      return try postgresql.query(sql).integer(0, 0)
    }

    private var postgresql: PostgreSQL {
      get throws { try #require(reader as? PostgreSQLUsageReader).connection }
    }
  }

  private func event(
    _ id: String, _ meter: String, _ units: Int32, from seconds: Int64 = 0, for length: Int64 = 60,
    uri: String = "/r"
  ) -> UsageEvent {
    let start = Sample.start.start.advanced(by: .seconds(seconds))
    return UsageEvent(
      id: id, source: "test",
      series: Series(subscription: "a", meter: meter, resource: Resource(uri: uri)),
      usageStart: start, usageEnd: start.advanced(by: .seconds(length)), quantity: Quantity(units))
  }

  private func correction(
    _ kind: Correction.Kind, of target: UsageEvent, by id: String, _ units: Int32 = 0
  ) -> UsageEvent {
    var event = target
    event.id = id
    event.quantity = Quantity(units)
    event.correction = Correction(kind, target.id)
    return kind == .voids ? event.canonicalVoid : event
  }

  @Test(arguments: Engine.allCases)
  func `the greatest counts, also where all are below zero`(engine: Engine) async throws {
    let pipeline = try await Pipeline(engine)
    try pipeline.report(event("1", "max", -5), event("2", "max", -7))
    #expect(try pipeline.rows == ["0 0 max -5"])
    try pipeline.report(event("3", "max", 4), event("4", "max", 3))
    #expect(try pipeline.rows == ["0 0 max 4"])
  }

  @Test(arguments: Engine.allCases)
  func `late usage adds what the level has grown by, or nothing, but has a row`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine)
    try pipeline.report(event("1", "max", 4))
    try pipeline.wait(hours: 2)
    try pipeline.report(event("2", "max", 3))
    #expect(try pipeline.rows == ["0 0 max 4", "2 0 max 0"])
    try pipeline.wait(hours: 1)
    try pipeline.report(event("3", "max", 9))
    #expect(try pipeline.rows == ["0 0 max 4", "2 0 max 0", "3 0 max 5"])
  }

  @Test(arguments: Engine.allCases)
  func `a void of the greatest brings the next one back`(engine: Engine) async throws {
    let pipeline = try await Pipeline(engine)
    let greatest = event("1", "max", 9)
    try pipeline.report(greatest, event("2", "max", 4), event("3", "max", 9))
    try pipeline.wait(hours: 1)
    try pipeline.correct(correction(.voids, of: greatest, by: "v1"), of: greatest)
    #expect(try pipeline.rows == ["0 0 max 9", "1 0 max 0"])
    let other = event("3", "max", 9)
    try pipeline.correct(correction(.voids, of: other, by: "v2"), of: other)
    #expect(try pipeline.rows == ["0 0 max 9", "1 0 max -5"])
  }

  @Test(arguments: Engine.allCases)
  func `the latest is the one that ends last, then starts last, then is reported last`(
    engine: Engine
  )
    async throws
  {
    let pipeline = try await Pipeline(engine)
    try pipeline.report(event("1", "latest", 1, from: 0, for: 600))
    try pipeline.report(event("2", "latest", 2, from: 0, for: 300))
    #expect(try pipeline.rows == ["0 0 latest 1"])
    try pipeline.report(event("3", "latest", 3, from: 300, for: 300))
    #expect(try pipeline.rows == ["0 0 latest 3"])
    try pipeline.report(event("4", "latest", 4, from: 300, for: 300))
    #expect(try pipeline.rows == ["0 0 latest 4"])
    let last = event("4", "latest", 4, from: 300, for: 300)
    try pipeline.correct(correction(.replaces, of: last, by: "r", -8), of: last)
    #expect(try pipeline.rows == ["0 0 latest -8"])
    var replacement = correction(.replaces, of: last, by: "r", -8)
    replacement.correction = nil
    try pipeline.correct(correction(.voids, of: replacement, by: "v"), of: replacement)
    #expect(try pipeline.rows == ["0 0 latest 3"])
  }

  @Test(arguments: Engine.allCases)
  func `a unique count counts each quantity once, however often and late it comes`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine)
    let first = event("1", "unique", 70)
    try pipeline.report(first, event("2", "unique", 70), event("3", "unique", -1))
    #expect(try pipeline.rows == ["0 0 unique 2"])
    try pipeline.wait(hours: 1)
    try pipeline.report(event("4", "unique", 70))
    try pipeline.correct(correction(.voids, of: first, by: "v1"), of: first)
    #expect(try pipeline.rows == ["0 0 unique 2", "1 0 unique 0"])
    for (id, void) in [("2", "v2"), ("4", "v3")] {
      let target = event(id, "unique", 70)
      try pipeline.correct(correction(.voids, of: target, by: void), of: target)
    }
    #expect(try pipeline.rows == ["0 0 unique 2", "1 0 unique -1"])
  }

  @Test(arguments: Engine.allCases)
  func `an event over several hours belongs whole to each, unless it is a sum`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine)
    try pipeline.report(
      event("1", "max", 6, for: 7200), event("2", "sum", 6, for: 7200),
      event("3", "unique", 6, from: 3600, for: 0))
    #expect(
      try pipeline.rows.sorted() == [
        "0 0 max 6", "0 0 sum 3", "0 1 max 6", "0 1 sum 3", "0 1 unique 1",
      ])
  }

  @Test(arguments: Engine.allCases)
  func `the halves of a replacement count by the aggregation of their own meters`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine)
    let target = event("1", "sum", 6, for: 7200)
    try pipeline.report(target, event("2", "max", 5))
    var replacement = event("r", "max", 9)
    replacement.correction = Correction(.replaces, "1")
    try pipeline.wait(hours: 3)
    try pipeline.correct(replacement, of: target)
    #expect(
      try pipeline.rows.sorted() == [
        "0 0 max 5", "0 0 sum 3", "0 1 sum 3", "3 0 max 4", "3 0 sum -3", "3 1 sum -3",
      ])
  }

  @Test(arguments: Engine.allCases)
  func `what cannot be held is kept aside, each time the same event`(engine: Engine) async throws {
    for events in [1, 3] {
      let pipeline = try await Pipeline(engine)
      var huge = [event("1", "sum", 0), event("2", "sum", 0), event("3", "sum", -1)]
      for index in 0...1 { huge[index].quantity = try #require(Quantity(units: .max, attos: 0)) }
      if events == 3 {
        try pipeline.report(huge[0], huge[1], huge[2])
      } else {
        for event in huge { try pipeline.report(event) }
      }
      #expect(try pipeline.rows == ["0 0 sum \(Int64.max - 1)"])
      #expect(try pipeline.unapplied == ["2 \(Int64.max) the aggregate would be too large"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a correction by twice what a quantity holds is kept aside in two parts`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine)
    var target = event("1", "sum", 0)
    target.quantity = try #require(Quantity(units: .max, attos: 0))
    var replacement = correction(.replaces, of: target, by: "r")
    replacement.quantity = try #require(Quantity(units: -.max, attos: 0))
    try pipeline.report(target)
    try pipeline.wait(hours: 1)
    try pipeline.correct(replacement, of: target)
    #expect(try pipeline.rows == ["0 0 sum \(Int64.max)", "1 0 sum 0"])
    let part = "2 \(-Int64.max) the aggregate would be too large"
    #expect(try pipeline.unapplied == [part, part])
    try pipeline.report(event("2", "sum", 1))
    #expect(try pipeline.rows == ["0 0 sum \(Int64.max)", "1 0 sum 1"])
  }

  @Test(arguments: Engine.allCases)
  func `a series without a number is kept aside, and the others are counted`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine, seriesMax: 1)
    try pipeline.report(
      event("1", "sum", 1), event("2", "sum", 2, uri: "/other"), event("3", "max", 4))
    #expect(try pipeline.rows == ["0 0 sum 1"])
    #expect(try pipeline.unapplied.map { $0.prefix(3) } == ["2 2", "3 4"])
    #expect(try pipeline.store.position().nextPosition == 4)
  }

  @Test(arguments: Engine.allCases)
  func `samples go when no correction can reach them, and what comes later is kept aside`(
    engine: Engine
  )
    async throws
  {
    let pipeline = try await Pipeline(engine)
    try pipeline.report(event("1", "max", 4), event("2", "latest", 4))
    try pipeline.wait(hours: 7 * 24 + 48)
    while try !pipeline.counter.maintain(retentionMonths: 0) {}
    try pipeline.report(event("3", "max", 6))
    #expect(try pipeline.rows.last == "216 0 max 2")
    try pipeline.wait(hours: 1)
    while try !pipeline.counter.maintain(retentionMonths: 0) {}
    for table in ["value_sample", "time_sample"] {
      #expect(try pipeline.count(of: table) == 0)
    }
    try pipeline.report(event("4", "max", 7))
    #expect(try pipeline.rows.last == "217 0 max 0")
    #expect(try pipeline.unapplied == ["4 7 the samples of this usage hour are no longer kept"])
  }

  @Test(arguments: Engine.allCases)
  func `a meter that has usage is counted as before, whatever the catalog says`(engine: Engine)
    async throws
  {
    let pipeline = try await Pipeline(engine)
    try pipeline.report(event("1", "max", 4))
    let changed = try MeterCatalog(
      ["max", "latest"].map {
        Meter(
          id: $0, name: $0, unit: "u", category: "c", resourceProvider: "test", aggregation: .sum,
          isBillable: true)
      })
    let counter = try JournalCounter(store: pipeline.store, catalog: changed, latenessLimitDays: 7)
    #expect(counter.conflicts.count == 1)
    #expect(
      counter.conflicts.first?.hasPrefix(
        "meter max is counted as max since journal position 1, but the catalog says sum") == true)
    let meters = try pipeline.reader.meters()
    #expect(meters.map { "\($0.id) \($0.aggregation)" } == ["latest sum", "max max"])
  }
}
