import StackmeterAudit
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// Other rules for what is counted already: against the reference, the verification and a rebuild.
@Suite(.timeLimit(.minutes(5))) struct RestateTests {
  private static let journal = "/journal"

  /// A journal, and after how many of its records the catalog says something else.
  private struct Plan {
    let script: JournalScript
    /// Ascending.
    private(set) var changes: [(records: Int, kinds: [String: Aggregation])] = []

    init(_ random: inout SeededRandom, isPast: Bool = false) {
      script = JournalScript(&random, isPast: isPast)
      for records in 1..<max(2, script.records.count + 1) where script.records.count >= records {
        while Int.random(in: 0..<4, using: &random) == 0 {
          let kinds = JournalScript.kinds.mapValues { _ in
            Aggregation.allCases.randomElement(using: &random)!
          }
          changes.append((records, kinds))
        }
      }
    }

    var reference: Reference {
      Reference(
        kinds: JournalScript.kinds,
        restatements: changes.map { change in
          Reference.Restatement(
            kinds: change.kinds, window: script.records[change.records - 1].lastTime.hour,
            position: Int(script.records[change.records - 1].nextPosition))
        })
    }

    /// Files of the journal.
    func disk(segmentBytesMax: Int = 1 << 20) throws -> SimulatedDisk {
      let disk = SimulatedDisk()
      var log = try RecordLog(
        disk: disk, directory: RestateTests.journal, newID: JournalScript.journal,
        segmentBytesMax: segmentBytesMax)
      for record in script.records {
        log.append(record)
        try log.commit()
      }
      log.appendMark()
      try log.commit()
      while let seal = log.nextToSeal { log.didSeal(try seal.run()) }
      return disk
    }

    /// Counts into a store, by a new catalog again and again. What is restated behind the beginning of
    /// the files in `disk`, has the journal from these.
    func count(
      _ store: any UsageStore, _ reader: any UsageReader, _ path: String,
      _ random: inout SeededRandom, from disk: SimulatedDisk? = nil
    ) throws {
      var counter = try JournalCounter(
        store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
      var (from, closed) = (0, [UsageAggregate]())
      for end in script.records.indices.map({ $0 + 1 }) {
        let isChange = changes.contains { $0.records == end }
        guard isChange || end == script.records.count || Bool.random(using: &random) else {
          continue
        }
        try counter.apply([script.chunk(from..<end)])
        from = end
        for change in changes where change.records == end {
          counter = try JournalCounter(
            store: store, catalog: JournalScript.catalog(change.kinds), latenessLimitDays: 7)
          try restate(counter, path, from: disk)
          try #require(try counter.changes().isEmpty && counter.conflicts.isEmpty)
        }
        let now = try reader.everything.filter { !$0.isProvisional }
        try #require(Array(now.prefix(closed.count)) == closed)
        closed = now
      }
    }

    /// Restates what the counter's catalog says, from all records that it has counted, or from what the files have.
    func restate(_ counter: JournalCounter, _ path: String, from disk: SimulatedDisk?) throws {
      let changes = try counter.changes()
      guard !changes.isEmpty else { return }
      let restating = try RestateCounter(path: path, changes, latenessLimitDays: 7)
      let end = counter.position.nextPosition
      let first = try disk.flatMap { try LogTail.firstPosition($0, RestateTests.journal) } ?? 1
      if let disk, first < end,
        let tail = try LogTail.found(disk, RestateTests.journal, withLastCommit: true)
      {
        var reader = LogReader(
          disk: disk, directory: RestateTests.journal, fromPosition: first)
        while let chunk = try reader.next(upTo: tail) {
          if try restating.apply(chunk.bytes, of: chunk.id.rawValue, upTo: end) { break }
        }
      } else {
        let chunk = script.chunk(script.records.indices)
        _ = try restating.apply(chunk.records, of: chunk.journalID, upTo: end)
      }
      try #require(restating.position == end)
      try restating.stage.finish()
      try counter.restate(
        restating.stage, fromHour: try #require(restating.fromHour), at: restating.position)
    }
  }

  /// Compares a database with the reference, and makes its hashes anew.
  private func check(_ plan: Plan, _ reader: any UsageReader) throws {
    var counted: [Reference.Key: Quantity] = [:]
    for row in try reader.everything {
      let key = Reference.Key(window: row.window, series: row.series, hour: row.usageStart.hour)
      try #require(counted.updateValue(row.quantity, forKey: key) == nil)
    }
    let expected = plan.reference.aggregates(plan.script.entries)
    try #require(counted == expected)
    var scrub = UsageScrub(reader)
    while true {
      let step = try scrub.step(rowsMax: 3)
      guard step != .finished else { break }
      try #require(step == .working)
    }
  }

  private func verify(_ plan: Plan, _ disk: SimulatedDisk, _ reader: any UsageReader) throws {
    var verification = try Verification(
      reader: reader, disk: disk, journalDirectory: Self.journal, latenessLimitDays: 7)
    let report = try verification.run()
    try #require(report.isGood, "\(report.differences)")
    try #require(report.incomparableRows == 0 && report.hashes == report.windows)
  }

  @Test func `any journal with any changes of rules counts as the reference does, and verifies`()
    async throws
  {
    var random = try SeededRandom()
    var restated = 0
    try await withTemporaryDirectory { directory in
      for number in 0..<CountingTests.seeds / 4 {
        let seed = number == 0 ? random.seed : random.next()
        do {
          var random = SeededRandom(seed: seed)
          let plan = Plan(&random)
          guard !plan.script.records.isEmpty else { continue }
          let store = try SQLiteUsageStore(path: ":memory:")
          let reader = SQLiteUsageReader(store.connection)
          try plan.count(store, reader, "\(directory)/restate", &random)
          try check(plan, reader)
          try verify(plan, plan.disk(), reader)
          restated += try store.rules().filter { $0.restatement != nil }.count
        } catch {
          throw SeededFailure(seed: seed, cause: error)
        }
      }
    }
    #expect(restated > 0)
  }

  @Test func `a rebuild restates on its way, and makes the same database`() async throws {
    var random = try SeededRandom()
    for number in 0..<CountingTests.seeds / 20 {
      let seed = number == 0 ? random.seed : random.next()
      do {
        var random = SeededRandom(seed: seed)
        let plan = Plan(&random)
        guard !plan.script.records.isEmpty else { continue }
        try await withTemporaryDirectory { directory in
          let (old, new) = ("\(directory)/old.sqlite", "\(directory)/new.sqlite")
          let store = try SQLiteUsageStore(path: old)
          try plan.count(
            store, SQLiteUsageReader(store.connection), "\(directory)/restate", &random)
          let report = try Rebuild(
            place: .file(new), cell: "local", catalog: try MeterCatalog([]),
            old: try SQLiteUsageReader(path: old), latenessLimitDays: 7
          ).run(disk: plan.disk(), journalDirectory: Self.journal)
          let closed = try SQLiteUsageReader(path: new).closedWindows(before: nil, limit: 1000)
          try #require(report.sameWindows == closed.count)
          let (made, was) = (try RebuildTests.content(new), try RebuildTests.content(old))
          let difference = Set(made).symmetricDifference(was)
          try #require(made.count == was.count && difference.isEmpty, "\(difference.sorted())")
        }
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
  }

  @Test func `a journal without its beginning verifies what it can say`() async throws {
    var random = try SeededRandom()
    var (lost, restatedBehind) = (0, 0)
    try await withTemporaryDirectory { directory in
      for number in 0..<CountingTests.seeds / 8 {
        let seed = number == 0 ? random.seed : random.next()
        do {
          var random = SeededRandom(seed: seed)
          let plan = Plan(&random, isPast: true)
          let disk = try plan.disk(segmentBytesMax: 300)
          let sealed = try disk.list(Self.journal).filter { $0.hasSuffix(".sealed") }.sorted()
          guard sealed.count > 2 else { continue }
          for name in sealed.prefix(Int.random(in: 1...sealed.count - 2, using: &random)) {
            try disk.remove("\(Self.journal)/\(name)")
          }
          let store = try SQLiteUsageStore(path: ":memory:")
          let reader = SQLiteUsageReader(store.connection)
          let isRestatedFromIt = Bool.random(using: &random)
          try plan.count(
            store, reader, "\(directory)/restate", &random, from: isRestatedFromIt ? disk : nil)
          var verification = try Verification(
            reader: reader, disk: disk, journalDirectory: Self.journal, latenessLimitDays: 7)
          let report = try verification.run()
          try #require(report.isGood, "\(report.differences)")
          lost += 1
          restatedBehind += try store.rules().filter { $0.restatement?.fromHour.index ?? 0 > 0 }
            .count
        } catch {
          throw SeededFailure(seed: seed, cause: error)
        }
      }
    }
    #expect(lost > 0 && restatedBehind > 0)
  }

  @Test func `PostgreSQL restates the same`() async throws {
    var random = try SeededRandom()
    for number in 0..<CountingTests.postgresqlSeeds / 2 {
      let seed = number == 0 ? random.seed : random.next()
      do {
        var random = SeededRandom(seed: seed)
        let plan = Plan(&random)
        guard !plan.script.records.isEmpty else { continue }
        let text = try await TestPostgreSQL.database()
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/restate"
        let store = try SQLiteUsageStore(path: ":memory:")
        let reader = SQLiteUsageReader(store.connection)
        try plan.count(store, reader, path, &random)
        let other = try PostgreSQLUsageStore(text)
        let others = try PostgreSQLUsageReader(text, cell: "local")
        try plan.count(other, others, path, &random)
        try check(plan, others)
        try verify(plan, plan.disk(), others)
        try #require(try others.everything == reader.everything)
        try #require(try others.rules() == reader.rules())
        try #require(
          try others.closedWindows(before: nil, limit: 1000)
            == reader.closedWindows(before: nil, limit: 1000))
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
  }
}

extension UsageReader {
  /// All aggregates, without the cell, which a database of one cell does not name.
  var everything: [UsageAggregate] {
    get throws {
      try aggregates(
        windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
        filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100_000
      ).aggregates.map {
        UsageAggregate(
          series: $0.series, usageStart: $0.usageStart, usageEnd: $0.usageEnd,
          quantity: $0.quantity, window: $0.window, isProvisional: $0.isProvisional,
          isFinal: $0.isFinal)
      }
    }
  }
}
