internal import GRPCCore
internal import LocalPostgreSQL
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterStore
internal import StackmeterWire

/// One run of `stackmeter-bench query`.
struct QueryRun: Sendable {
  private let options: QueryOptions

  init(_ options: QueryOptions) {
    self.options = options
  }

  /// How long questions took, and what was wrong with none of them.
  struct Asked: Sendable {
    var latencies = Latencies()
    var rows = 0
    var elapsed: Duration = .zero
    /// Questions that query gave up.
    var tooSlow = 0

    var figures: [Figure] {
      [
        Figure("questions", latencies.count, "questions"),
        Figure("p50", latencies.median, digits: 3, "ms"),
        Figure("p99", latencies.percentile99, digits: 3, "ms"),
        Figure("rowsPerSecond", perSecond(rows, elapsed), "rows/s"),
      ] + (tooSlow > 0 ? [Figure("tooSlow", tooSlow, "questions given up")] : [])
    }
  }

  func report() async throws -> BenchReport {
    if options.postgres { try PostgreSQLServer.check(below: options.directory) }
    let directory = try BenchDirectory(below: options.directory)
    let dataset = UsageDataset(
      aggregates: options.aggregates.count, subscriptionCount: options.subscriptions,
      seriesPerSubscription: options.series, now: SystemClock().now().hour)
    var report = BenchReport()
    report.append("database", try await makeDatabase(dataset, directory))
    let service = try await ServiceProcess.start(
      "query", directory: directory, catalog: options.catalog)
    let ours = try await withRPCChannel(socketPath: service.socketPath) { channel in
      let client = QueryClient(channel)
      var ours: [(name: String, asked: Asked)] = []
      for (name, questions) in UsageQuestion.all(dataset, options) {
        ours.append((name, try await ask(client, questions, dataset)))
      }
      ours.append(("export of a day", try await export(client, dataset)))
      ours.append(("CSV of a day", try await exportFile(client, dataset)))
      return ours
    }
    for (name, asked) in ours { report.append(name, asked.figures) }
    if options.gateway { try await askGateway(dataset, directory, &report) }
    report.append(
      "query", [.mebibytes("residentMax", service.figures.residentBytesMax)])
    try await service.kill()
    if options.postgres { try await comparePostgreSQL(dataset, ours, &report) }
    return report
  }

  private func makeDatabase(
    _ dataset: UsageDataset, _ directory: BenchDirectory
  ) async throws -> [Figure] {
    try StateLock.makeDirectory("\(directory.path)/state")
    let path = "\(directory.path)/state/usage.sqlite"
    let begin = ContinuousClock.now
    let made = await blocking { Result { try dataset.write(to: path) } }
    try made.get()
    let elapsed = ContinuousClock.now - begin
    let size = await blocking {
      Result { () throws(StoreError) in try SQLiteUsageReader(path: path).aggregateSize() }
    }
    let (rows, bytes) = try size.get()
    return [
      Figure("rows", rows, "aggregates"), .seconds("written", elapsed),
      Figure("rowsPerSecond", perSecond(rows, elapsed), "rows/s"),
      .ratio("bytesPerRow", bytes, of: rows, digits: 1, "bytes, of the table"),
      .mebibytes("databaseBytes", FileTree.allocatedBytes(path)),
    ]
  }

  /// Asks one question after the other, and compares every answer.
  private func ask(
    _ client: QueryClient, _ questions: [UsageQuestion], _ dataset: UsageDataset
  ) async throws -> Asked {
    var asked = Asked()
    for question in questions {
      let begin = ContinuousClock.now
      do {
        let answer = try await answer(client, question, dataset)
        let elapsed = ContinuousClock.now - begin
        asked.latencies.record(elapsed)
        asked.elapsed += elapsed
        asked.rows += answer.rows
        try compare(answer, question, dataset, "query")
      } catch let error as RPCError
        where error.code == .deadlineExceeded || error.code == .invalidArgument
        || error.code == .resourceExhausted
      {
        asked.tooSlow += 1
      }
    }
    return asked
  }

  private func compare(
    _ answer: UsageDataset.Answer, _ question: UsageQuestion, _ dataset: UsageDataset,
    _ who: String
  ) throws(BenchFailure) {
    let expected = question.expected(dataset)
    guard answer == expected else {
      throw BenchFailure("\(who) answered \(question) with \(answer), not \(expected)")
    }
  }

  private func answer(
    _ client: QueryClient, _ question: UsageQuestion, _ dataset: UsageDataset
  ) async throws -> UsageDataset.Answer {
    var answer = UsageDataset.Answer()
    switch question {
    case .page(let windows, let subscription):
      let response = try await client.listUsage(
        ListUsageRequest(
          caller: caller(subscription, dataset),
          windows: Hour(index: windows.lowerBound)..<Hour(index: windows.upperBound),
          granularity: .hourly, pageSize: UInt32(UsageQuestion.pageSize)))
      answer = QueryRun.answer(response.aggregates)
    case .summary(let hours, let subscription):
      let totals = try await client.summarize(
        SummarizeRequest(
          caller: caller(subscription, dataset),
          hours: Hour(index: hours.lowerBound)..<Hour(index: hours.upperBound),
          bySubscription: subscription == nil))
      answer.rows = totals.count
      answer.nanos = totals.reduce(0) { $0 + $1.quantity.attos / 1_000_000_000 }
    }
    return answer
  }

