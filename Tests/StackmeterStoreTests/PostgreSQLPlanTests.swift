import StackmeterCore
import StackmeterTesting
import Testing

@testable import StackmeterStore

/// What the questions of query read in a database with a million aggregates of two cells: blocks of the tables and
/// their indexes as PostgreSQL counts them, so that a plan that reads more than the answer needs is found out.
@Suite(.timeLimit(.minutes(5))) struct PostgreSQLPlanTests {
  private static let firstWindow: Int64 = 471_500
  private static let windowCount: Int64 = 100
  private static let subscriptionCount = 1000
  private static let seriesPerSubscription = 5
  private static let openWindow = firstWindow + windowCount

  /// Every series of both cells has an aggregate in every window, and each window is closed.
  private static let content = """
    INSERT INTO cell VALUES (1, 'local'), (2, 'south');
    INSERT INTO pipeline SELECT c, 1000, 0, \(openWindow), 7, 0, 0 FROM generate_series(1, 2) c;
    ALTER TABLE aggregate DISABLE TRIGGER USER; ALTER TABLE closed_window DISABLE TRIGGER USER;
    ALTER TABLE series DISABLE TRIGGER USER; ALTER TABLE window_missing DISABLE TRIGGER USER;
    INSERT INTO subscription SELECT c, s, 'sub-' || s, \(firstWindow)
      FROM generate_series(1, 2) c, generate_series(1, \(subscriptionCount)) s;
    INSERT INTO directory SELECT c, 'sub-' || s, '', '', '', '', 'active'
      FROM generate_series(1, 2) c, generate_series(1, \(subscriptionCount * 2)) s;
    INSERT INTO series SELECT c, s, i, s * 1000 + i, \(firstWindow), 1, 'meter-' || i, '/r/' || i,
        'local', '{}', ''
      FROM generate_series(1, 2) c, generate_series(1, \(subscriptionCount)) s,
        generate_series(1, \(seriesPerSubscription)) i;
    INSERT INTO aggregate SELECT w, c, s, i, w, w % 100 + 0.5
      FROM generate_series(\(firstWindow), \(openWindow - 1)) w, generate_series(1, 2) c,
        generate_series(1, \(subscriptionCount)) s, generate_series(1, \(seriesPerSubscription)) i
      ORDER BY w, c, s, i;
    INSERT INTO closed_window SELECT c, w, 10 + w - \(firstWindow), 5000, w, '\\x00'
      FROM generate_series(\(firstWindow), \(openWindow - 1)) w, generate_series(1, 2) c;
    INSERT INTO window_missing SELECT c, w, '["src-1"]', 0
      FROM generate_series(\(firstWindow), \(openWindow - 1)) w, generate_series(1, 2) c;
    INSERT INTO source SELECT c, 'src-' || i, 3600, 0, 0, 1
      FROM generate_series(1, 2) c, generate_series(1, 1000) i;
    INSERT INTO rule SELECT c, 'meter-' || i, 1, 1, 'sum'
      FROM generate_series(1, 2) c, generate_series(1, \(seriesPerSubscription)) i;
    """

  /// What some statements have read.
  private struct Read: CustomStringConvertible {
    /// Blocks of the table of aggregates and of its index, from wherever they came.
    var aggregateBlocks: Int64
    /// Blocks of all other tables of usage and their indexes.
    var otherBlocks: Int64
    /// How often a whole table of aggregates was read.
    var wholeAggregates: Int64

    var description: String {
      "\(aggregateBlocks) blocks of aggregates, \(wholeAggregates) times all, \(otherBlocks) others"
    }

    init(_ connection: PostgreSQL) throws(StoreError) {
      let rows = try connection.query(
        """
        SELECT coalesce(sum(b.blocks) FILTER (WHERE b.relname = 'aggregate'), 0)::bigint,
          coalesce(sum(b.blocks) FILTER (WHERE b.relname <> 'aggregate'), 0)::bigint,
          (SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'aggregate')
        FROM (SELECT relname, coalesce(heap_blks_read + heap_blks_hit, 0)
            + coalesce(idx_blks_read + idx_blks_hit, 0) AS blocks FROM pg_statio_user_tables) b
        """)
      aggregateBlocks = rows.integer(0, 0)
      otherBlocks = rows.integer(0, 1)
      wholeAggregates = rows.integer(0, 2)
    }

    static func - (left: Read, right: Read) -> Read {
      var difference = left
      difference.aggregateBlocks -= right.aggregateBlocks
      difference.otherBlocks -= right.otherBlocks
      difference.wholeAggregates -= right.wholeAggregates
      return difference
    }
  }

  private struct Place {
    let reader: PostgreSQLUsageReader
    let control: PostgreSQL

    /// What a question reads, once it was asked before, so that no plan of the catalog's is among it.
    func read(_ ask: () throws -> Void) throws -> Read {
      try ask()
      try reader.connection.query("SELECT pg_stat_force_next_flush()")
      let before = try Read(control)
      try ask()
      try reader.connection.query("SELECT pg_stat_force_next_flush()")
      return try Read(control) - before
    }
  }

  private func withPlace(_ body: (Place) throws -> Void) async throws {
    let text = try await TestPostgreSQL.database()
    _ = try PostgreSQLSession(text, schema: nil, cell: "unused", lockWait: .seconds(1))
    let control = try PostgreSQL(text)
    try control.execute(
      """
      ALTER TABLE pipeline DISABLE TRIGGER USER; DELETE FROM pipeline; DELETE FROM cell;
      ALTER TABLE pipeline ENABLE TRIGGER USER
      """)
    // What PostgreSQL does in the background would be counted as read, too.
    try control.execute(
      """
      DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT relname FROM pg_stat_user_tables LOOP
          EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', name);
        END LOOP;
      END $$
      """)
    try control.execute(Self.content)
    try control.execute("VACUUM ANALYZE")
    // What this connection has read itself is counted now, and not among what a question reads.
    try control.query("SELECT pg_stat_force_next_flush()")
    try body(Place(reader: PostgreSQLUsageReader(text, cell: "local"), control: control))
  }

  @Test func `every question reads little more than its answer, whatever the database holds`()
    async throws
  {
    try await withPlace { place in
      let reader = place.reader
      let everything = UsageFilter(subscriptions: nil, meters: nil)
      let tenant = UsageFilter(subscriptions: ["sub-500"], meters: nil)
      let month = Hour(index: Self.firstWindow - 600)..<Hour(index: Self.openWindow + 1)
      let day = Hour(index: Self.firstWindow / 24 * 24 + 48)
      func page(
        _ filter: UsageFilter, _ granularity: Granularity, limit: Int = 1000, expected: Int
      ) throws -> Read {
        var cursor: UsageCursor?
        return try place.read {
          let windows =
            granularity == .hourly ? month : day..<Hour(index: day.index + 24)
          let page = try reader.aggregates(
            windows: windows, granularity: granularity, filter: filter, after: cursor, limit: limit)
          // The second time is another page than the first.
          cursor = page.next ?? cursor
          #expect(page.aggregates.count == expected)
        }
      }
      // A page of an operator is a range of one window or two; a thousand rows are about 10 blocks and their index.
      let operators = try page(everything, .hourly, expected: 1000)
      #expect(operators.wholeAggregates == 0 && operators.aggregateBlocks < 100, "\(operators)")
      // A page of a tenant is a short range in each window; ten rows of the two cells are in each.
      let tenants = try page(tenant, .hourly, limit: 500, expected: 500)
      #expect(tenants.wholeAggregates == 0 && tenants.aggregateBlocks < 3000, "\(tenants)")
      // A day has a thousand series in 24 windows.
      let days = try page(everything, .daily, expected: 1000)
      #expect(days.wholeAggregates == 0 && days.aggregateBlocks < 3000, "\(days)")
      let tenantDay = try page(tenant, .daily, expected: 10)
      #expect(tenantDay.wholeAggregates == 0 && tenantDay.aggregateBlocks < 1000, "\(tenantDay)")

      let hours = Hour(index: Self.firstWindow + 50)..<Hour(index: Self.firstWindow + 60)
      let summary = try place.read {
        let totals = try reader.totals(
          hours: hours, byDay: true, bySubscription: false, filter: tenant, limit: 100)
        #expect(totals.count >= Self.seriesPerSubscription)
      }
      #expect(summary.wholeAggregates == 0 && summary.aggregateBlocks < 1500, "\(summary)")
      let explained = try place.read {
        let basis = try reader.basis(
          subscription: "sub-500", meter: "METER-3", resourceURI: nil,
          usageHour: Hour(index: Self.firstWindow + 20))
        #expect(basis?.windows.count == 1)
      }
      #expect(explained.wholeAggregates == 0 && explained.aggregateBlocks < 800, "\(explained)")
      #expect(explained.otherBlocks < 100, "\(explained)")
      let windows = try place.read {
        let page = try reader.windows(before: nil, limit: 24)
        #expect(page.count == 24)
      }
      #expect(windows.wholeAggregates == 0 && windows.aggregateBlocks < 20, "\(windows)")
      #expect(windows.otherBlocks < 300, "\(windows)")
    }
  }

  @Test func `lists that grow with the installation are read by pages`() async throws {
    try await withPlace { place in
      let reader = place.reader
      let subscriptions = try place.read {
        let page = try reader.subscriptions(ids: nil, after: "sub-2", limit: 5)
        #expect(page.map(\.id) == ["sub-20", "sub-200", "sub-2000", "sub-201", "sub-202"])
      }
      #expect(subscriptions.otherBlocks < 150, "\(subscriptions)")
      let sources = try place.read {
        let all = try reader.sources()
        #expect(all.count == 1000)
      }
      #expect(sources.otherBlocks < 100, "\(sources)")
      let series = try place.read {
        let after = SeriesNumbers.number(500, 2)
        let page = try reader.series(after: after, limit: 100)
        #expect(page.count == 100)
      }
      #expect(series.otherBlocks < 600, "\(series)")
      let rows = try place.read {
        let page = try reader.rows(
          of: Hour(index: Self.firstWindow + 50),
          after: SeriesHour(
            series: SeriesNumbers.number(500, 2), usageHour: Hour(index: Self.firstWindow + 50)),
          limit: 100)
        #expect(page.count == 100)
      }
      #expect(rows.wholeAggregates == 0 && rows.aggregateBlocks < 20, "\(rows)")
      let closed = try place.read {
        let page = try reader.closedWindows(before: Hour(index: Self.openWindow), limit: 10)
        #expect(page.count == 10)
      }
      #expect(closed.otherBlocks < 20 && closed.aggregateBlocks == 0, "\(closed)")
    }
  }
}
