import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// What is PostgreSQL's own: many cells, locks, connections that are lost.
@Suite(.timeLimit(.minutes(2))) struct PostgreSQLUsageStoreTests {
  private let everything = UsageFilter(subscriptions: nil, meters: nil)

  private func withText(_ body: (String) throws -> Void) async throws {
    try body(try await TestPostgreSQL.database())
  }

  @Test(arguments: [
    "UPDATE aggregate SET quantity = 9 WHERE reporting_window = 100",
    "DELETE FROM aggregate WHERE reporting_window = 100",
    "INSERT INTO aggregate VALUES (99, 1, 1, 1, 99, 1)",
    "INSERT INTO aggregate VALUES (200, 9, 1, 1, 99, 1)",
    """
    INSERT INTO aggregate SELECT * FROM aggregate
    ON CONFLICT (reporting_window, cell, subscription, series, usage_hour) DO UPDATE SET quantity = 9
    """,
    "UPDATE aggregate SET reporting_window = 100, usage_hour = 1 WHERE reporting_window = 101",
    "TRUNCATE aggregate",
    "UPDATE pipeline SET open_window = 100",
    "UPDATE closed_window SET row_count = 2",
    "DELETE FROM closed_window",
    "INSERT INTO closed_window VALUES (1, 100, 1, 1, 100, '')",
    "INSERT INTO closed_window VALUES (1, 99, 1, 1, 99, '')",
    "TRUNCATE closed_window",
    "UPDATE series SET resource_uri = '/other'",
    "DELETE FROM series",
    "INSERT INTO series SELECT cell, subscription, 7, 0, 100, 0, meter, '', '', '', '' FROM series",
    "TRUNCATE series",
    "UPDATE subscription SET name = 'b'",
    "DELETE FROM subscription",
    "TRUNCATE subscription",
  ])
  func `a closed window refuses every change by hand`(sql: String) async throws {
    try await withText { text in
      let database = try PostgreSQLUsageStore(text)
      try database.commit(
        [
          (100, Sample.series("a"), 100, Quantity(1)), (101, Sample.series("a"), 101, Quantity(2)),
        ], next: 3, open: 101)
      let error = #expect(throws: StoreError.self) { try PostgreSQL(text).execute(sql) }
      #expect(error?.message.contains("closed reporting window never") == true)
      #expect(
        try PostgreSQLUsageReader(text, cell: "local").all().map(\.quantity)
          == [Quantity(1), Quantity(2)])
    }
  }

  @Test func `the schema is the file that is deployed, and other versions are refused`()
    async throws
  {
    let file = try fileContent("\(Cluster.root)/deploy/postgres/schema.sql")
    #expect(String(decoding: file, as: UTF8.self) == PostgreSQLSchema.text)
    try await withText { text in
      let missing = #expect(throws: StoreError.self) {
        _ = try PostgreSQLUsageReader(text, cell: "local")
      }
      #expect(missing?.kind == .missing)
      _ = try PostgreSQLUsageStore(text)
      for (version, kind, words) in [
        (5, StoreError.Kind.newerSchema, "newer"), (1, .olderSchema, "never released"),
      ] {
        try PostgreSQL(text).execute("UPDATE schema_version SET version = \(version)")
        let writing = #expect(throws: StoreError.self) { _ = try PostgreSQLUsageStore(text) }
        let reading = #expect(throws: StoreError.self) {
          _ = try PostgreSQLUsageReader(text, cell: "local")
        }
        for error in [writing, reading] {
          #expect(error?.kind == kind && error?.message.contains(words) == true)
        }
      }
    }
  }

  @Test(arguments: [2, 3])
  func `an older version gets the tables that it lacks, and keeps what it has`(version: Int)
    async throws
  {
    for (name, text) in [(3, PostgreSQLSchema.upgrade), (4, PostgreSQLSchema.upgradeBudgets)] {
      let file = try fileContent("\(Cluster.root)/deploy/postgres/upgrade-\(name).sql")
      #expect(String(decoding: file, as: UTF8.self) == text)
    }
    try await withText { text in
      do {
        let store = try PostgreSQLUsageStore(text)
        try store.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 5)
      }
      // What later versions have added goes.
      try PostgreSQL(text).execute(
        """
        DROP VIEW budgets, alerts;
        DROP TABLE budget, alert;
        DROP FUNCTION alert_is_told_once;
        UPDATE schema_version SET version = 3;
        """)
      if version == 2 {
        try PostgreSQL(text).execute(
          """
          DROP VIEW rate_cards, statements;
          DROP TABLE rate_card, statement, rated_state, posting, posting_use;
          DROP FUNCTION rate_card_is_next, rate_card_stays, statement_is_next, statement_stays,
            rated_state_is_open, posting_use_is_open, posting_stays;
          UPDATE schema_version SET version = 2;
          """)
      }
      let early = #expect(throws: StoreError.self) {
        _ = try PostgreSQLUsageReader(text, cell: "local")
      }
      #expect(early?.kind == .olderSchema)
      #expect(early?.message.contains("the aggregator brings it to 4 when it starts") == true)
      for _ in 1...2 {
        let store = try PostgreSQLUsageStore(text)
        #expect(try store.position().nextPosition == 2)
        #expect(try store.lastStatement(of: 2026) == 0)
      }
      let reader = try PostgreSQLUsageReader(text, cell: "local")
      #expect(try reader.all().map(\.quantity) == [Quantity(1)])
      #expect(try reader.rateCards(named: nil) == [])
      #expect(try reader.alerts(of: nil) == [])
    }
  }

  @Test func `a cell has one writer, and another one may begin when it is gone`() async throws {
    try await withText { text in
      var first: PostgreSQLUsageStore? = try PostgreSQLUsageStore(text, cell: "north")
      try first?.commit([(1, Sample.series("a"), 1, Quantity(1))], next: 2, open: 1)
      let error = #expect(throws: StoreError.self) {
        _ = try PostgreSQLUsageStore(text, cell: "north", lockWait: .milliseconds(50))
      }
      #expect(error?.kind == .otherWriter)
      #expect(error?.message.contains("another aggregator writes cell \"north\"") == true)
      _ = try PostgreSQLUsageStore(text, cell: "south", lockWait: .milliseconds(50))
      first = nil
      let second = try PostgreSQLUsageStore(text, cell: "north")
      #expect(try second.position().nextPosition == 2)
    }
  }

  @Test func `cells count into one database, and questions are about all of them`() async throws {
    try await withText { text in
      let north = try PostgreSQLUsageStore(text, cell: "north")
      let south = try PostgreSQLUsageStore(text, cell: "south")
      let (a, b) = (Sample.series("a"), Sample.series("b"))
      try north.commit(
        [(100, a, 100, Quantity(1)), (101, b, 100, Quantity(2))], next: 3, open: 102)
      let reader = try PostgreSQLUsageReader(text, cell: "south")
      // A cell that has counted nothing yet holds no window open.
      #expect(try reader.windows(before: nil, limit: 9).map(\.isClosed) == [false, true, true])
      // The numbers of the south's subscriptions are its own.
      try south.commit(
        [(100, b, 100, Quantity(4)), (100, a, 99, Quantity(8))], next: 9, open: 101)
      #expect(
        try reader.all().map {
          "\($0.window.index) \($0.cell ?? "") \($0.series.subscription) \($0.quantity)"
            + ($0.isProvisional ? "*" : "")
        } == ["100 north a 1", "100 south b 4", "100 south a 8", "101 north b 2*"])
      var cursor: UsageCursor?
      var paged: [UsageAggregate] = []
      repeat {
        let page = try reader.aggregates(
          windows: Hour(index: 0)..<Hour(index: 200), granularity: .hourly, filter: everything,
          after: cursor, limit: 1)
        paged += page.aggregates
        cursor = page.next
      } while cursor != nil
      #expect(try paged == reader.all())
      let totals = try reader.totals(
        hours: Hour(index: 99)..<Hour(index: 101), byDay: false, bySubscription: true,
        filter: everything, limit: 9)
      #expect(totals.map { "\($0.subscription ?? "") \($0.quantity)" } == ["a 9", "b 6"])
      #expect(totals.map(\.isProvisional) == [false, true])
      let tenant = UsageFilter(subscriptions: ["a"], meters: nil)
      let own = try reader.aggregates(
        windows: Hour(index: 96)..<Hour(index: 120), granularity: .daily, filter: tenant,
        after: nil, limit: 9)
      #expect(own.aggregates.map(\.quantity) == [Quantity(1), Quantity(8)])
      let windows = try reader.windows(before: nil, limit: 9)
      #expect(windows.map(\.hour.index) == [102, 101, 100])
      #expect(windows.map(\.isClosed) == [false, false, true])
      #expect(windows.map(\.aggregates) == [0, 1, 3])
      // Who has a window, and who holds it open.
      #expect(
        windows.map { $0.cells.map { "\($0.cell) \($0.aggregates)" + ($0.isClosed ? "" : "*") } }
          == [
            ["north 0*", "south 0*"], ["north 1", "south 0*"], ["north 1", "south 2"],
          ])
      #expect(try reader.openWindow().index == 101)
      #expect(
        try reader.windows(before: Hour(index: 102), limit: 1).map { $0.cells.count } == [2])
      // Each has its own position and its own chain of hashes.
      #expect(try reader.position().nextPosition == 9)
      #expect(try reader.closedWindows(before: nil, limit: 9).map(\.rowCount) == [2])
      #expect(
        try PostgreSQLUsageReader(text, cell: "north").closedWindows(before: nil, limit: 9)
          .map(\.rowCount) == [1, 1])
      // A cell that is gone for good does not hold windows open.
      try PostgreSQL(text).execute("UPDATE cell SET is_retired = true WHERE name = 'south'")
      #expect(try reader.windows(before: nil, limit: 9).map(\.isClosed) == [false, true, true])
    }
  }

  @Test func `a retired cell takes nothing more`() async throws {
    try await withText { text in
      _ = try PostgreSQLUsageStore(text, cell: "old")
      try PostgreSQL(text).execute("UPDATE cell SET is_retired = true")
      let error = #expect(throws: StoreError.self) {
        _ = try PostgreSQLUsageStore(text, cell: "old")
      }
      #expect(error?.kind == .otherCell)
    }
  }

  @Test func `a connection that is lost loses its transaction, and the next one is complete`()
    async throws
  {
    try await withText { text in
      let database = try PostgreSQLUsageStore(text)
      try database.commit([(100, Sample.series("a"), 100, Quantity(1))], next: 2, open: 100)
      try database.begin()
      let new = NewSeries(
        Sample.series("b"), firstWindow: Hour(index: 100), firstPosition: 2)
      let number = try #require(try database.intern([new])[0])
      let key = SeriesHour(series: number, usageHour: Hour(index: 100))
      try database.put(aggregates: [(key, Quantity(9))], of: Hour(index: 100))
      try PostgreSQL(text).execute(
        "SELECT pg_terminate_backend(\(database.current().connection.serverProcess), 5000)")
      let error = #expect(throws: StoreError.self) {
        try database.commit(Sample.position(3, open: 100))
      }
      #expect(error?.kind == .interrupted)
      // Nothing of it may go on, on a connection that knows nothing of it.
      #expect(throws: StoreError.self) {
        try database.put(rules: [])
        _ = try database.position()
      }
      database.rollback()
      #expect(try database.position().nextPosition == 2)
      try database.commit([(100, Sample.series("b"), 100, Quantity(4))], next: 3, open: 100)
      #expect(
        try PostgreSQLUsageReader(text, cell: "local").all().map(\.quantity)
          == [Quantity(1), Quantity(4)])
    }
  }

  @Test func `a transaction begins only where the last one is known to have ended`() async throws {
    try await withText { text in
      let database = try PostgreSQLUsageStore(text)
      try PostgreSQL(text).execute("UPDATE pipeline SET next_position = 5")
      let error = #expect(throws: StoreError.self) { try database.begin() }
      #expect(error?.kind == .interrupted)
      #expect(try database.position().nextPosition == 5)
      try database.begin()
      database.rollback()
    }
  }

  @Test func `the server gives up a question that takes too long, and answers the next`()
    async throws
  {
    try await withText { text in
      _ = try PostgreSQLUsageStore(text)
      let reader = try PostgreSQLUsageReader(text, cell: "local")
      let error = #expect(throws: StoreError.self) {
        try reader.within(.milliseconds(20)) { (_: any UsageReader) throws(StoreError) in
          try reader.connection.execute("SELECT pg_sleep(60)")
        }
      }
      #expect(error?.kind == .tooSlow)
      #expect(try reader.position().nextPosition == 1)
    }
  }

  @Test func `a reader cannot write`() async throws {
    try await withText { text in
      _ = try PostgreSQLUsageStore(text)
      let reader = try PostgreSQLUsageReader(text, cell: "local")
      let error = #expect(throws: StoreError.self) {
        try reader.connection.execute("UPDATE cell SET is_retired = true")
      }
      #expect(error?.message.contains("read-only") == true)
    }
  }

  @Test func `every quantity and sums beyond them are read as they were written`() async throws {
    try await withText { text in
      let connection = try PostgreSQL(text)
      let values =
        [Quantity.max.attos, 0, 1, 10, 100, 99_999_999, Quantity.attosPerUnit, 123 << 70]
        .flatMap { [$0, -$0] }
      let rows = try connection.query(
        "SELECT unnest($1::numeric[]), unnest($1::numeric[])::numeric(38, 18)",
        [PostgreSQLParameter(attos: values)])
      for (row, attos) in values.enumerated() {
        #expect(try rows.quantity(row, 0).attos == attos)
        #expect(try rows.quantity(row, 1).attos == attos)
      }
      for text in ["9223372036854775808", "1e40", "0.1234567890123456789", "'NaN'", "1e-30"] {
        let row = try connection.query("SELECT \(text)::numeric")
        #expect(throws: StoreError.self) { try row.quantity(0, 0) }
      }
      let texts = ["", "é", "a\"b\\,{}"]
      let back = try connection.query(
        "SELECT unnest($1::text[]), $2::text, $3::bytea, cardinality($4::bigint[])",
        [
          PostgreSQLParameter(texts: texts), PostgreSQLParameter(""),
          PostgreSQLParameter([0, 255]), PostgreSQLParameter(bigints: []),
        ])
      #expect((0..<back.count).map { back.text($0, 0) } == texts)
      #expect(back.isNull(0, 1) == false && back.bytes(0, 2) == [0, 255])
      #expect(back.integer(0, 3) == 0)
    }
  }

  @Test(arguments: [
    "host=/nowhere password=geheim", "host=a geheim", "postgresql://u:geheim@[::1", "geheim",
    "password='geheim",
  ])
  func `what is wrong with a connection string is said without its password`(text: String) {
    let error = #expect(throws: StoreError.self) { _ = try PostgreSQLUsageStore(text) }
    #expect(error?.message.contains("geheim") == false)
    #expect(error?.message.contains("PostgreSQL") == true)
  }
}
