import Glibc
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// A journal as the collector might write it, of few series, so that everything meets everything.
struct JournalScript {
  static let journal = LogID(rawValue: 0x8899_AABB_CCDD_EEFF)!
  static let kinds: [String: Aggregation] = [
    "sum": .sum, "max": .max, "latest": .latest, "unique": .uniqueCount,
  ]
  static let catalog = catalog(kinds)

  static func catalog(_ kinds: [String: Aggregation]) -> MeterCatalog {
    try! MeterCatalog(
      kinds.keys.sorted().map {
        Meter(
          id: $0, name: $0, unit: "u", category: "c", resourceProvider: "test",
          aggregation: kinds[$0]!, isBillable: true)
      })
  }

  private(set) var entries: [Reference.Entry] = []
  private(set) var records: [Record] = []
  private var position: UInt64 = 1
  private var time = Sample.start.start
  private let isPast: Bool

  /// `isPast` leaves out usage that ends in the future, as the collector does.
  init(_ random: inout SeededRandom, isPast: Bool = false) {
    self.isPast = isPast
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      // Mostly close to each other, now and then across some hours.
      let step = [1, 1_000_000_000, 1_200_000_000_000, 3_600_000_000_000, 9_000_000_000_000]
        .randomElement(using: &random)!
      time = time.advanced(by: .nanoseconds(Int64.random(in: 1...Int64(step), using: &random)))
      switch Int.random(in: 0..<10, using: &random) {
      case 0: append(Sample.tick(at: position, time: time))
      case 5: hear(&random)
      case 1...4: if !correct(&random) { report(&random) }
      default: report(&random)
      }
    }
  }

  private mutating func append(_ record: Record) {
    records.append(record)
    position = record.nextPosition
    time = record.lastTime
  }

  private static func event(_ id: String, start: Instant, _ random: inout SeededRandom)
    -> UsageEvent
  {
    let length: Int64 = [0, 1, 1_800, 3_600, 7_200, 10_000].randomElement(using: &random)!
    let attos = Int128.random(in: -3...3, using: &random) * 500_000_000_000_000_001
    return UsageEvent(
      id: id, source: "test",
      series: Series(
        subscription: ["a", "b"].randomElement(using: &random)!,
        meter: kinds.keys.sorted().randomElement(using: &random)!, resource: Resource(uri: "/r")),
      usageStart: start, usageEnd: start.advanced(by: .seconds(length)),
      quantity: Quantity(attos: attos)!)
  }

  private func past(_ event: UsageEvent) -> UsageEvent {
    guard isPast else { return event }
    var event = event
    event.usageEnd = min(event.usageEnd, max(event.usageStart, time))
    return event
  }

  /// A batch; some ids are those of earlier events, of another hour.
  private mutating func report(_ random: inout SeededRandom) {
    // A record may lie across the end of an hour.
    if Int.random(in: 0..<6, using: &random) == 0 {
      time = time.hour.end.advanced(by: .nanoseconds(-1))
    }
    var events: [UsageEvent] = []
    for _ in 0..<Int.random(in: 1...5, using: &random) {
      let start = time.advanced(by: .seconds(-Int64.random(in: 0...4, using: &random) * 1_700))
      let id = "\(Int.random(in: 0..<8, using: &random))"
      let event = past(Self.event(id, start: start, &random))
      let isKnown =
        entries.contains { $0.event.identity == event.identity }
        || events.contains { $0.identity == event.identity }
      if !isKnown { events.append(event) }
    }
    guard !events.isEmpty else { return }
    let record = Sample.record(events, at: position, time: time)
    for (index, event) in events.enumerated() {
      entries.append(
        Reference.Entry(
          event: event, window: time.advanced(by: .nanoseconds(Int64(index))).hour,
          position: Int(position) + index))
    }
    append(record)
  }

  /// One of a few sources says something, which may be old, or that it ends.
  private mutating func hear(_ random: inout SeededRandom) {
    let source = ["a", "b", "c"].randomElement(using: &random)!
    let lag = Int64.random(in: -1...9000, using: &random)
    let heartbeat =
      Int.random(in: 0...4, using: &random) == 0
      ? Heartbeat.end(of: source)
      : Heartbeat(
        source: source, cadenceSeconds: [1, 3600].randomElement(using: &random)!,
        completeUntil: time.advanced(by: .seconds(-lag)))
    append(Record(heartbeat, position: position, time: time))
  }

  /// The declared sources, as a plain walk through the journal finds them.
  var sources: SourceTable {
    var table = SourceTable()
    for record in records {
      guard let heartbeat = record.heartbeat else { continue }
      table.take(heartbeat, time: record.firstTime, position: record.firstPosition)
    }
    return table
  }

  /// False where there is nothing left to correct.
  private mutating func correct(_ random: inout SeededRandom) -> Bool {
    let corrected = Set(entries.compactMap(\.event.targetIdentity))
    let open = entries.filter {
      $0.event.correction?.kind != .voids && !corrected.contains($0.event.identity)
    }
    guard let target = open.randomElement(using: &random) else { return false }
    let start = target.event.usageStart
    var event = past(Self.event("c\(position)", start: start, &random))
    if Bool.random(using: &random) {
      // The same usage with another quantity, which is one delta within an hour.
      event.series = target.event.series
      event.usageEnd = target.event.usageEnd
    }
    let isVoid = Bool.random(using: &random)
    event.correction = Correction(isVoid ? .voids : .replaces, target.event.id)
    if isVoid { event = event.canonicalVoid }
    var plain = target.event
    plain.correction = nil
    entries.append(
      Reference.Entry(event: event, window: time.hour, position: Int(position)))
    append(
      Record(
        AppliedCorrection(event, of: plain, at: UInt64(target.position)), position: position,
        time: time))
    return true
  }

  /// The records from `start` on, as the collector streams them.
  func chunk(_ range: Range<Int>) -> JournalChunk {
    var bytes: [UInt8] = []
    for record in records[range] { record.write(to: &bytes, of: Self.journal, startsCommit: true) }
    let next = records[range].last!.nextPosition
    return JournalChunk(
      records: bytes, nextPosition: next, durablePosition: next, journalID: Self.journal.rawValue)
  }
}

