internal import LocalPostgreSQL
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterStore

/// The collector's and the aggregator's work by PostgreSQL: unique events, and a sum for each series and usage
/// hour, both durable when a batch is answered. One statement, and so one transaction, for each batch.
enum PostgreSQLLoad {
  /// The hour comes first in the key, so that what is inserted now lies together.
  private static let schema = """
    create table series (
      id integer primary key, subscription text not null, meter text not null,
      resource_uri text not null, location text not null, tags text not null);
    create table events (
      usage_hour integer not null, source integer not null, id text collate "C" not null,
      series integer not null, usage_start bigint not null, usage_end bigint not null,
      quantity numeric not null, primary key (usage_hour, source, id));
    create table hourly (
      usage_hour integer not null, series integer not null, quantity numeric not null,
      events bigint not null, primary key (usage_hour, series)) with (fillfactor = 50);
    """

  private static let statement = """
    with new as (
      insert into events (usage_hour, source, id, series, usage_start, usage_end, quantity)
      select h, $1::integer, i, s, b, e, q
      from unnest(
        $2::integer[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::numeric[]
      ) as batch (h, i, s, b, e, q)
      on conflict do nothing
      returning usage_hour, series, quantity),
    summed as (
      insert into hourly as total (usage_hour, series, quantity, events)
      select usage_hour, series, sum(quantity), count(*) from new
      group by usage_hour, series order by usage_hour, series
      on conflict (usage_hour, series) do update
      set quantity = total.quantity + excluded.quantity, events = total.events + excluded.events)
    select count(*) from new
    """

  /// What differs from the defaults: room to work in. `fsync`, `synchronous_commit` and `full_page_writes` are on, as
  /// they are by default.
  static let serverSettings = [
    "shared_buffers=1GB", "effective_cache_size=2GB", "work_mem=64MB", "wal_buffers=64MB",
    "max_wal_size=16GB", "checkpoint_timeout=30min", "jit=off",
  ]

  /// Makes the tables and the series.
  static func prepare(_ workload: Workload, _ server: PostgreSQLServer) async throws {
    let made = await blocking {
      Result { () throws(StoreError) in
        try PostgreSQL(server.connectionText()).execute(schema + series(workload))
      }
    }
    try made.get()
  }

  private static func series(_ workload: Workload) -> String {
    let rows = workload.series.enumerated().map { index, series in
      let resource = series.resource
      let texts = [
        series.subscription, series.meter, resource.uri, resource.location, resource.tags,
      ]
      return "(\(index), \(texts.map { "'\($0)'" }.joined(separator: ", ")))"
    }
    return "insert into series values " + rows.joined(separator: ", ")
  }

  /// One reporter with a connection of its own, one batch after the other.
  static func run(
    _ workload: Workload, number: Int, newCount: UInt64, batchEvents: Int,
    _ server: PostgreSQLServer
  ) async throws -> LoadFigures {
    let answer = await blocking {
      Result {
        try report(workload, number, newCount, batchEvents, server.connectionText())
      }
    }
    return try answer.get()
  }

  private static func report(
    _ workload: Workload, _ number: Int, _ newCount: UInt64, _ batchEvents: Int,
    _ connectionText: String
  ) throws -> LoadFigures {
    let connection = try PostgreSQL(connectionText)
    var reporter = Reporter(workload, number: number, inFlight: 1)
    var figures = LoadFigures()
    while reporter.newCount < newCount {
      try Interruption.check()
      let prepared = reporter.next(batchEvents, newMax: newCount - reporter.newCount)
      let parameters = parameters(prepared)
      let sent = ContinuousClock.now
      let accepted = try Self.number(connection.query(statement, parameters))
      figures.latencies.record(ContinuousClock.now - sent)
      guard accepted == prepared.expected.newCount else {
        throw BenchFailure(
          "PostgreSQL took \(accepted) of \(prepared.expected.newCount) new events")
      }
      figures.accepted += accepted
      figures.duplicates += UInt64(prepared.expected.retryCount)
    }
    return figures
  }

  /// The number in the only row and column.
  private static func number(_ rows: PostgreSQLRows) -> UInt64 {
    UInt64(bitPattern: rows.integer(0, 0))
  }

  /// The numbers of the series are known to whoever reports; that costs PostgreSQL nothing here.
  private static func parameters(_ prepared: PreparedBatch) -> [PostgreSQLParameter] {
    let batch = prepared.batch
    return [
      PostgreSQLParameter(Int32(1)),
      PostgreSQLParameter(
        integers: batch.usageStart.map { Int32(Instant(nanoseconds: $0).hour.index) }),
      PostgreSQLParameter(texts: batch.ids, ends: batch.idEnds),
      PostgreSQLParameter(integers: batch.seriesIndex.map { Int32(prepared.series[Int($0)]) }),
      PostgreSQLParameter(bigints: batch.usageStart), PostgreSQLParameter(bigints: batch.usageEnd),
      PostgreSQLParameter(attos: batch.attos),
    ]
  }

  /// Throws where the tables do not hold what was reported; gives the bytes of the database.
  static func check(
    _ figures: LoadFigures, _ server: PostgreSQLServer
  ) async throws -> UInt64 {
    let accepted = figures.accepted
    let answer = await blocking {
      Result { () throws -> UInt64 in
        let connection = try PostgreSQL(server.connectionText())
        let events = try Self.number(connection.query("select count(*) from events"))
        let summed = try Self.number(connection.query("select sum(events)::bigint from hourly"))
        guard events == accepted, summed == accepted else {
          throw BenchFailure(
            "PostgreSQL holds \(events) events and sums of \(summed), not \(accepted)")
        }
        return try Self.number(connection.query("select pg_database_size(current_database())"))
      }
    }
    return try answer.get()
  }
}
