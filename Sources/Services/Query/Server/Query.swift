package import AggregatorClient
package import BridgeClient
package import CollectorClient
internal import GRPCCore
package import Logging
package import StackmeterCore
package import StackmeterStore
package import StackmeterWire

/// Answers every question about usage, within what its caller may see.
package final class Query: Sendable {
  let readers: ReaderPool
  private let tokens: PageTokens
  let explainTokens: ExplainTokens
  let exportTokens: ExportTokens
  let exportTexts = ExportTextsPool()
  let collector: CollectorClient
  private let aggregator: AggregatorClient
  /// Nil where there is none.
  private let bridge: BridgeClient?
  private let clock: any WallClock
  /// No further part of the journal is asked for after this time; what was found until then is a page.
  let explainTime: Duration
  /// No further subscription is added up after this time; what was added up until then is a page.
  private let sumTime: Duration

  /// `tokenKey` proves page tokens: 32 random bytes that outlive the process. `clock` says which sources are overdue.
  package init(
    database: UsageDatabase, tokenKey: [UInt8], collector: CollectorClient,
    aggregator: AggregatorClient, bridge: BridgeClient? = nil, clock: any WallClock,
    explainTime: Duration = .seconds(6),
    sumTime: Duration = .seconds(1)
  ) {
    readers = ReaderPool(database)
    tokens = PageTokens(key: tokenKey)
    explainTokens = ExplainTokens(key: tokenKey)
    exportTokens = ExportTokens(key: tokenKey)
    self.collector = collector
    self.aggregator = aggregator
    self.bridge = bridge
    self.clock = clock
    self.explainTime = explainTime
    self.sumTime = sumTime
  }

  package func stop() async {
    await readers.stop()
  }

  /// Whether the usage database could be reached when it was last asked.
  package func isReady() -> Bool { readers.problem == nil }

  /// Looks now and then whether the usage database can be reached, so that health checks know it also where nobody
  /// asks, and says once when that has changed. Until cancelled.
  package func watchDatabase(
    logger: Logger, every interval: Duration = .seconds(10), whileAway: Duration = .seconds(1)
  ) async throws(CancellationError) {
    var wasAway = false
    while true {
      _ = try? await readers.read { (reader) throws(StoreError) in try reader.openWindow() }
      let problem = readers.problem
      if let problem, !wasAway {
        logger.warning(
          "the usage database cannot be reached; trying again until it can",
          metadata: ["problem": "\(problem)"])
      } else if problem == nil, wasAway {
        logger.info("the usage database is back")
      }
      wasAway = problem != nil
      do {
        try await Task.sleep(for: wasAway ? whileAway : interval)
      } catch { throw CancellationError() }
    }
  }

  package func listUsage(
    _ request: ListUsageRequest
  ) async throws(QueryError) -> ListUsageResponse {
    guard request.pageSize <= ListUsageRequest.pageSizeMax else {
      throw .invalid(
        field: "page_size", problem: "at most \(ListUsageRequest.pageSizeMax)")
    }
    for (hour, field) in [
      (request.windows.lowerBound, "from_window"), (request.windows.upperBound, "to_window"),
    ] where !request.granularity.begins(at: hour) {
      let period = request.granularity == .daily ? "day" : "month"
      throw .invalid(field: field, problem: "must begin a \(period) (UTC)")
    }
    guard
      !request.withoutResources
        || (request.axis == .reported && request.granularity != .monthly && request.asOf == nil
          && request.series.isAll)
    else {
      throw .invalid(
        field: "without_resources",
        problem: "goes with reported time, hours and days only, without selection and as_of_window")
    }
    var walk: UsageWalk?
    if !request.pageToken.isEmpty {
      walk = tokens.walk(request.pageToken, of: request)
      guard walk != nil else {
        throw .invalid(
          field: "page_token", problem: "was not given to this caller for this question")
      }
    }
    let pageSize =
      request.pageSize == 0 ? ListUsageRequest.pageSizeMax : Int(request.pageSize)
    let filter = try await filter(
      request.caller, request.subscriptions, request.meters, request.series)
    let (earlier, now, sumTime) = (walk, clock.now().hour, sumTime)
    let found = try await readers.read { (reader) throws(StoreError) in
      // Read first: what is final by it stays final in what is read after it.
      let completeness = try reader.completeness()
      let openWindow = try reader.openWindow()
      let begun = earlier ?? UsageWalk(completeness, openWindow: openWindow, now: now)
      let problem = Query.problem(asOf: request.asOf, completeness.openWindow)
      guard let filter, problem == nil else {
        return (
          completeness, begun, problem, "",
          (aggregates: [UsageAggregate](), next: UsageCursor?.none)
        )
      }
      var scan = UsageScan(
        axis: request.axis, hours: request.windows, granularity: request.granularity,
        filter: filter, asOf: request.asOf)
      // Windows that open later are not in the walk.
      switch request.axis {
      case .reported: scan.hours = request.windows.clamped(to: Hour(index: 0)..<begun.end)
      case .usage: scan.asOf = min(request.asOf ?? begun.end, begun.end)
      }
      let page =
        request.withoutResources
        ? try reader.sums(
          SumsQuestion(
            windows: scan.hours, granularity: request.granularity, filter: filter),
          after: earlier?.cursor, limit: pageSize, until: .now + sumTime)
        : try reader.usage(scan, after: earlier?.cursor, limit: pageSize)
      return (completeness, begun, problem, try reader.cell(), page)
    }
    let (completeness, begun, problem, cell, page) = found
    if let problem { throw problem }
    var identity = RowIdentity(cell: cell)
    let isLasting = request.asOf != nil
    return ListUsageResponse(
      aggregates: page.aggregates.map { aggregate in
        var aggregate = aggregate
        if request.withoutResources {
          aggregate = begun.marked(sum: aggregate)
        } else if !isLasting {
          aggregate = begun.marked(aggregate, request.granularity, request.axis)
        }
        aggregate.id = identity.id(of: aggregate, request.axis, request.granularity)
        return aggregate
      },
      nextPageToken: page.next.map { tokens.token(for: begun.going(on: $0), of: request) } ?? "",
      missing: isLasting || filter == nil
        ? .none
        : completeness.missing(until: request.windows.upperBound.start, for: request.caller),
      openWindow: completeness.openWindow)
  }

  /// Why there can be no lasting answer yet; nil where there can.
  static func problem(asOf: Hour?, _ openWindow: Hour) -> QueryError? {
    guard let asOf, asOf > openWindow else { return nil }
    return .invalid(
      field: "as_of_window",
      problem: "must not be behind \(openWindow): the windows from there on are not closed yet")
  }

  package func listMeters() async throws(QueryError) -> ListMetersResponse {
    ListMetersResponse(
      meters: try await readers.read { (reader) throws(StoreError) in try reader.meters() })
  }

  package func listWindows(
    _ request: ListWindowsRequest
  ) async throws(QueryError) -> ListWindowsResponse {
    guard request.pageSize <= ListWindowsRequest.pageSizeMax else {
      throw .invalid(
        field: "page_size", problem: "at most \(ListWindowsRequest.pageSizeMax)")
    }
    let limit =
      request.pageSize == 0 ? ListWindowsRequest.pageSizeDefault : Int(request.pageSize)
    let (completeness, windows) = try await readers.read { (reader) throws(StoreError) in
      let completeness = try reader.completeness()
      return (completeness, try reader.windows(before: request.before, limit: limit))
    }
    let newest = windows.first { $0.isClosed }
    let isOperator = request.caller == .operator
    var page: [ReportingWindow] = []
    var bytes = 0
    for window in windows where bytes <= UsagePage.bytesMax {
      let marked = completeness.marked(window)
      page.append(isOperator ? marked : marked.forOthers)
      bytes += window.textBytes
    }
    return ListWindowsResponse(
      windows: page,
      missing: newest.map { completeness.missing(until: $0.hour.end, for: request.caller) }
        ?? .none)
  }

  package func listSubscriptions(
    _ request: ListSubscriptionsRequest
  ) async throws(QueryError) -> ListSubscriptionsResponse {
    guard request.pageSize <= ListSubscriptionsRequest.pageSizeMax else {
      throw .invalid(
        field: "page_size", problem: "at most \(ListSubscriptionsRequest.pageSizeMax)")
    }
    let limit =
      request.pageSize == 0 ? ListSubscriptionsRequest.pageSizeMax : Int(request.pageSize)
    guard let filter = try await filter(request.caller, [], []) else {
      return ListSubscriptionsResponse(subscriptions: [], nextAfter: "")
    }
    var ids: [String]? = filter.subscriptions
    if !request.ids.isEmpty {
      let visible = filter.subscriptions.map { Set($0.map { ExactText($0) }) }
      ids = request.ids.filter { visible?.contains(ExactText($0)) ?? true }
    }
    let asked = ids
    let after = request.after.asciiLowercased
    let found = try await readers.read { (reader) throws(StoreError) in
      try reader.subscriptions(ids: asked, after: after, limit: limit + 1)
    }
    var page: [Subscription] = []
    var bytes = 0
    for subscription in found.prefix(limit) where bytes <= UsagePage.bytesMax {
      page.append(subscription)
      bytes += subscription.tags.utf8.count + 4 * SubscriptionLimits.textBytesMax
    }
    return ListSubscriptionsResponse(
      subscriptions: page, nextAfter: page.count < found.count ? page.last?.id ?? "" : "")
  }

  package func listSources(
    _ request: ListSourcesRequest
  ) async throws(QueryError) -> ListSourcesResponse {
    guard request.caller == .operator else {
      throw .forbidden("only operators may see who reports")
    }
    let sources = try await readers.read { (reader) throws(StoreError) in try reader.sources() }
    let now = clock.now()
    return ListSourcesResponse(sources: sources.map { SourceProgress($0, now: now) })
  }

  /// What a question may look at; nil where its caller may see nothing of what it asks for. The only place
  /// where a caller's scope becomes a filter.
  func filter(
    _ caller: Caller, _ subscriptions: [String], _ meters: [String],
    _ series: SeriesSelection = .all
  ) async throws(QueryError) -> UsageFilter? {
    let asked: [String]? = subscriptions.isEmpty ? nil : subscriptions
    let meters: [String]? = meters.isEmpty ? nil : meters.map(\.asciiLowercased)
    switch caller {
    case .operator:
      return UsageFilter(subscriptions: asked, meters: meters, series: series)
    case .tenant(let own):
      let visible = asked.map { $0.filter(own.contains) } ?? own
      guard !visible.isEmpty else { return nil }
      return UsageFilter(subscriptions: visible, meters: meters, series: series)
    case .provider(let provider):
      let tenancies = try await readers.read { (reader) throws(StoreError) in
        try reader.tenancies(of: provider)
      }
      let visible = try Query.visible(tenancies, asked)
      return visible.isEmpty
        ? nil : UsageFilter(tenancies: visible, meters: meters, series: series)
    case .reporter:
      return nil
    }
  }

  /// The tenancies that a provider's question is about. A subscription that never was its tenant is none at all.
  private static func visible(
    _ tenancies: [Tenancy], _ asked: [String]?
  ) throws(QueryError) -> [Tenancy] {
    guard let asked else { return tenancies }
    let held = Set(tenancies.lazy.map { ExactText($0.subscription) })
    for name in asked where !held.contains(ExactText(name)) {
      throw .missing("the subscription \"\(name)\" could not be found")
    }
    let names = Set(asked.lazy.map { ExactText($0) })
    return tenancies.filter { names.contains(ExactText($0.subscription)) }
  }

  /// The state of every part, and what is wrong in words.
  package func status() async -> PipelineStatus {
    async let collectorAnswer = answer("collector") { try await self.collector.status() }
    async let aggregatorAnswer = answer("aggregator") { try await self.aggregator.status() }
    // Usage is counted whether or not there is a bridge, or it answers.
    async let bridgeAnswer = try? self.bridge?.status(timeout: BridgeClient.statusTimeout)
    var status = PipelineStatus()
    do throws(QueryError) {
      let (position, unapplied, sources) = try await readers.read { (reader) throws(StoreError) in
        (try reader.position(), try reader.unappliedCount(), try reader.sources())
      }
      if let problem = Completeness.problem(of: sources, now: clock.now()) {
        status.problems.append(problem)
      }
      if unapplied > 0 {
        status.problems.append(
          "usage database: \(unapplied) quantities cannot be aggregated; "
            + "they are in no total, but in the table unapplied")
      }
      status.appliedPosition = position.nextPosition
      status.appliedReportedTime = position.reportedTime
      status.openWindow = position.openWindow
    } catch {
      status.problems.append("usage database: \(error.rpcErrorMessage)")
    }
    switch await collectorAnswer {
    case .success(let collector):
      status.collector = collector
      if !collector.refusing.isEmpty {
        status.problems.append("collector: events are refused: \(collector.refusing)")
      }
      if !collector.clockProblem.isEmpty {
        status.problems.append("collector: \(collector.clockProblem)")
      }
    case .failure(let problem): status.problems.append(problem.text)
    }
    switch await aggregatorAnswer {
    case .success(let aggregator):
      status.aggregator = aggregator
      if !aggregator.isFollowing {
        status.problems.append(
          "aggregator: not following the journal: "
            + (aggregator.problem.isEmpty ? "no stream yet" : aggregator.problem))
      }
      // What it cannot apply was told with that.
      let faults = aggregator.faults.filter { aggregator.isFollowing || $0 != aggregator.problem }
      status.problems += (faults + aggregator.warnings).map { "aggregator: \($0)" }
    case .failure(let problem): status.problems.append(problem.text)
    }
    status.problems +=
      (await bridgeAnswer)?.alerts.map {
        "bridge: \($0.title). \($0.description)"
      } ?? []
    return status
  }

  private struct Problem: Error {
    let text: String
  }

  private func answer<Status: Sendable>(
    _ service: String, _ ask: @Sendable () async throws -> Status
  ) async -> Result<Status, Problem> {
    do {
      return .success(try await ask())
    } catch let error as RPCError {
      return .failure(Problem(text: "\(service): does not answer: \(error.message)"))
    } catch {
      return .failure(Problem(text: "\(service): \(error)"))
    }
  }
}

extension ReportingWindow {
  /// For those who may not know how much everybody uses, and who reports it.
  fileprivate var forOthers: ReportingWindow {
    ReportingWindow(hour: hour, isClosed: isClosed, isFinal: isFinal)
  }

  /// What the names in it take, and the numbers beside each of them.
  fileprivate var textBytes: Int {
    let names = missingAtClose.names + cells.map(\.cell) + cells.flatMap(\.missingAtClose.names)
    return names.reduce(0) { $0 + $1.utf8.count + 32 }
  }
}
