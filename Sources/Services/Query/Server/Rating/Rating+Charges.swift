internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// The charges of one subscription for one billing period, page by page.
extension Rating {
  package func listCharges(
    _ request: ListChargesRequest
  ) async throws(QueryError) -> ListChargesResponse {
    guard request.pageSize <= ListChargesRequest.pageSizeMax else {
      throw .invalid(field: "page_size", problem: "at most \(ListChargesRequest.pageSizeMax)")
    }
    let period = try period(request.period)
    guard !request.subscription.isEmpty else {
      throw .invalid(field: "subscription", problem: "is needed")
    }
    var walk: ChargeWalk?
    if !request.pageToken.isEmpty {
      walk = tokens.walk(request.pageToken, of: request)
      guard walk != nil else {
        throw .invalid(
          field: "page_token", problem: "was not given to this caller for this question")
      }
    }
    let visible = try await visibleHours(request.caller, of: request.subscription)
    let limit = request.pageSize == 0 ? ListChargesRequest.pageSizeMax : Int(request.pageSize)
    let start = walk
    let answer = try await query.readers.read {
      [self] (reader) throws(StoreError) -> Result<ChargePage?, ChargeList.Problem> in
      guard let cards = try rateCards(reader) else {
        return .failure(.billing(.noCard(name: card, period: period)))
      }
      let subscription = try Rating.subscription(request.subscription, reader)
      let line: StatementLine?
      switch try statementLine(of: request, subscription, period, cards, reader) {
      case .success(let found): line = found
      case .failure(let problem): return .failure(.billing(problem))
      }
      if request.line > 0, line == nil { return .success(nil) }
      do throws(ChargeList.Problem) {
        let list = try ChargeList(
          cards, subscription: subscription, period: period, reader,
          openWindow: start?.openWindow, closedOnly: request.closedWindowsOnly)
        var page = ChargePage(list, cards, from: start?.offset ?? 0, limit: limit, visible, period)
        page.line = line
        try list.visit { page.take($0, isOpen: $1) }
        return .success(page)
      } catch {
        if case .billing(.store(let error)) = error { throw error }
        return .failure(error)
      }
    }
    switch answer {
    case .failure(.tooMany):
      throw .tooWide(
        "the period has more than \(ChargeList.aggregatesMax) aggregates of this subscription; its statement has the "
          + "sums")
    case .failure(.billing(let problem)): throw QueryError(problem)
    case .success(nil):
      throw .invalid(field: "line", problem: "the statement has no line \(request.line)")
    case .success(let page?):
      if let start, start.isClosed != (page.statement != nil) {
        throw .invalid(
          field: "page_token",
          problem: "is of a draft, and the statement was closed meanwhile: begin again")
      }
      return ListChargesResponse(
        charges: page.rows,
        nextPageToken: page.next.map {
          tokens.token(
            for: ChargeWalk(
              offset: $0, openWindow: page.openWindow, isClosed: page.statement != nil),
            of: request)
        } ?? "", currency: page.currency, statement: page.statement ?? "")
    }
  }
}

extension Rating {
  /// The line that is asked for; nil where the statement has no such line, or none is asked for.
  private func statementLine(
    of request: ListChargesRequest, _ subscription: Subscription, _ period: BillingPeriod,
    _ cards: RateCards, _ reader: any UsageReader
  ) throws(StoreError) -> Result<StatementLine?, BillingProblem> {
    guard request.line > 0 else { return .success(nil) }
    return try reader.snapshot {
      (reader) throws(StoreError) -> Result<StatementLine?, BillingProblem> in
      let statement: Statement
      if let closed = try Statement.closed(of: subscription.id, period, reader) {
        statement = closed
      } else {
        do throws(BillingProblem) {
          statement = try Biller(cards, subscription: subscription, period: period)
            .draft(reader, closedOnly: request.closedWindowsOnly).statement
        } catch {
          return .failure(error)
        }
      }
      let index = Int(request.line) - 1
      return .success(statement.lines.indices.contains(index) ? statement.lines[index] : nil)
    }
  }
}

/// A page of charges while it is made.
private struct ChargePage: Sendable {
  let statement: String?
  let openWindow: Hour
  let currency: String
  private let from: Int64
  private let limit: Int
  private let visible: [Range<Hour>]?
  private let hours: Range<Hour>
  private var count: Int64 = 0
  private var bytes = 0
  private(set) var rows: [ChargeRow] = []
  /// Only charges that it sums up; nil for all.
  var line: StatementLine?
  /// Where the next page begins; nil for the last one.
  private(set) var next: Int64?

  init(
    _ list: ChargeList, _ cards: RateCards, from: Int64, limit: Int, _ visible: [Range<Hour>]?,
    _ period: BillingPeriod
  ) {
    statement = list.statement
    openWindow = list.openWindow
    currency = cards.book.currency.code
    self.from = from
    self.limit = limit
    self.visible = visible
    hours = period.hours
  }

  mutating func take(_ charge: Charge, isOpen: Bool) {
    defer { count += 1 }
    guard count >= from, next == nil, line?.sums(charge) ?? true else { return }
    // What is of the whole period is for those who see all of it.
    let isVisible =
      charge.usage.map { visible.contains($0.usageStart.hour) } ?? visible.covers(hours)
    guard isVisible else { return }
    guard rows.count < limit, bytes < UsagePage.bytesMax else {
      next = count
      return
    }
    var row = ChargeRow(charge)
    if isOpen { row.isProvisional = true }
    bytes += (charge.usage?.series.byteCount ?? 0) + 512
    rows.append(row)
  }
}

extension ChargeRow {
  fileprivate init(_ charge: Charge) {
    self.init()
    kind = charge.kind.rawValue
    isAdjustment = charge.isAdjustment
    isProvisional = charge.isProvisional
    period = charge.period.description
    if let of = charge.usage {
      usage = Usage(
        series: of.series, start: of.usageStart, end: of.usageEnd, window: of.window, cell: of.cell)
    }
    meter = charge.rate?.meter ?? charge.meter
    rate = charge.rate.map(Rate.init)
    tier = UInt32(charge.tier)
    quantity = charge.quantity.description
    pricedQuantity = charge.pricedQuantity.description
    listPrice = charge.listPrice.description
    price = charge.price.description
    listCost = charge.listCost.description
    cost = charge.cost.description
  }
}

extension ChargeRow.Rate {
  fileprivate init(_ rate: RateReference) {
    self.init()
    card = rate.card
    version = UInt32(clamping: rate.version)
    meter = rate.meter
    meterName = rate.meterName
    unit = rate.unit
    billingMeter = rate.billingMeter
    group = rate.group ?? ""
    location = rate.location ?? ""
    self.package = rate.package.description
    countsStarted = rate.countsStarted
    discount = rate.discount.description
  }
}
