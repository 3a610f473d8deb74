import LocalPostgreSQL
import StackmeterCore
import StackmeterJournal
import StackmeterTesting
import StackmeterWire
import Testing

@testable import AggregatorServer
@testable import StackmeterStore

/// The counter over PostgreSQL, with a server that is in its way.
@Suite(.timeLimit(.minutes(2))) struct PostgreSQLCountingTests {
  /// One event of quantity 1, and the position after it.
  private func chunk(at position: UInt64, heartbeatOf source: String? = nil) -> JournalChunk {
    let time = Sample.start.start.advanced(by: .seconds(Int64(position)))
    let record = Sample.record(
      [Sample.event("\(position)", Quantity(1))], at: position, time: time)
    var bytes: [UInt8] = []
    if let source {
      let heartbeat = Heartbeat(source: source, cadenceSeconds: 60, completeUntil: time)
      Record(heartbeat, position: position, time: time.advanced(by: .nanoseconds(-1)))
        .write(to: &bytes, of: JournalScript.journal, startsCommit: true)
    }
    record.write(to: &bytes, of: JournalScript.journal, startsCommit: true)
    return JournalChunk(
      records: bytes, nextPosition: record.nextPosition, durablePosition: record.nextPosition,
      journalID: JournalScript.journal.rawValue)
  }

  private func counter(_ text: String) throws -> JournalCounter {
    try JournalCounter(
      store: PostgreSQLUsageStore(text), catalog: JournalScript.catalog, latenessLimitDays: 7)
  }

  private func sum(_ text: String) throws -> [Quantity] {
    try PostgreSQLUsageReader(text, cell: "local").totals(
      hours: Hour(index: 0)..<Hour(index: 1_000_000), byDay: false, bySubscription: false,
      filter: UsageFilter(subscriptions: nil, meters: nil), limit: 9
    ).map(\.quantity)
  }

  @Test(arguments: ["40001", "40P01"])
  func `what another transaction was in the way of is counted anew, once`(state: String)
    async throws
  {
    let text = try await TestPostgreSQL.database()
    let counter = try counter(text)
    try counter.apply([chunk(at: 1)])
    // A sequence does not go back with its transaction, so the second attempt passes.
    try PostgreSQL(text).execute(
      """
      CREATE SEQUENCE attempt;
      CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('attempt') % 3 <> 0 THEN RAISE EXCEPTION 'x' USING ERRCODE = '\(state)'; END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER fail AFTER UPDATE ON pipeline FOR EACH ROW EXECUTE FUNCTION fail();
      """)
    try counter.apply([chunk(at: 2)])
    try counter.apply([chunk(at: 3)])
    #expect(counter.position.nextPosition == 4)
    #expect(try sum(text) == [Quantity(3)])
    #expect(try PostgreSQL(text).query("SELECT last_value FROM attempt").integer(0, 0) == 6)
  }

  @Test func `a server that stays in the way is an error, and nothing is counted`() async throws {
    let text = try await TestPostgreSQL.database()
    let counter = try counter(text)
    try PostgreSQL(text).execute(
      """
      CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$;
      CREATE TRIGGER fail AFTER UPDATE ON pipeline FOR EACH ROW EXECUTE FUNCTION fail();
      """)
    let error = #expect(throws: StoreError.self) { try counter.apply([chunk(at: 1)]) }
    #expect(error?.kind == .interrupted)
    #expect(try sum(text) == [])
    try PostgreSQL(text).execute("DROP TRIGGER fail ON pipeline")
    try counter.apply([chunk(at: 1)])
    #expect(try sum(text) == [Quantity(1)])
  }

  @Test func `a server that crashed and came back is counted into from where it is`() async throws {
    let server = try await PostgreSQLServer.start(
      below: "/var/tmp", settings: TestPostgreSQL.settings)
    let text = server.connectionText()
    let counter = try counter(text)
    for position in UInt64(1)...4 {
      try counter.apply([chunk(at: position)])
      try await server.crash()
    }
    try await server.stop()
    #expect(throws: StoreError.self) { try counter.apply([chunk(at: 5)]) }
    try await server.start()
    // All of it comes again, as after a reconnection to the collector.
    try counter.apply((1...5).map { chunk(at: $0) })
    #expect(try sum(text) == [Quantity(5)])
  }

  @Test func `a commit whose answer never came is counted once`() async throws {
    let server = try await PostgreSQLServer.start(
      below: "/var/tmp", settings: TestPostgreSQL.settings)
    let text = server.connectionText()
    nonisolated(unsafe) let counter = try counter(text)
    try counter.apply([chunk(at: 1)])
    // The server commits, and waits for a standby that never comes before it answers.
    let control = try PostgreSQL(text)
    try control.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try control.execute("SELECT pg_reload_conf()")
    _ = try await eventually {
      try PostgreSQL(text).query("SHOW synchronous_standby_names").text(0, 0) == "nobody"
        ? true : nil
    }
    let second = chunk(at: 2, heartbeatOf: "vm")
    let counting = Task.detached { try counter.apply([second]) }
    _ = try await eventually {
      try control.query(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'
        """
      ).count == 1 ? true : nil
    }
    try control.execute("ALTER SYSTEM RESET synchronous_standby_names")
    try control.execute("SELECT pg_reload_conf()")
    try await counting.value
    #expect(counter.position.nextPosition == 3)
    #expect(try sum(text) == [Quantity(2)])
    // What the commit has done to the sources is known, too.
    #expect(counter.sources.all.map(\.name) == ["vm"])
    #expect(try PostgreSQLUsageReader(text, cell: "local").sources() == counter.sources.all)
  }
}
