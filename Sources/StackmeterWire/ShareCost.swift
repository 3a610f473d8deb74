package import CStackmeterProto
package import StackmeterCore

/// `Billing.ShareCost`: a cost that several subscriptions bear.
package struct ShareCostRequest: WireMessage, Hashable {
  package struct Weight: Hashable, Sendable {
    /// In lower case.
    package var subscription: String
    package var weight: Quantity

    package init(subscription: String, weight: Quantity) {
      self.subscription = subscription.asciiLowercased
      self.weight = weight
    }
  }

  /// Weights that are taken.
  package static let weightsMax = 10_000

  /// `2026-11`.
  package var period: String
  package var amount: String
  package var reason: String
  /// equal, totals, usage or weights.
  package var by: String
  /// By usage: which; empty otherwise.
  package var meter: String
  /// By weights: whose; empty otherwise.
  package var weights: [Weight]
  /// In lower case; empty for nobody.
  package var payer: String
  package var isDryRun: Bool
  package var acceptsEstimated: Bool

  package init(
    period: String, amount: String, reason: String, by: String, meter: String = "",
    weights: [Weight] = [], payer: String = "", isDryRun: Bool = false,
    acceptsEstimated: Bool = false
  ) {
    self.period = period
    self.amount = amount
    self.reason = reason
    self.by = by
    self.meter = meter
    self.weights = weights
    self.payer = payer.asciiLowercased
    self.isDryRun = isDryRun
    self.acceptsEstimated = acceptsEstimated
  }

  package init(wire raw: borrowing Stackmeter__V1__ShareCostRequest) throws(WireError) {
    guard raw.n_weights <= ShareCostRequest.weightsMax else {
      throw .invalidField(
        field: "weights",
        problem: "has \(raw.n_weights); at most \(ShareCostRequest.weightsMax) are taken")
    }
    self.init(
      period: text(raw.period), amount: text(raw.amount), reason: text(raw.reason),
      by: text(raw.by), meter: text(raw.meter),
      weights: try elements(raw.weights, raw.n_weights) { (raw) throws(WireError) in
        Weight(subscription: text(raw.subscription), weight: try Quantity(wire: raw.weight))
      },
      payer: text(raw.payer), isDryRun: raw.dry_run != 0,
      acceptsEstimated: raw.accept_estimated != 0)
  }

  package func fill(_ raw: inout Stackmeter__V1__ShareCostRequest, _ packer: borrowing Packer) {
    raw.period = packer.arena.text(period)
    raw.amount = packer.arena.text(amount)
    raw.reason = packer.arena.text(reason)
    raw.by = packer.arena.text(by)
    raw.meter = packer.arena.text(meter)
    raw.n_weights = weights.count
    raw.weights = packer.arena.messages(weights) {
      (weight, raw: inout Stackmeter__V1__ShareWeight) in
      raw.subscription = packer.arena.text(weight.subscription)
      raw.weight = weight.weight.wire(packer.arena)
    }
    raw.payer = packer.arena.text(payer)
    raw.dry_run = isDryRun ? 1 : 0
    raw.accept_estimated = acceptsEstimated ? 1 : 0
  }
}

/// What stands on statements of it.
package struct ShareCostResponse: WireMessage, Hashable {
  package struct Share: Hashable, Sendable {
    package var subscription: String
    package var amount: String

    package init(subscription: String, amount: String) {
      self.subscription = subscription
      self.amount = amount
    }
  }

  package var shares: [Share]
  package var currency: String
  /// It was shared before.
  package var isKnown: Bool

  package init(shares: [Share], currency: String, isKnown: Bool) {
    self.shares = shares
    self.currency = currency
    self.isKnown = isKnown
  }

  package init(wire raw: borrowing Stackmeter__V1__ShareCostResponse) throws(WireError) {
    shares = try elements(raw.shares, raw.n_shares) { (raw) throws(WireError) in
      Share(subscription: text(raw.subscription), amount: text(raw.amount))
    }
    currency = text(raw.currency)
    isKnown = raw.known != 0
  }

  package func fill(_ raw: inout Stackmeter__V1__ShareCostResponse, _ packer: borrowing Packer) {
    raw.n_shares = shares.count
    raw.shares = packer.arena.messages(shares) { (share, raw: inout Stackmeter__V1__CostShare) in
      raw.subscription = packer.arena.text(share.subscription)
      raw.amount = packer.arena.text(share.amount)
    }
    raw.currency = packer.arena.text(currency)
    raw.known = isKnown ? 1 : 0
  }
}
