package import CStackmeterProto
package import StackmeterCore

/// `Query.Summarize`: exact totals by usage time, each of one meter.
package struct SummarizeRequest: WireMessage, Hashable {
  package var caller: Caller
  /// Usage hours.
  package var hours: Range<Hour>
  package var byDay: Bool
  package var bySubscription: Bool
  /// Empty for all that the caller may see.
  package var subscriptions: [String]
  package var meters: [String]

  package init(
    caller: Caller, hours: Range<Hour>, byDay: Bool = false, bySubscription: Bool = false,
    subscriptions: [String] = [], meters: [String] = []
  ) {
    self.caller = caller
    self.hours = hours
    self.byDay = byDay
    self.bySubscription = bySubscription
    self.subscriptions = subscriptions
    self.meters = meters
  }

  package init(wire raw: borrowing Stackmeter__V1__SummarizeRequest) throws(WireError) {
    caller = try Caller(wire: raw.caller)
    hours = try StackmeterWire.hours(from: raw.from_hour, to: raw.to_hour, "from_hour", "to_hour")
    byDay = raw.by_day != 0
    bySubscription = raw.by_subscription != 0
    subscriptions = try filter(raw.subscriptions, raw.n_subscriptions, "subscriptions")
      .map(\.asciiLowercased)
    meters = try filter(raw.meters, raw.n_meters, "meters")
  }

  package func fill(_ raw: inout Stackmeter__V1__SummarizeRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.from_hour = hours.lowerBound.index
    raw.to_hour = hours.upperBound.index
    raw.by_day = byDay ? 1 : 0
    raw.by_subscription = bySubscription ? 1 : 0
    raw.n_subscriptions = subscriptions.count
    raw.subscriptions = packer.arena.texts(subscriptions)
    raw.n_meters = meters.count
    raw.meters = packer.arena.texts(meters)
  }
}

/// The totals, in the order of day, subscription, meter.
package struct SummarizeResponse: WireMessage, Hashable {
  package static let totalsMax = 10_000

  package var totals: [UsageTotal]
  /// The sources that usage of the question still waits for.
  package var missing: MissingSources

  package init(totals: [UsageTotal], missing: MissingSources = .none) {
    self.totals = totals
    self.missing = missing
  }

  package init(wire raw: borrowing Stackmeter__V1__SummarizeResponse) throws(WireError) {
    missing = MissingSources(wire: raw.missing)
    totals = try elements(raw.totals, raw.n_totals) { (raw) throws(WireError) in
      let subscription = text(raw.subscription)
      return UsageTotal(
        day: raw.day == 0 ? nil : Day(index: raw.day),
        subscription: subscription.isEmpty ? nil : subscription, meter: text(raw.meter),
        quantity: try Quantity(wire: raw.quantity), isProvisional: raw.provisional != 0,
        isFinal: raw.final != 0)
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__SummarizeResponse, _ packer: borrowing Packer) {
    raw.missing = missing.wire(packer.arena)
    raw.n_totals = totals.count
    raw.totals = packer.arena.messages(totals) {
      (total, raw: inout Stackmeter__V1__UsageTotal) in
      raw.day = total.day?.index ?? 0
      raw.subscription = packer.arena.text(total.subscription ?? "")
      raw.meter = packer.arena.text(total.meter)
      raw.quantity = total.quantity.wire(packer.arena)
      raw.provisional = total.isProvisional ? 1 : 0
      raw.final = total.isFinal ? 1 : 0
    }
  }
}
