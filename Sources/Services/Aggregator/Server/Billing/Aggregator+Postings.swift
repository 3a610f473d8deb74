internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// Writing down credits and adjustments.
extension Aggregator {
  package func write(
    _ request: WritePostingRequest
  ) throws(BillingError) -> WritePostingResponse {
    guard let billing = configuration.billing else { throw .notOpen }
    let known: (currency: Currency?, isKnown: Bool, written: Int)
    do throws(StoreError) {
      let reader = try billing.open()
      known = (
        try RateCards(billing.card, reader)?.book.currency,
        try !reader.subscriptions(ids: [request.subscription], after: "", limit: 1).isEmpty,
        try reader.postings(of: request.subscription, usedBefore: nil).count
      )
    } catch { throw .store(error) }
    guard known.isKnown else {
      throw .invalid(field: "subscription", problem: "there is no such subscription")
    }
    guard let currency = known.currency else {
      throw .refused(
        "there is no rate card \(billing.card), which says the currency: add one first")
    }
    guard known.written < BillingLimits.postingsMax else {
      throw .refused(
        "\(known.written) credits and adjustments are written down for this subscription, and more are not taken"
      )
    }
    let posting = try request.posting(currency)
    do throws(StoreError) {
      return WritePostingResponse(
        id: try counter.store.put(postings: [posting])[0], currency: currency.code)
    } catch { throw .store(error) }
  }
}

extension WritePostingRequest {
  /// What is to be written; throws what is wrong with it.
  fileprivate func posting(_ currency: Currency) throws(BillingError) -> Posting {
    guard let kind = Posting.Kind(rawValue: kind), kind != .shared else {
      throw .invalid(field: "kind", problem: "must be credit or adjustment")
    }
    let money: Money
    do throws(DecimalError) { money = try Money(parsing: amount, currency) } catch {
      throw .invalid(field: "amount", problem: error.explanation)
    }
    guard !money.isZero, kind == .adjustment || !money.isNegative else {
      throw .invalid(
        field: "amount",
        problem: kind == .credit ? "a credit is above zero" : "an adjustment is not zero")
    }
    guard (1...BillingLimits.reasonBytesMax).contains(reason.utf8.count),
      reason.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
    else {
      throw .invalid(
        field: "reason",
        problem: "must be a text of 1 to \(BillingLimits.reasonBytesMax) bytes, in one line")
    }
    if let expires, expires <= granted {
      throw .invalid(field: "expires_day", problem: "must be after the day that it is for")
    }
    guard kind == .credit || expires == nil else {
      throw .invalid(field: "expires_day", problem: "an adjustment does not expire")
    }
    return Posting(
      id: 0, kind: kind, subscription: subscription, amount: money.amountText,
      currency: currency.code, reason: reason, granted: granted, expires: expires)
  }
}
