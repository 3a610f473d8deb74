internal import Logging
internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterStore
package import StackmeterWire

/// Closing statements. Drafts are made of closed windows, which do not change, by a reader of their own, while usage is
/// counted; only the writing is the aggregator's.
extension Aggregator {
  package func closeStatements(
    _ request: CloseStatementsRequest
  ) async throws(BillingError) -> CloseStatementsResponse {
    let (period, billing) = try beginClosing(request.period)
    defer { isClosing = false }
    let found = await blocking { StatementDrafts.make(period, request, billing) }
    let drafts: StatementDrafts
    switch found {
    case .success(let made): drafts = made
    case .failure(let error): throw error
    }
    var response = drafts.response
    if request.isDryRun {
      response.closed = drafts.ready.map { StatementEntry($0, card: drafts.card) }
      return response
    }
    var rest = drafts.ready[...]
    while !rest.isEmpty {
      let batch = rest.prefix(BillingLimits.statementsAtOnce)
      rest = rest.dropFirst(batch.count)
      try write(batch, period, request, drafts.card, &response)
    }
    if !response.closed.isEmpty { noteClosed(response.closed, period: request.period) }
    return response
  }

  /// Keeps other calls from statements of any period until `isClosing` is false again, which is the caller's duty.
  func beginClosing(
    _ period: String
  ) throws(BillingError) -> (period: BillingPeriod, billing: BillingConfiguration) {
    guard let period = BillingPeriod(parsing: period) else {
      throw .invalid(field: "period", problem: "must be a month such as 2026-11")
    }
    guard let billing = configuration.billing else { throw .notOpen }
    guard !isClosing else { throw .underWay }
    isClosing = true
    return (period, billing)
  }

  /// One transaction; nothing waits between the last number and the next ones.
  private func write(
    _ drafts: ArraySlice<StatementDraft>, _ period: BillingPeriod,
    _ request: CloseStatementsRequest, _ card: String, _ response: inout CloseStatementsResponse
  ) throws(BillingError) {
    var statements: [NewStatement] = []
    do throws(StoreError) {
      var numbers = StatementNumbers(
        last: [period.year: Int(try counter.store.lastStatement(of: Int64(period.year)))])
      for draft in drafts {
        do throws(BillingProblem) {
          statements.append(
            try draft.closed(&numbers, card: card, acceptsUnrated: request.acceptsUnrated))
        } catch {
          response.refused.append(
            .init(subscription: draft.statement.subscription.id, reason: "\(error)"))
        }
      }
      if !statements.isEmpty { try counter.store.put(statements: statements) }
    } catch {
      throw .store(error)
    }
    response.closed += statements.map { StatementEntry($0.statement) }
  }
}

/// A period that is over, with all of its reporting windows closed, and what it is priced by.
struct EndedPeriod {
  let period: BillingPeriod
  let reader: any UsageReader
  let cards: RateCards
  private let missing: MissingSources

  init(_ period: BillingPeriod, _ billing: BillingConfiguration) throws(BillingError) {
    let read: (reader: any UsageReader, cards: RateCards?, openWindow: Hour)
    do throws(StoreError) {
      let reader = try billing.open()
      read = (reader, try RateCards(billing.card, reader), try reader.openWindow())
      missing = Completeness(openWindow: read.openWindow, sources: try reader.sources())
        .missing(until: period.end.start)
    } catch { throw .store(error) }
    guard let cards = read.cards else {
      throw .refused(BillingProblem.noCard(name: billing.card, period: period).description)
    }
    guard read.openWindow >= period.end.firstHour else {
      throw .refused(BillingProblem.notEnded(period: period).description)
    }
    (self.period, reader, self.cards) = (period, read.reader, cards)
  }

  /// Throws where sources have not reported all of it.
  func checkComplete() throws(BillingError) {
    guard missing.isEmpty else {
      throw .refused(
        BillingProblem.estimated(period: period, missing: missing.description).description)
    }
  }
}

/// What a call makes of some subscriptions: drafts that can be closed, and what is said of the others.
private struct StatementDrafts: Sendable {
  let card: String
  var ready: [StatementDraft] = []
  var response = CloseStatementsResponse()

