import StackmeterAudit
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// Restatements at the limits, by example.
@Suite(.timeLimit(.minutes(2))) struct RestateExampleTests {
  private static let directory = "/journal"

  private static func event(
    _ id: String, _ quantity: Quantity, hours: Int64 = 0, meter: String = "sum"
  ) -> UsageEvent {
    let start = Sample.start.start.advanced(by: .seconds(hours * 3600))
    return UsageEvent(
      id: id, source: "test",
      series: Series(subscription: "a", meter: meter, resource: Resource(uri: "/r")),
      usageStart: start, usageEnd: start.advanced(by: .seconds(60)), quantity: quantity)
  }

  private static func chunk(_ records: [Record]) -> JournalChunk {
    var bytes: [UInt8] = []
    for record in records {
      record.write(to: &bytes, of: JournalScript.journal, startsCommit: true)
    }
    let next = records.last!.nextPosition
    return JournalChunk(
      records: bytes, nextPosition: next, durablePosition: next,
      journalID: JournalScript.journal.rawValue)
  }

  private static func counter(
    _ store: any UsageStore, _ kind: Aggregation = .sum
  ) throws -> JournalCounter {
    try JournalCounter(
      store: store, catalog: JournalScript.catalog(["sum": kind]), latenessLimitDays: 7)
  }

  /// Restates from these records.
  @discardableResult
  private static func restate(
    _ counter: JournalCounter, _ records: [Record], _ path: String,
    _ limits: RestateStage.Limits = RestateStage.Limits()
  ) throws -> Int {
    let restating = try RestateCounter(
      path: path, try counter.changes(), latenessLimitDays: 7, limits: limits)
    _ = try restating.apply(
      chunk(records).records, of: JournalScript.journal.rawValue,
      upTo: counter.position.nextPosition)
    try restating.stage.finish()
    return try counter.restate(
      restating.stage, fromHour: try #require(restating.fromHour), at: restating.position)
  }

  private static func rows(_ reader: any UsageReader) throws -> [String] {
    try reader.everything.map {
      let window = $0.window.index - Sample.start.index
      return "\(window) \($0.usageStart.hour.index - Sample.start.index) \($0.quantity)"
    }
  }

  private static func disk(_ records: [Record]) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var log = try RecordLog(disk: disk, directory: directory, newID: JournalScript.journal)
    for record in records {
      log.append(record)
      try log.commit()
    }
    log.appendMark()
    try log.commit()
    return disk
  }

  @Test func `a rule may be replaced within a record, and verifies and rebuilds`() async throws {
    try await withTemporaryDirectory { directory in
      let events = (1...4).map { Self.event("\($0)", Quantity(Int32($0))) }
      let time = Sample.start.start
      // As if a transaction had ended in the middle.
      let halves = [
        Sample.record(Array(events[..<2]), at: 1, time: time),
        Sample.record(
          Array(events[2...]), at: 3, time: time.advanced(by: .nanoseconds(2))),
      ]
      let path = "\(directory)/usage.sqlite"
      let store = try SQLiteUsageStore(path: path)
      try Self.counter(store).apply([Self.chunk([halves[0]])])
      let counter = try Self.counter(store, .latest)
      try Self.restate(counter, [Sample.record(events, at: 1, time: time)], "\(directory)/restate")
      try counter.apply([Self.chunk([halves[1]])])
      #expect(try Self.rows(SQLiteUsageReader(store.connection)) == ["0 0 4"])
      let disk = try Self.disk([Sample.record(events, at: 1, time: time)])
      var verification = try Verification(
        reader: SQLiteUsageReader(store.connection), disk: disk, journalDirectory: Self.directory,
        latenessLimitDays: 7)
      let report = try verification.run()
      #expect(report.isGood, "\(report.differences)")
      let new = "\(directory)/new.sqlite"
      _ = try Rebuild(
        place: .file(new), cell: "local", catalog: try MeterCatalog([]),
        old: try SQLiteUsageReader(path: path), latenessLimitDays: 7
      ).run(disk: disk, journalDirectory: Self.directory)
      #expect(try RebuildTests.content(new) == RebuildTests.content(path))
    }
  }

  @Test func `a journal that ends before a restatement makes no database`() async throws {
    try await withTemporaryDirectory { directory in
      let records = (1...3).map {
        Sample.record(
          [Self.event("\($0)", Quantity(1))], at: UInt64($0),
          time: Sample.start.start.advanced(by: .seconds($0)))
      }
      let path = "\(directory)/usage.sqlite"
      let store = try SQLiteUsageStore(path: path)
      try Self.counter(store).apply([Self.chunk(records)])
      try Self.restate(try Self.counter(store, .max), records, "\(directory)/restate")
      let old = try SQLiteUsageReader(path: path)
      #expect(throws: RebuildError.restatedBeyond(position: 4, end: 3)) {
        try Rebuild(
          place: .file("\(directory)/new.sqlite"), cell: "local", catalog: try MeterCatalog([]),
          old: old,
          latenessLimitDays: 7
        ).run(disk: try Self.disk(Array(records[..<2])), journalDirectory: Self.directory)
      }
    }
  }

  @Test func `what may be restated at once is limited, and past it nothing changes`() async throws {
    try await withTemporaryDirectory { directory in
      let events = (0..<6).map { Self.event("\($0)", Quantity(5), hours: -Int64($0 / 2)) }
      let records = [Sample.record(events, at: 1, time: Sample.start.start)]
      let store = try SQLiteUsageStore(path: ":memory:")
      try Self.counter(store).apply([Self.chunk(records)])
      let counter = try Self.counter(store, .max)
      let path = "\(directory)/restate"
      for (limits, sentence) in [
        (RestateStage.Limits(samplesMax: 5), "more than 5 events"),
        (RestateStage.Limits(differencesMax: 2), "more than 2 usage hours"),
      ] {
        let error = #expect(throws: StoreError.self) {
          try Self.restate(counter, records, path, limits)
        }
        #expect(error?.kind == .tooLarge && error?.message.contains(sentence) == true)
      }
      #expect(try store.rules().map(\.number) == [1])
      let reader = SQLiteUsageReader(store.connection)
      #expect(try Self.rows(reader) == ["0 -2 10", "0 -1 10", "0 0 10"])
      let enough = RestateStage.Limits(samplesMax: 6, differencesMax: 3)
      try Self.restate(counter, records, path, enough)
      #expect(try Self.rows(reader) == ["0 -2 5", "0 -1 5", "0 0 5"])
    }
  }

  @Test(arguments: Engine.allCases)
  func `a difference that no aggregate holds is kept aside`(engine: Engine) async throws {
    let directory = try TemporaryDirectory()
    let store: any UsageStore
    let reader: any UsageReader
    switch engine {
    case .sqlite:
      let database = try SQLiteUsageStore(path: ":memory:")
      (store, reader) = (database, SQLiteUsageReader(database.connection))
    case .postgresql:
      let text = try await TestPostgreSQL.database()
      store = try PostgreSQLUsageStore(text)
      reader = try PostgreSQLUsageReader(text, cell: "local")
    }
    let huge = try #require(Quantity(units: .max, attos: 0))
    let records = [
      Sample.record(
        [Self.event("1", huge), Self.event("2", huge)], at: 1, time: Sample.start.start),
      Sample.tick(at: 3, time: Sample.start.start.advanced(by: .seconds(7200))),
    ]
    try Self.counter(store).apply([Self.chunk(records)])
    #expect(try reader.unappliedCount() == 1)
    let counter = try Self.counter(store, .uniqueCount)
    // From twice the greatest quantity to one.
    #expect(try Self.restate(counter, records, "\(directory.path)/restate") == 2)
    let aside = try reader.unapplied(limit: 9)
    #expect(aside.map(\.position) == [2, 2, 2])
    #expect(try Self.rows(reader) == ["0 0 \(Int64.max)", "2 0 0"])
    let total = aside.reduce(huge.attos) { $0 + $1.quantity.attos }
    #expect(total == Quantity.attosPerUnit)
  }

  @Test(arguments: Engine.allCases)
  func `rules are numbered, and say where their differences are`(engine: Engine) async throws {
    let directory = try TemporaryDirectory()
    let store: any UsageStore =
      switch engine {
      case .sqlite: try SQLiteUsageStore(path: ":memory:")
      case .postgresql: try PostgreSQLUsageStore(try await TestPostgreSQL.database())
      }
    let records = [Sample.record([Self.event("1", Quantity(3))], at: 1, time: Sample.start.start)]
    try Self.counter(store).apply([Self.chunk(records)])
    // Twice at one position: both are there.
    for kind in [Aggregation.latest, .uniqueCount] {
      let counter = try Self.counter(store, kind)
      #expect(counter.conflicts.first?.contains("stackmeter restate makes it so") == true)
      try Self.restate(counter, records, "\(directory.path)/restate")
      #expect(counter.conflicts == [])
    }
    let restatement = MeterRule.Restatement(window: Sample.start, fromHour: Hour(index: 0))
    #expect(
      try store.rules() == [
        MeterRule(meter: "sum", fromPosition: 1, aggregation: .sum),
        MeterRule(
          meter: "sum", number: 2, fromPosition: 2, aggregation: .latest, restatement: restatement),
        MeterRule(
          meter: "sum", number: 3, fromPosition: 2, aggregation: .uniqueCount,
          restatement: restatement),
      ])
  }

  @Test func `another spelling of a meter is restated with it`() async throws {
    let directory = try TemporaryDirectory()
    let store = try SQLiteUsageStore(path: ":memory:")
    let events = [
      Self.event("1", Quantity(3)), Self.event("2", Quantity(4), meter: "SUM"),
      Self.event("3", Quantity(5), meter: "SUM"),
    ]
    let records = [Sample.record(events, at: 1, time: Sample.start.start)]
    try JournalCounter(
      store: store, catalog: JournalScript.catalog(["other": .sum]), latenessLimitDays: 7
    ).apply([Self.chunk(records)])
    let counter = try Self.counter(store, .max)
    #expect(try counter.changes().map(\.meter) == ["SUM", "sum"])
    try Self.restate(counter, records, "\(directory.path)/restate")
    #expect(try Self.rows(SQLiteUsageReader(store.connection)).sorted() == ["0 0 3", "0 0 5"])
  }
}
