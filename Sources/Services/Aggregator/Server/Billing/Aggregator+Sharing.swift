internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterRuntime
internal import StackmeterStore
package import StackmeterWire

/// Dividing a cost that several subscriptions bear. As when statements are closed, closed windows are read while usage
/// is counted; only the writing is the aggregator's.
extension Aggregator {
  /// All shares are written down, or none. Those that are written down already are answered as they are.
  package func share(
    _ request: ShareCostRequest
  ) async throws(BillingError) -> ShareCostResponse {
    // Nobody closes a statement between the drafts and what is written for them.
    let (period, billing) = try beginClosing(request.period)
    defer { isClosing = false }
    let shares: CostShares
    switch await blocking({ CostShares.make(period, request, billing) }) {
    case .success(let made): shares = made
    case .failure(let error): throw error
    }
    if !request.isDryRun, !shares.isKnown {
      do throws(StoreError) { _ = try counter.store.put(postings: shares.postings) } catch {
        throw .store(error)
      }
    }
    return ShareCostResponse(
      shares: shares.postings.map { .init(subscription: $0.subscription, amount: $0.amount) },
      currency: shares.currency.code, isKnown: shares.isKnown)
  }
}

/// What a cost comes to for each subscription.
private struct CostShares: Sendable {
  let currency: Currency
  let postings: [Posting]
  /// They are written down.
  let isKnown: Bool

  static func make(
    _ period: BillingPeriod, _ request: ShareCostRequest, _ billing: BillingConfiguration
  ) -> Result<CostShares, BillingError> {
    do throws(BillingError) {
      return .success(try CostShares(EndedPeriod(period, billing), request))
    } catch { return .failure(error) }
  }

  private init(_ ended: EndedPeriod, _ request: ShareCostRequest) throws(BillingError) {
    currency = ended.cards.book.currency
    var sharing = CostSharing(try request.cost(currency), ended.cards, period: ended.period)
    var written: [Posting] = []
    try ended.forSubscriptions { (subscriptions, reader) throws(BillingProblem) in
      written += try sharing.written(subscriptions, reader)
    }
    isKnown = !written.isEmpty
    if isKnown {
      postings = written
      return
    }
    if !request.acceptsEstimated { try ended.checkComplete() }
    try ended.checkOpen()
    try ended.forSubscriptions { (subscriptions, reader) throws(BillingProblem) in
      try sharing.add(subscriptions, reader)
    }
    do throws(SharedCostError) { postings = try sharing.postings() } catch {
      throw .refused("\(error)")
    }
  }
}

extension EndedPeriod {
  /// Throws where some statement of it is closed.
  fileprivate func checkOpen() throws(BillingError) {
    let closed: [StoredStatement]
    do throws(StoreError) {
      closed = try reader.statements(
        StatementFilter(period: period.start), after: nil, limit: 1)
    } catch { throw .store(error) }
    if let closed = closed.first {
      throw .refused(
        "\(period) has closed statements, such as \(closed.number): a cost is shared before they are closed"
      )
    }
  }

  /// All subscriptions by id, some at a time, each time with a snapshot.
  fileprivate func forSubscriptions(
    _ body: ([Subscription], any UsageReader) throws(BillingProblem) -> Void
  ) throws(BillingError) {
    var after = ""
    do throws(BillingProblem) {
      while true {
        let page: [Subscription]
        do throws(StoreError) {
          page = try reader.subscriptions(
            ids: nil, after: after, limit: BillingLimits.draftsAtOnce)
        } catch { throw .store(error) }
        guard let last = page.last else { return }
        try inSnapshot(page, body)
        after = last.id
      }
    } catch {
      if case .store(let error) = error { throw .store(error) }
      throw .refused("\(error)")
    }
  }

  private func inSnapshot(
    _ subscriptions: [Subscription],
    _ body: ([Subscription], any UsageReader) throws(BillingProblem) -> Void
  ) throws(BillingProblem) {
    let problem: BillingProblem?
    do throws(StoreError) {
      problem = try reader.snapshot { (reader) throws(StoreError) -> BillingProblem? in
        do throws(BillingProblem) {
          try body(subscriptions, reader)
          return nil
        } catch { return error }
      }
    } catch { throw .store(error) }
    if let problem { throw problem }
  }
}

extension ShareCostRequest {
  /// What is to be shared; throws what is wrong with it.
  fileprivate func cost(_ currency: Currency) throws(BillingError) -> SharedCost {
    let money: Money
    do throws(DecimalError) { money = try Money(parsing: amount, currency) } catch {
      throw .invalid(field: "amount", problem: error.explanation)
    }
    guard !money.isZero else { throw .invalid(field: "amount", problem: "must not be zero") }
    let cost = SharedCost(
      reason, money, by: try key(), payer: payer.isEmpty ? nil : payer)
    guard !reason.isEmpty, cost.shareText.utf8.count <= BillingLimits.reasonBytesMax,
      cost.shareText.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
    else {
      throw .invalid(
        field: "reason",
        problem:
          "must be a text in one line; with what is said of the key it may have \(BillingLimits.reasonBytesMax) bytes"
      )
    }
    return cost
  }

  private func key() throws(BillingError) -> SharedCost.Key {
    guard (by == "usage") != meter.isEmpty else {
      throw .invalid(field: "meter", problem: "is needed by usage, and only then")
    }
    guard (by == "weights") != weights.isEmpty else {
      throw .invalid(field: "weights", problem: "are needed by weights, and only then")
    }
    switch by {
    case "equal": return .equal
    case "totals": return .totals
    case "usage": return .usage(meter: meter)
    case "weights":
      var numbers: [String: Quantity] = [:]
      for weight in weights {
        guard weight.weight >= .zero,
          numbers.updateValue(weight.weight, forKey: weight.subscription) == nil
        else {
          throw .invalid(
            field: "weights",
            problem: "\(weight.subscription) must have one weight, which is not below zero")
        }
      }
      return .weights(numbers)
    default:
      throw .invalid(field: "by", problem: "must be equal, totals, usage or weights")
    }
  }
}
