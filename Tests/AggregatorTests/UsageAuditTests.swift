import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// What the audit finds in a usage database that is not what the journal makes.
@Suite(.timeLimit(.minutes(2))) struct UsageAuditTests {
  /// A database that has counted a journal, and the audit of both.
  private final class Audited {
    let store: SQLiteUsageStore
    let reader: SQLiteUsageReader
    let counter: JournalCounter
    var audit: UsageAudit
    private var chunks: [JournalChunk] = []
    private var position: UInt64 = 1
    private var time = Sample.start.start

    init(_ audit: UsageAudit = UsageAudit()) throws {
      store = try SQLiteUsageStore(path: ":memory:")
      reader = SQLiteUsageReader(store.connection)
      counter = try JournalCounter(
        store: store, catalog: JournalScript.catalog, latenessLimitDays: 7)
      self.audit = audit
    }

    func apply(_ chunk: JournalChunk) throws {
      try counter.apply([chunk])
      chunks.append(chunk)
    }

    func apply(_ record: Record) throws {
      var bytes: [UInt8] = []
      record.write(to: &bytes, of: JournalScript.journal, startsCommit: true)
      position = record.nextPosition
      time = record.lastTime.advanced(by: .nanoseconds(1))
      try apply(
        JournalChunk(
          records: bytes, nextPosition: position, durablePosition: position,
          journalID: JournalScript.journal.rawValue))
    }

    /// Events of one of each quantity.
    func report(_ quantities: Int32..., of subscription: String = "a", meter: String = "sum") throws
    {
      let events = quantities.enumerated().map { number, quantity in
        UsageEvent(
          id: "\(position)-\(number)", source: "test",
          series: Series(
            subscription: subscription, meter: meter, resource: Resource(uri: "/r\(number)")),
          usageStart: time, usageEnd: time.advanced(by: .seconds(60)),
          quantity: Quantity(quantity))
      }
      try apply(Sample.record(events, at: position, time: time))
    }

    func closeWindow() throws {
      time = time.hour.end.advanced(by: .seconds(1))
      try apply(Sample.tick(at: position, time: time))
    }

    /// One round; what it found.
    func round() throws -> [String] {
      guard let (positions, journalID) = try audit.begin(reader) else { return [] }
      #expect(journalID == JournalScript.journal.rawValue)
      for chunk in chunks where chunk.nextPosition > positions.lowerBound { try audit.take(chunk) }
      return try audit.finish(reader)
    }

    /// By hand, past the triggers.
    func change(_ sql: String) throws {
      try store.connection.execute(
        "DROP TRIGGER IF EXISTS closed_update; DROP TRIGGER IF EXISTS closed_delete;"
          + "DROP TRIGGER IF EXISTS closed_insert;")
      try store.connection.execute(sql)
    }
  }

  @Test func `any journal, audited after any commits, has no difference`() throws {
    var random = try SeededRandom()
    for _ in 0..<300 {
      let seed = random.next()
      do {
        var random = SeededRandom(seed: seed)
        let script = JournalScript(&random)
        let audited = try Audited()
        var from = 0
        while from < script.records.count {
          let to = Int.random(in: from + 1...script.records.count, using: &random)
          try audited.apply(script.chunk(from..<to))
          if Bool.random(using: &random) { try #require(try audited.round() == []) }
          if Int.random(in: 0..<5, using: &random) == 0 { audited.audit.forget() }
          from = to
        }
        try #require(try audited.round() == [])
      } catch {
        throw SeededFailure(seed: seed, cause: error)
      }
    }
  }

  @Test(arguments: [
    "UPDATE aggregate SET units = units + 1 WHERE rowid_ = 1",
    "DELETE FROM aggregate WHERE rowid_ = 1",
    "INSERT INTO aggregate SELECT window, series, lag + 9, 3, 0 FROM aggregate WHERE rowid_ = 1",
  ])
  func `a row of the open window that is changed, removed or added by hand is told`(
    sql: String
  ) throws {
    let audited = try Audited()
    try audited.report(5, 7)
    #expect(try audited.round() == [])
    try audited.change("CREATE TABLE kept AS SELECT * FROM aggregate")
    let key = "(window, series, lag) IN (SELECT window, series, lag FROM aggregate LIMIT 1)"
    try audited.change(sql.replacing("rowid_ = 1", with: key))
    let found = try audited.round()
    #expect(found.count == 1)
    #expect(found.first?.contains("counts ") == true, "\(found)")
    #expect(found.first?.contains("but the journal accepted 12") == true, "\(found)")
    #expect(found.first?.contains("window \(Sample.start)") == true, "\(found)")
    // As it was again, it is no difference any more.
    try audited.change("DELETE FROM aggregate; INSERT INTO aggregate SELECT * FROM kept")
    #expect(try audited.round() == [])
  }

  @Test func `a row of a closed window that was changed before its round is told from then on`()
    throws
  {
    let audited = try Audited()
    try audited.report(5, 7)
    try audited.closeWindow()
    try audited.report(1)
    try audited.change("UPDATE aggregate SET units = units + 1")
    let found = try audited.round()
    #expect(found.count == 2)
    try audited.closeWindow()
    try audited.report(1)
    #expect(try audited.round().count == 2)
    #expect(try audited.round().count == 2)
    // The scrub finds the same by the hash, whenever the row was changed.
    var scrub = UsageScrub(audited.reader)
    var damage = 0
    while true {
      let step = try scrub.step(rowsMax: 10)
      if step == .finished { break }
      if case .damage = step { damage += 1 }
    }
    #expect(damage == 1)
  }

  @Test func `usage that was moved to another subscription is told though the total is the same`()
    throws
  {
    let audited = try Audited()
    try audited.report(5)
    try audited.report(5, of: "b")
    try audited.report(1, of: "b")
    #expect(try audited.round() == [])
    try audited.change("UPDATE aggregate SET units = 6 - units WHERE units IN (1, 5)")
    #expect(try audited.round().count == 1)
  }

  @Test func `what was kept aside makes a window incomparable, and only that`() throws {
    let audited = try Audited()
    try audited.report(5)
    let key = SeriesHour(series: 1 << 24 + 1, usageHour: Sample.start)
    try audited.store.keepAside([
      UnappliedQuantity(
        window: Sample.start, series: key.series, usageHour: key.usageHour, quantity: Quantity(1),
        position: 1, reason: "test")
    ])
    try audited.change("UPDATE aggregate SET units = units + 1")
    #expect(try audited.round() == [])
    try audited.closeWindow()
    try audited.report(5)
    #expect(try audited.round() == [])
    try audited.change("UPDATE aggregate SET units = 9 WHERE window = \(Sample.start.next.index)")
    #expect(try audited.round().count == 1)
  }

  @Test func `meters that are no sum are not compared`() throws {
    let audited = try Audited()
    try audited.report(5, 7, meter: "max")
    try audited.change("UPDATE aggregate SET units = units + 1")
    #expect(try audited.round() == [])
  }

  @Test func `too many events are passed over up to the window that comes next`() throws {
    let audited = try Audited(UsageAudit(eventsMax: 2))
    try audited.report(5, 7, 9)
    #expect(try audited.audit.begin(audited.reader)?.positions == 4..<4)
    #expect(try audited.round() == [])
    try audited.report(1)
    #expect(try audited.audit.begin(audited.reader)?.positions == 4..<5)
    try audited.change("UPDATE aggregate SET units = units + 1")
    #expect(try audited.round() == [])
    try audited.closeWindow()
    try audited.report(2, 3)
    #expect(try audited.round() == [])
    try audited.change("UPDATE aggregate SET units = 8 WHERE window = \(Sample.start.next.index)")
    #expect(try audited.round().count == 1)
  }

  @Test func `an open window with too many rows is compared once it is closed`() throws {
    let audited = try Audited(UsageAudit(openRowsMax: 2))
    try audited.report(5, 7, 9)
    try audited.change("UPDATE aggregate SET units = units + 1")
    #expect(try audited.round() == [])
    try audited.closeWindow()
    #expect(try audited.round().count == 1)
  }
}
