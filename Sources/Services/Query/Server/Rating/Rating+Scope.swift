internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
internal import StackmeterWire

/// Who may see what of charges and statements. The scope is that of usage: `Query.filter` says it.
extension Rating {
  /// What a caller may see of one subscription: nil for all of its usage hours, else these.
  func visibleHours(
    _ caller: Caller, of subscription: String
  ) async throws(QueryError) -> [Range<Hour>]? {
    guard let filter = try await query.filter(caller, [subscription], []) else {
      throw .missing("the subscription \"\(subscription)\" could not be found")
    }
    return filter.tenancies.map { $0.map(\.hours) }
  }

  func period(_ text: String) throws(QueryError) -> BillingPeriod {
    guard let period = BillingPeriod(parsing: text) else {
      throw .invalid(field: "period", problem: "must be a month such as 2026-11")
    }
    return period
  }

  /// What the directory says of a subscription.
  static func subscription(
    _ id: String, _ reader: any UsageReader
  ) throws(StoreError) -> Subscription {
    try reader.subscriptions(ids: [id], after: "", limit: 1).first
      ?? Subscription(id: id, state: .unassigned)
  }

  /// The first usage hour that a statement of a subscription for a period may be about: late usage goes back as far as
  /// its first statement does.
  static func firstHour(
    of subscription: String, _ period: BillingPeriod, _ reader: any UsageReader
  ) throws(StoreError) -> Hour {
    let first = try reader.statements(
      StatementFilter(subscriptions: [subscription]), after: nil, limit: 1
    ).first?.period.lowerBound
    return min(first ?? period.start, period.start).firstHour
  }
}

extension [Range<Hour>]? {
  /// Whether all of these hours are among them.
  func covers(_ hours: Range<Hour>) -> Bool {
    guard let self else { return true }
    return self.contains { $0.lowerBound <= hours.lowerBound && hours.upperBound <= $0.upperBound }
  }

  func contains(_ hour: Hour) -> Bool {
    guard let self else { return true }
    return self.contains { $0.contains(hour) }
  }
}

extension QueryError {
  /// What a caller is told of what billing finds.
  init(_ problem: BillingProblem) {
    switch problem {
    case .store(let error): self = .store(error)
    case .noCard: self = .missing(problem.description)
    case .rating, .statement, .tooLong, .tooManyBearers: self = .tooWide(problem.description)
    case .notEnded, .estimated, .closed, .closedLater, .earlierOpen:
      self = .forbidden(problem.description)
    }
  }
}
