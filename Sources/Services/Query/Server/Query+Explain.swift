internal import CollectorClient
internal import GRPCCore
internal import StackmeterCore
internal import StackmeterStore
package import StackmeterWire

/// From an aggregate to the events behind it: the usage database says which windows have it and where in the journal
/// they end, and the collector looks there.
extension Query {
  package func explain(_ request: ExplainRequest) async throws(QueryError) -> ExplainResponse {
    guard request.pageSize <= ExplainRequest.pageSizeMax else {
      throw .invalid(field: "page_size", problem: "at most \(ExplainRequest.pageSizeMax)")
    }
    var cursor: ExplainCursor?
    if !request.pageToken.isEmpty {
      cursor = explainTokens.cursor(request.pageToken, of: request)
      guard cursor != nil else {
        throw .invalid(
          field: "page_token", problem: "was not given to this caller for this question")
      }
    }
    // What the caller may not see is told in the words of what is not there.
    let missing = QueryError.missing(
      "there is no usage of subscription \"\(request.subscription)\" and meter "
        + "\"\(request.meter)\" in this usage hour")
    guard try await maySee(request) else { throw missing }
    let found = try await readers.read { (reader) throws(StoreError) in
      try reader.basis(
        subscription: request.subscription, meter: request.meter,
        resourceURI: request.resourceURI, usageHour: request.usageHour)
    }
    guard let basis = found else { throw missing }
    let asked = basis.windows.filter { request.window == nil || $0.window == request.window }
    guard let last = asked.last else { throw missing }
    let state =
      cursor
      ?? ExplainCursor(
        position: 0, end: last.positions.upperBound,
        aggregate: asked.reduce(0) { $0 + $1.attos }, explained: 0)
    return try await explain(request, basis, state)
  }

  private func maySee(_ request: ExplainRequest) async throws(QueryError) -> Bool {
    let filter: UsageFilter?
    do throws(QueryError) {
      filter = try await self.filter(request.caller, [request.subscription], [request.meter])
    } catch {
      guard case .missing = error else { throw error }
      return false
    }
    return filter?.tenancies?.contains { $0.hours.contains(request.usageHour) } ?? (filter != nil)
  }

  private func explain(
    _ request: ExplainRequest, _ basis: UsageBasis, _ start: ExplainCursor
  ) async throws(QueryError) -> ExplainResponse {
    let deadline = ContinuousClock.now + explainTime
    let pageSize =
      request.pageSize == 0 ? ExplainRequest.pageSizeDefault : Int(request.pageSize)
    var page = ExplainPage(request, basis.aggregation, start, pageSize)
    for window in basis.windows where window.positions.lowerBound < start.end {
      // What is no sum depends on what the windows before have.
      guard basis.aggregation != .sum || request.window == nil || request.window == window.window
      else { continue }
      var positions = window.positions.clamped(to: 0..<start.end)
      if basis.aggregation == .sum { positions = positions.clamped(to: start.position..<start.end) }
      while !positions.isEmpty {
        guard ContinuousClock.now < deadline else { return try answer(page, basis, isLast: false) }
        let response = try await find(request, basis, positions, page.room)
        for usage in response.usage {
          guard page.take(usage, in: window.window) else {
            return try answer(page, basis, isLast: false)
          }
        }
        guard basis.aggregation == .sum || page.eventCount <= UsageLevel.eventsMax else {
          throw .tooWide(
            "more than \(UsageLevel.eventsMax) events make this aggregate; name a resource_uri")
        }
        page.pass(upTo: response.nextPosition)
        positions = min(response.nextPosition, positions.upperBound)..<positions.upperBound
      }
    }
    return try answer(page, basis, isLast: true)
  }

  private func find(
    _ request: ExplainRequest, _ basis: UsageBasis, _ positions: Range<UInt64>, _ room: Int
  ) async throws(QueryError) -> FindUsageResponse {
    do throws(RPCError) {
      return try await collector.findUsage(
        FindUsageRequest(
          positions: positions, journalID: basis.journalID, subscription: request.subscription,
          meter: request.meter, resourceURI: request.resourceURI, usageHour: request.usageHour,
          limit: UInt32(basis.aggregation == .sum ? room : FindUsageRequest.limitMax)))
    } catch {
      throw .collector(error.code, error.message)
    }
  }

  private func answer(
    _ page: ExplainPage, _ basis: UsageBasis, isLast: Bool
  ) throws(QueryError) -> ExplainResponse {
    let cursor = page.cursor
    guard isLast || !page.isStuck else {
      throw .store(
        StoreError(.tooSlow, "the question took too long; name a resource_uri or one window"))
    }
    guard let aggregate = Quantity(attos: cursor.aggregate),
      let explained = Quantity(attos: cursor.explained)
    else { throw .store(StoreError(.overflow, "a total is too large; name a resource_uri")) }
    let request = page.request
    return ExplainResponse(
      parts: page.parts,
      nextPageToken: isLast ? "" : explainTokens.token(for: cursor, of: request),
      aggregation: basis.aggregation, aggregate: aggregate, explained: explained,
      isProvisional: basis.windows.contains {
        $0.isOpen && (request.window == nil || request.window == $0.window)
      },
      problem: !isLast || aggregate == explained
        ? ""
        : basis.isRestated && request.window != nil
          ? "the meter was restated, so that one window is not what its events make by the rule of now: "
            + "ask for all windows"
          : "the journal's events make \(explained), but the usage database has \(aggregate): see its "
            + "table unapplied, and run stackmeter verify")
  }
}

/// A page of an explanation while it is made.
struct ExplainPage {
  let request: ExplainRequest
  private let pageSize: Int
  private let start: ExplainCursor
  private let isSum: Bool
  private var level: UsageLevel
  private(set) var cursor: ExplainCursor
  private(set) var parts: [ExplainedPart] = []

  init(
    _ request: ExplainRequest, _ aggregation: Aggregation, _ start: ExplainCursor,
    _ pageSize: Int
  ) {
    self.request = request
    self.pageSize = pageSize
    self.start = start
    isSum = aggregation == .sum
    level = UsageLevel(aggregation, request.usageHour)
    cursor = start
  }

  var eventCount: Int { level.eventCount }

  /// How many parts it still takes; at least one, so that a full page is noticed by what comes next.
  var room: Int { max(1, pageSize - parts.count) }

  /// Nothing was found out that earlier pages did not have.
  var isStuck: Bool { parts.isEmpty && cursor.position == start.position }

  /// False where the page is full; then it ends in front of this one. A correction is never torn apart.
  mutating func take(_ usage: JournaledUsage, in window: Hour) -> Bool {
    let isSame = usage.position == parts.last?.usage.position
    guard parts.count < pageSize || isSame else { return false }
    let attos = level.take(usage)
    guard usage.position >= start.position, request.window == nil || request.window == window,
      let part = Quantity(attos: attos)
    else { return true }
    cursor.explained += attos
    cursor.position = usage.position + 1
    parts.append(ExplainedPart(usage: usage, part: part, window: window))
    return true
  }

  /// Nothing before a position is missing.
  mutating func pass(upTo position: UInt64) {
    cursor.position = max(cursor.position, position)
  }
}
