internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// Statements: closed ones as they were closed, drafts as of now.
extension Rating {
  package func listStatements(
    _ request: ListStatementsRequest
  ) async throws(QueryError) -> ListStatementsResponse {
    guard request.pageSize <= ListStatementsRequest.pageSizeMax else {
      throw .invalid(field: "page_size", problem: "at most \(ListStatementsRequest.pageSizeMax)")
    }
    let limit =
      request.pageSize == 0 ? ListStatementsRequest.pageSizeMax : Int(request.pageSize)
    var filter = StatementFilter()
    if !request.period.isEmpty { filter.period = try period(request.period).start }
    var place: StatementPlace?
    if !request.after.isEmpty {
      place = StatementPlace(number: request.after)
      guard place != nil else {
        throw .invalid(field: "after", problem: "must be the number of a statement")
      }
    }
    guard let scope = try await query.filter(request.caller, request.subscriptions, []) else {
      return ListStatementsResponse(statements: [])
    }
    filter.subscriptions = scope.subscriptions
    let (asked, after) = (filter, place)
    let (found, visible) = try await query.readers.read {
      (reader) throws(StoreError) -> ([StoredStatement], [StoredStatement]) in
      let found = try reader.statements(asked, after: after, limit: limit + 1)
      guard let tenancies = scope.tenancies else { return (found, found) }
      var visible: [StoredStatement] = []
      for statement in found {
        let hours: [Range<Hour>]? = tenancies.filter {
          $0.subscription.hasSameBytes(as: statement.subscription)
        }.map(\.hours)
        let period = BillingPeriod(containing: statement.period.lowerBound)
        let first = try Rating.firstHour(of: statement.subscription, period, reader)
        if hours.covers(first..<period.hours.upperBound) { visible.append(statement) }
      }
      return (found, visible)
    }
    let page = Array(found.prefix(limit))
    let shown = Set(page.map(\.number))
    return ListStatementsResponse(
      statements: visible.filter { shown.contains($0.number) }.map(StatementEntry.init),
      nextAfter: page.count < found.count ? page.last?.number ?? "" : "")
  }

  package func statement(
    _ request: GetStatementRequest
  ) async throws(QueryError) -> GetStatementResponse {
    if !request.number.isEmpty { return try await closed(request) }
    guard !request.subscription.isEmpty else {
      throw .invalid(field: "subscription", problem: "is needed, or a number")
    }
    let period = try period(request.period)
    let visible = try await visibleHours(request.caller, of: request.subscription)
    let id = request.subscription
    let answer = try await query.readers.read {
      (reader) throws(StoreError) -> Result<GetStatementResponse?, BillingProblem> in
      try reader.snapshot { [self] (reader) throws(StoreError) in
        let first = try Rating.firstHour(of: id, period, reader)
        guard visible.covers(first..<period.hours.upperBound) else { return .success(nil) }
        let stored = try reader.statements(
          StatementFilter(subscriptions: [id], period: period.start), after: nil, limit: 1
        ).first
        if let stored, let found = try reader.statement(stored.place) {
          return .success(
            GetStatementResponse(statement: StatementEntry(stored), document: found.document))
        }
        guard let cards = try rateCards(reader) else {
          return .failure(.noCard(name: card, period: period))
        }
        let subscription = try Rating.subscription(id, reader)
        do throws(BillingProblem) {
          let draft = try Biller(
            cards, subscription: subscription, period: period
          ).draft(reader, closedOnly: false)
          return .success(GetStatementResponse(statement: nil, document: draft.statement.document))
        } catch {
          return .failure(error)
        }
      }
    }
    switch answer {
    case .success(let response?): return response
    case .success(nil):
      throw .missing("the subscription \"\(id)\" could not be found")
    case .failure(let problem): throw QueryError(problem)
    }
  }

  private func closed(
    _ request: GetStatementRequest
  ) async throws(QueryError) -> GetStatementResponse {
    // What the caller may not see is told in the words of what is not there.
    let missing = QueryError.missing("there is no statement \"\(request.number)\"")
    guard let place = StatementPlace(number: request.number) else { throw missing }
    let found = try await query.readers.read {
      (reader) throws(StoreError) -> (StoredStatement, [UInt8], Hour)? in
      guard let found = try reader.statement(place) else { return nil }
      let period = BillingPeriod(containing: found.statement.period.lowerBound)
      return (
        found.statement, found.document,
        try Rating.firstHour(of: found.statement.subscription, period, reader)
      )
    }
    guard let (statement, document, first) = found else { throw missing }
    let visible: [Range<Hour>]?
    do throws(QueryError) {
      visible = try await visibleHours(request.caller, of: statement.subscription)
    } catch {
      guard case .missing = error else { throw error }
      throw missing
    }
    guard visible.covers(first..<statement.period.upperBound.firstHour) else { throw missing }
    return GetStatementResponse(statement: StatementEntry(statement), document: document)
  }
}

extension StatementPlace {
  /// Reads `2026-000001`.
  init?(number: String) {
    let parts = number.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].utf8.count == 4, parts[1].utf8.count >= 6,
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let year = Int64(parts[0]), let sequence = Int64(parts[1])
    else { return nil }
    self.init(year: year, sequence: sequence)
  }
}

extension StatementEntry {
  init(_ stored: StoredStatement) {
    self.init()
    number = stored.number
    subscription = stored.subscription
    period = BillingPeriod(containing: stored.period.lowerBound).description
    windows = stored.windows
    card = stored.card
    currency = stored.currency
    total = stored.total
    hash = stored.hash
  }
}