  static func make(
    _ period: BillingPeriod, _ request: CloseStatementsRequest, _ billing: BillingConfiguration
  ) -> Result<StatementDrafts, BillingError> {
    do throws(BillingError) {
      return .success(try StatementDrafts(period, request, billing))
    } catch { return .failure(error) }
  }

  private init(
    _ period: BillingPeriod, _ request: CloseStatementsRequest, _ billing: BillingConfiguration
  ) throws(BillingError) {
    card = billing.card
    let ended = try EndedPeriod(period, billing)
    do throws(StoreError) { try take(period, request, ended.cards, ended.reader) } catch {
      throw .store(error)
    }
    // What is closed already stays so whoever is missing now.
    if !ready.isEmpty, !request.acceptsEstimated { try ended.checkComplete() }
  }

  private mutating func take(
    _ period: BillingPeriod, _ request: CloseStatementsRequest, _ cards: RateCards,
    _ reader: any UsageReader
  ) throws(StoreError) {
    let limit = BillingLimits.draftsAtOnce
    let names: [String]? = request.subscriptions.isEmpty ? nil : request.subscriptions
    let page = try reader.subscriptions(
      ids: names, after: request.after.asciiLowercased, limit: limit + 1)
    try reader.snapshot { (reader) throws(StoreError) in
      try take(Array(page.prefix(limit)), period, request, cards, reader)
    }
    if page.count > limit { response.nextAfter = page[limit - 1].id }
    guard page.count <= limit, request.after.isEmpty else { return }
    let known = Set(page.map { ExactText($0.id) })
    for name in names ?? [] where !known.contains(ExactText(name)) {
      response.refused.append(.init(subscription: name, reason: "there is no such subscription"))
    }
  }

  /// In a snapshot of the reader.
  private mutating func take(
    _ subscriptions: [Subscription], _ period: BillingPeriod, _ request: CloseStatementsRequest,
    _ cards: RateCards, _ reader: any UsageReader
  ) throws(StoreError) {
    var open: [Subscription] = []
    for subscription in subscriptions {
      let later = try reader.lastStatement(
        of: subscription.id, before: Day(index: Int64(Int32.max)))
      guard let later, later.period.lowerBound >= period.start else {
        open.append(subscription)
        continue
      }
      var isClosed = later.period.lowerBound == period.start
      if !isClosed {
        isClosed = try !reader.statements(
          StatementFilter(subscriptions: [subscription.id], period: period.start), after: nil,
          limit: 1
        ).isEmpty
      }
      if isClosed {
        response.known += 1
      } else {
        refuse(
          subscription,
          .closedLater(
            number: later.number, period: BillingPeriod(containing: later.period.lowerBound)))
      }
    }
    let biller: Biller
    do throws(BillingProblem) {
      biller = try Biller(cards, subscriptions: open, period: period)
    } catch {
      for subscription in open { refuse(subscription, error) }
      return
    }
    for (subscription, draft) in zip(open, try biller.drafts(reader, closedOnly: true)) {
      take(subscription, draft, acceptsUnrated: request.acceptsUnrated)
    }
  }

  private mutating func take(
    _ subscription: Subscription, _ found: Result<StatementDraft, BillingProblem>,
    acceptsUnrated: Bool
  ) {
    switch found {
    case .success(let draft):
      if draft.isEmpty, draft.history.earlierOpen == nil {
        response.empty += 1
      } else if let obstacle = draft.obstacle(acceptsUnrated: acceptsUnrated) {
        refuse(subscription, obstacle)
      } else {
        ready.append(draft)
      }
    case .failure(let problem): refuse(subscription, problem)
    }
  }

  private mutating func refuse(_ subscription: Subscription, _ problem: BillingProblem) {
    response.refused.append(.init(subscription: subscription.id, reason: "\(problem)"))
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

  /// Of one that would be closed.
  fileprivate init(_ draft: StatementDraft, card: String) {
    self.init()
    subscription = draft.statement.subscription.id
    period = draft.statement.period.description
    windows = draft.history.coveredUntil..<draft.history.openWindow
    self.card = card
    currency = draft.statement.currency.code
    total = draft.statement.total?.amountText ?? ""
  }
}
