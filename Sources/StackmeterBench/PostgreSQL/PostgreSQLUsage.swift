internal import StackmeterCore
internal import StackmeterRuntime

/// The rows of a dataset in PostgreSQL: series by number, one index in the order of tenants and one in that of
/// operators, vacuumed and analyzed.
enum PostgreSQLUsage {
  private static let startMax: Duration = .seconds(60)

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

  private static let statements = [
    "tenant_page": """
    \(columns) where a.subscription = $3::integer and a."window" >= $1::integer
      and a."window" < $2::integer
    order by a."window", a.series, a.usage_hour limit 1000
    """,
    "operator_page": """
    \(columns) where a."window" >= $1::integer and a."window" < $2::integer
    order by a."window", a.subscription, a.series, a.usage_hour limit 1000
    """,
    "tenant_summary": """
    select s.meter, sum(a.quantity) from aggregate a join series s on s.id = a.series
    where a.subscription = $3::integer and a."window" >= $1::integer
      and a.usage_hour >= $1::integer and a.usage_hour < $2::integer
    group by s.meter order by s.meter
    """,
    "operator_summary": """
    select s.name, s.meter, sum(a.quantity) from aggregate a join series s on s.id = a.series
    where a."window" >= $1::integer and a.usage_hour >= $1::integer
      and a.usage_hour < $2::integer
    group by s.name, s.meter order by s.name, s.meter
    """,
  ]

  /// Waits until the server answers.
  static func waitUntilReady(_ server: PostgreSQLServer) async throws {
    let begin = ContinuousClock.now
    while true {
      let answer = await blocking {
        Result { () throws(BenchFailure) in _ = try PostgreSQLConnection(server.connectionText) }
      }
      guard case .failure(let failure) = answer else { return }
      try server.checkIsRunning()
      guard ContinuousClock.now - begin < startMax else { throw failure }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// Makes the rows, and gives how long that took and the bytes of the table with its indexes.
  static func load(
    _ dataset: UsageDataset, _ server: PostgreSQLServer
  ) async throws -> (Duration, bytes: UInt64) {
    let answer = await blocking {
      Result { () throws(BenchFailure) -> (Duration, bytes: UInt64) in
        let begin = ContinuousClock.now
        let connection = try PostgreSQLConnection(server.connectionText)
        try connection.execute(schema)
        try connection.execute(series(dataset))
        try connection.execute(rows(dataset))
        for statement in indexes.split(separator: ";\n") {
          try connection.execute(String(statement))
        }
        return (
          ContinuousClock.now - begin,
          try connection.number("select pg_total_relation_size('aggregate')")
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
      Result { () throws(BenchFailure) -> QueryRun.Asked in
        let connection = try PostgreSQLConnection(server.connectionText)
        for (name, statement) in statements { try connection.prepare(name, statement) }
        var asked = QueryRun.Asked()
        for question in questions {
          try Interruption.check()
          let (name, parameters) = statement(question)
          let begin = ContinuousClock.now
          let numbers = try connection.lastColumn(prepared: name, parameters)
          let elapsed = ContinuousClock.now - begin
          asked.latencies.record(elapsed)
          asked.elapsed += elapsed
          asked.rows += numbers.count
          let answer = UsageDataset.Answer(
            rows: numbers.count, nanos: numbers.reduce(0) { $0 + nanos($1) })
          guard answer == question.expected(dataset) else {
            throw BenchFailure("PostgreSQL answered \(question) with \(answer)")
          }
        }
        return asked
      }
    }
    return try answer.get()
  }

  private static func statement(_ question: UsageQuestion) -> (String, [String]) {
    switch question {
    case .page(let range, let subscription), .summary(let range, let subscription):
      let kind = if case .page = question { "page" } else { "summary" }
      let hours = ["\(range.lowerBound)", "\(range.upperBound)"]
      guard let subscription else { return ("operator_\(kind)", hours) }
      return ("tenant_\(kind)", hours + ["\(subscription)"])
    }
  }

  /// Billionths of a decimal with nine digits after the point.
  private static func nanos(_ text: String) -> Int128 {
    Int128(text.filter { $0 != "." }) ?? 0
  }
}