@Suite(.timeLimit(.minutes(5))) struct CountingTests {
  /// How many seeds: `STACKMETER_COUNTING_SEEDS`, else 10,000. Each takes a few milliseconds.
  static var seeds: Int {
    getenv("STACKMETER_COUNTING_SEEDS").flatMap { Int(String(cString: $0)) } ?? 10_000
  }

  /// Seeds that are tried at the same time.
  private static let lanes = 2

  @Test func `any journal, cut into any commits with restarts, counts as the reference does`()
    async throws
  {
    var random = try SeededRandom()
    let seeds = [random.seed] + (1..<max(1, Self.seeds)).map { _ in random.next() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lane in 0..<Self.lanes {
        group.addTask {
          for seed in stride(from: lane, to: seeds.count, by: Self.lanes).map({ seeds[$0] }) {
            try Task.checkCancellation()
            do {
              try count(seed)
            } catch {
              throw SeededFailure(seed: seed, cause: error)
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// How many seeds on PostgreSQL: `STACKMETER_POSTGRESQL_SEEDS`, else 40. Each takes some tenths of a second.
  static var postgresqlSeeds: Int {
    getenv("STACKMETER_POSTGRESQL_SEEDS").flatMap { Int(String(cString: $0)) } ?? 40
  }

  @Test func `PostgreSQL counts as the reference does, and closes windows with the same hashes`()
    async throws
  {
    var random = try SeededRandom()
    for number in 0..<Self.postgresqlSeeds {
      let seed = number == 0 ? random.seed : random.next()
      do {
        var random = SeededRandom(seed: seed)
        let script = JournalScript(&random)
        guard !script.records.isEmpty else { continue }
        let text = try await TestPostgreSQL.database()
        let reader: any UsageReader
        do {
          let store = try PostgreSQLUsageStore(text)
          reader = try PostgreSQLUsageReader(text, cell: "local")
          try count(seed, script, store, reader, &random)
        }
        try countAtOnce(script, reader)
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
  }

  private func count(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let script = JournalScript(&random)
    guard !script.records.isEmpty else { return }
    let store = try SQLiteUsageStore(path: ":memory:")
    try count(seed, script, store, SQLiteUsageReader(store.connection), &random)
  }

  /// Counts into a store, with restarts, and compares it with the reference.
  private func count(
    _ seed: UInt64, _ script: JournalScript, _ store: any UsageStore, _ reader: any UsageReader,
    _ random: inout SeededRandom
  ) throws {
    let expected = Reference(kinds: JournalScript.kinds).aggregates(script.entries)
    var counter = try JournalCounter(
      store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
    var closed: [UsageAggregate] = []
    var from = 0
    while from < script.records.count {
      let to = Int.random(in: from + 1...script.records.count, using: &random)
      // Now and then some records come again, as they do after a restart.
      let again = Int.random(in: 0...3, using: &random) == 0 ? max(0, from - 2) : from
      try counter.apply([script.chunk(again..<to)])
      if Bool.random(using: &random) {
        counter = try JournalCounter(
          store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
      }
      let now = try closedRows(reader)
      try #require(Array(now.prefix(closed.count)) == closed)
      closed = now
      from = to
    }
    var counted: [Reference.Key: Quantity] = [:]
    for row in try everything(reader) {
      let key = Reference.Key(
        window: row.window, series: row.series, hour: row.usageStart.hour)
      try #require(counted.updateValue(row.quantity, forKey: key) == nil)
    }
    try #require(counted == expected)
    try #require(try store.sources() == script.sources.all)
    try #require(counter.sources == script.sources)
    if seed % 4 == 0 { try countAtOnce(script, reader) }
    var scrub = UsageScrub(reader)
    while true {
      let step = try scrub.step(rowsMax: 3)
      guard step != .finished else { break }
      try #require(step == .working)
    }
  }

  /// An aggregator that was paused all the time closes the same windows with the same hashes.
  private func countAtOnce(_ script: JournalScript, _ reader: any UsageReader) throws {
    let store = try SQLiteUsageStore(path: ":memory:")
    let counter = try JournalCounter(
      store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
    try counter.apply([script.chunk(0..<script.records.count)])
    let other = SQLiteUsageReader(store.connection)
    try #require(try everything(other) == everything(reader))
    try #require(
      try other.closedWindows(before: nil, limit: 1000)
        == reader.closedWindows(before: nil, limit: 1000))
    try #require(try other.sources() == reader.sources())
    try #require(try windows(other) == windows(reader))
  }

  /// Without the names of cells, which only a database of many cells tells.
  private func everything(_ reader: any UsageReader) throws -> [UsageAggregate] {
    try reader.aggregates(
      windows: Hour(index: 0)..<Hour(index: 1_000_000), granularity: .hourly,
      filter: UsageFilter(subscriptions: nil, meters: nil), after: nil, limit: 100_000
    ).aggregates.map {
      UsageAggregate(
        series: $0.series, usageStart: $0.usageStart, usageEnd: $0.usageEnd, quantity: $0.quantity,
        window: $0.window, isProvisional: $0.isProvisional)
    }
  }

  private func windows(_ reader: any UsageReader) throws -> [ReportingWindow] {
    try reader.windows(before: nil, limit: 1000).map {
      ReportingWindow(
        hour: $0.hour, isClosed: $0.isClosed, aggregates: $0.aggregates,
        missingAtClose: $0.missingAtClose)
    }
  }

  /// What closed windows answer.
  private func closedRows(_ reader: any UsageReader) throws -> [UsageAggregate] {
    try everything(reader).filter { !$0.isProvisional }
  }
}
