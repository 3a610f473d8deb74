internal import LocalPostgreSQL
internal import StackmeterCore
internal import StackmeterRuntime
internal import StackmeterStore

/// The rows of a dataset in PostgreSQL: series by number, one index in the order of tenants and one in that of
/// operators, vacuumed and analyzed.
enum PostgreSQLUsage {
  private static let schema = """
    create table series (
      id integer primary key, subscription integer not null, name text not null,
      meter text not null, resource_uri text not null, location text not null, tags text not null);
    create table aggregate (
      "window" integer not null, subscription integer not null, series integer not null,
      usage_hour integer not null, quantity numeric not null);
    """

  private static let indexes = """
    alter table aggregate add primary key ("window", subscription, series, usage_hour);
    create index tenant on aggregate (subscription, "window", series, usage_hour);
    vacuum analyze aggregate;
    vacuum analyze series;
    """

  private static let columns = """
    select a."window", a.usage_hour, s.name, s.meter, s.resource_uri, s.location, s.tags, a.quantity
    from aggregate a join series s on s.id = a.series
    """

  private static let tenantPage = """
    \(columns) where a.subscription = $3::integer and a."window" >= $1::integer
      and a."window" < $2::integer
    order by a."window", a.series, a.usage_hour limit 1000
    """

  private static let operatorPage = """
    \(columns) where a."window" >= $1::integer and a."window" < $2::integer
    order by a."window", a.subscription, a.series, a.usage_hour limit 1000
    """

  private static let tenantSummary = """
    select s.meter, sum(a.quantity) from aggregate a join series s on s.id = a.series
    where a.subscription = $3::integer and a."window" >= $1::integer
      and a.usage_hour >= $1::integer and a.usage_hour < $2::integer
    group by s.meter order by s.meter
    """

  private static let operatorSummary = """
    select s.name, s.meter, sum(a.quantity) from aggregate a join series s on s.id = a.series
    where a."window" >= $1::integer and a.usage_hour >= $1::integer
      and a.usage_hour < $2::integer
    group by s.name, s.meter order by s.name, s.meter
    """

  /// Makes the rows, and gives how long that took and the bytes of the table with its indexes.
  static func load(
    _ dataset: UsageDataset, _ server: PostgreSQLServer
  ) async throws -> (Duration, bytes: UInt64) {
    let answer = await blocking {
      Result { () throws -> (Duration, bytes: UInt64) in
        let begin = ContinuousClock.now
        let connection = try PostgreSQL(server.connectionText())
        try connection.execute(schema)
        try connection.execute(series(dataset))
        try connection.execute(rows(dataset))
        for statement in indexes.split(separator: ";\n") {
          try connection.execute(String(statement))
        }
        return (
          ContinuousClock.now - begin,
          UInt64(
            try connection.query("select pg_total_relation_size('aggregate')").integer(0, 0))
        )
      }
    }
    return try answer.get()
  }

  private static func series(_ dataset: UsageDataset) -> String {
    let rows = dataset.series.enumerated().map { index, series in
      let resource = series.resource
      let texts = [
        series.subscription, series.meter, resource.uri, resource.location, resource.tags,
      ]
      return "(\(index), \(index / dataset.seriesPerSubscription), "
        + texts.map { "'\($0)'" }.joined(separator: ", ") + ")"
    }
    return "insert into series values " + rows.joined(separator: ", ")
  }

  /// The quantities of `UsageDataset.nanos`.
  private static func rows(_ dataset: UsageDataset) -> String {
    func select(_ lag: Int64, _ condition: String) -> String {
      """
      select w, s / \(dataset.seriesPerSubscription), s, w - \(lag),
        ((w * 31::bigint + s * 17::bigint + \(lag)) % 1000 * 1000000000
          + (s * 7919::bigint + w) % 1000000000)::numeric * 0.000000001
      from generate_series(\(dataset.windows.lowerBound), \(dataset.windows.upperBound - 1)) w,
        generate_series(0, \(dataset.series.count - 1)) s \(condition)
      """
    }
    let late = "where (w + s) % \(UsageDataset.lateOneOf) = 0"
    return "insert into aggregate " + select(0, "") + " union all "
      + select(UsageDataset.lateHours, late) + " order by 1"
  }

  /// Asks one question after the other, and compares every answer.
  static func ask(
    _ questions: [UsageQuestion], _ dataset: UsageDataset, _ server: PostgreSQLServer
  ) async throws -> QueryRun.Asked {
    let answer = await blocking {
      Result { () throws -> QueryRun.Asked in
        let connection = try PostgreSQL(server.connectionText())
        var asked = QueryRun.Asked()
        for question in questions {
          try Interruption.check()
          let (statement, quantity, parameters) = statement(question)
          let begin = ContinuousClock.now
          let rows = try connection.query(statement, parameters)
          let elapsed = ContinuousClock.now - begin
          asked.latencies.record(elapsed)
          asked.elapsed += elapsed
          asked.rows += rows.count
          let answer = UsageDataset.Answer(
            rows: rows.count,
            nanos: try (0..<rows.count).reduce(0) {
              $0 + (try rows.quantity($1, quantity).attos / 1_000_000_000)
            })
          guard answer == question.expected(dataset) else {
            throw BenchFailure("PostgreSQL answered \(question) with \(answer)")
          }
        }
        return asked
      }
    }
    return try answer.get()
  }

  /// The statement, the column of its quantities, and its parameters.
  private static func statement(
    _ question: UsageQuestion
  ) -> (String, quantity: Int, [PostgreSQLParameter]) {
    switch question {
    case .page(let range, let subscription):
      (subscription == nil ? operatorPage : tenantPage, 7, parameters(range, subscription))
    case .summary(let range, let subscription):
      (
        subscription == nil ? operatorSummary : tenantSummary, subscription == nil ? 2 : 1,
        parameters(range, subscription)
      )
    }
  }

  private static func parameters(
    _ range: Range<Int64>, _ subscription: Int?
  ) -> [PostgreSQLParameter] {
    [range.lowerBound, range.upperBound].map { PostgreSQLParameter(Int32($0)) }
      + (subscription.map { [PostgreSQLParameter(Int32($0))] } ?? [])
  }
}