  private static func answer(_ aggregates: [UsageAggregate]) -> UsageDataset.Answer {
    UsageDataset.Answer(
      rows: aggregates.count,
      nanos: aggregates.reduce(0) { $0 + $1.quantity.attos / 1_000_000_000 })
  }

  private func caller(_ subscription: Int?, _ dataset: UsageDataset) -> Caller {
    guard let subscription else { return .operator }
    return .tenant(subscriptions: [
      dataset.series[subscription * dataset.seriesPerSubscription].subscription
    ])
  }

  /// All pages of a day.
  private func export(_ client: QueryClient, _ dataset: UsageDataset) async throws -> Asked {
    let last = dataset.windows.upperBound
    let windows = (last - 24)..<last
    var request = ListUsageRequest(
      caller: .operator, windows: Hour(index: windows.lowerBound)..<Hour(index: last),
      granularity: .hourly, pageSize: UInt32(UsageQuestion.pageSize))
    var asked = Asked()
    var sum = UsageDataset.Answer()
    let begin = ContinuousClock.now
    repeat {
      let asking = ContinuousClock.now
      let response = try await client.listUsage(request)
      asked.latencies.record(ContinuousClock.now - asking)
      let page = QueryRun.answer(response.aggregates)
      sum.rows += page.rows
      sum.nanos += page.nanos
      request.pageToken = response.nextPageToken
    } while !request.pageToken.isEmpty
    asked.elapsed = ContinuousClock.now - begin
    asked.rows = sum.rows
    let expected = dataset.page(windows, nil, limit: .max)
    guard sum == expected else {
      throw BenchFailure("the export has \(sum), not \(expected)")
    }
    return asked
  }

  /// A day as a file of CSV, part by part.
  private func exportFile(_ client: QueryClient, _ dataset: UsageDataset) async throws -> Asked {
    let last = dataset.windows.upperBound
    var request = ExportUsageRequest(
      caller: .operator, from: Hour(index: last - 24), to: Hour(index: last))
    var asked = Asked()
    var lines = 0
    let begin = ContinuousClock.now
    var rows: UInt64 = 0
    repeat {
      let asking = ContinuousClock.now
      let part = try await client.exportUsage(request)
      asked.latencies.record(ContinuousClock.now - asking)
      rows = part.rows
      lines += part.data.count { $0 == 0x0A }
      request.pageToken = part.nextPageToken
    } while !request.pageToken.isEmpty
    asked.elapsed = ContinuousClock.now - begin
    asked.rows = Int(rows)
    let expected = dataset.page((last - 24)..<last, nil, limit: .max).rows
    guard rows == UInt64(expected), lines == expected + 1 else {
      throw BenchFailure("the file has \(rows) rows in \(lines) lines, not \(expected) rows")
    }
    return asked
  }
}

extension QueryRun {
  /// Puts the questions of pages and the file of a day to a gateway before the same query service.
  private func askGateway(
    _ dataset: UsageDataset, _ directory: BenchDirectory, _ report: inout BenchReport
  ) async throws {
    let gateway = try await GatewayProcess.start(directory: directory, catalog: options.catalog)
    let questions = GatewayQuestions(port: gateway.port, token: gateway.token, dataset: dataset)
    for (name, asked) in UsageQuestion.all(dataset, options) where name.hasSuffix("page") {
      report.append("gateway: \(name)", try await questions.ask(asked).figures)
    }
    report.append("gateway: CSV of a day", try await questions.exportFile().figures)
    report.append("gateway", [.mebibytes("residentMax", gateway.figures.residentBytesMax)])
    try await gateway.stop()
  }

  /// Puts the same questions to PostgreSQL.
  private func comparePostgreSQL(
    _ dataset: UsageDataset, _ ours: [(name: String, asked: Asked)], _ report: inout BenchReport
  ) async throws {
    let server = try await PostgreSQLServer.start(
      below: options.directory, settings: PostgreSQLLoad.serverSettings)
    let (loaded, bytes) = try await PostgreSQLUsage.load(dataset, server)
    report.append(
      "postgresql",
      [
        .seconds("written", loaded),
        .ratio(
          "bytesPerRow", bytes, of: dataset.page(dataset.windows, nil, limit: .max).rows,
          digits: 1, "bytes, with indexes"),
      ])
    for ((name, questions), mine) in zip(UsageQuestion.all(dataset, options), ours) {
      let asked = try await PostgreSQLUsage.ask(questions, dataset, server)
      report.append(
        "postgresql: \(name)",
        asked.figures + [
          .ratio(
            "timesOurP50", asked.latencies.median, of: mine.asked.latencies.median, digits: 2,
            "times as long"),
          .ratio(
            "timesOurP99", asked.latencies.percentile99, of: mine.asked.latencies.percentile99,
            digits: 2, "times as long"),
        ])
    }
    try await server.stop()
  }
}
