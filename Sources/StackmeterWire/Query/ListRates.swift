package import CStackmeterProto
package import StackmeterCore

/// `Rating.ListRates`.
package struct ListRatesRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000

  package var caller: Caller
  /// In lower case.
  package var subscription: String
  /// Those after so many.
  package var after: UInt32

  package init(caller: Caller, subscription: String, after: UInt32 = 0) {
    self.caller = caller
    self.subscription = subscription.asciiLowercased
    self.after = after
  }

  package init(wire raw: borrowing Stackmeter__V1__ListRatesRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), subscription: text(raw.subscription), after: raw.after)
  }

  package func fill(_ raw: inout Stackmeter__V1__ListRatesRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.subscription = packer.arena.text(subscription)
    raw.after = after
  }
}

/// What the units of a meter cost a subscription at a location, decimals as texts.
package struct MeterRate: Hashable, Sendable {
  package var meter = ""
  package var name = ""
  package var unit = ""
  /// Empty for everywhere.
  package var location = ""
  package var included = "0"
  /// Where each step begins, and its price.
  package var from: [String] = []
  package var prices: [String] = []
  /// All units have the price of the step that the period ends in.
  package var isVolume = false
  /// The size of a package that counts when begun; empty for prices of one unit.
  package var startedPackage = ""

  package init() {}
}

/// A page of the rates of a subscription.
package struct ListRatesResponse: WireMessage, Hashable {
  package var rates: [MeterRate]
  package var card = ""
  package var version: UInt32 = 0
  package var effective = Day(index: 0)
  package var currency = ""
  /// What the subscription has committed to, and the discount for it in percent; empty for nothing.
  package var commitment = ""
  package var commitmentDiscount = ""
  /// The `after` of the next page; 0 on the last one.
  package var nextAfter: UInt32 = 0

  package init(rates: [MeterRate]) {
    self.rates = rates
  }

  package init(wire raw: borrowing Stackmeter__V1__ListRatesResponse) throws(WireError) {
    rates = try elements(raw.rates, raw.n_rates) { (raw) throws(WireError) in
      guard raw.n_from == raw.n_prices else {
        throw .invalidField(
          field: "rates", problem: "has \(raw.n_from) steps and \(raw.n_prices) prices")
      }
      var rate = MeterRate()
      rate.meter = text(raw.meter)
      rate.name = text(raw.name)
      rate.unit = text(raw.unit)
      rate.location = text(raw.location)
      rate.included = text(raw.included)
      rate.from = texts(raw.from, raw.n_from)
      rate.prices = texts(raw.prices, raw.n_prices)
      rate.isVolume = raw.volume != 0
      rate.startedPackage = text(raw.started_package)
      return rate
    }
    card = text(raw.card)
    version = raw.version
    effective = Day(index: raw.effective_day)
    currency = text(raw.currency)
    commitment = text(raw.commitment)
    commitmentDiscount = text(raw.commitment_discount)
    nextAfter = raw.next_after
  }

  package func fill(_ raw: inout Stackmeter__V1__ListRatesResponse, _ packer: borrowing Packer) {
    raw.n_rates = rates.count
    raw.rates = packer.arena.messages(rates) { (rate, raw: inout Stackmeter__V1__MeterRate) in
      raw.meter = packer.arena.text(rate.meter)
      raw.name = packer.arena.text(rate.name)
      raw.unit = packer.arena.text(rate.unit)
      raw.location = packer.arena.text(rate.location)
      raw.included = packer.arena.text(rate.included)
      raw.n_from = rate.from.count
      raw.from = packer.arena.texts(rate.from)
      raw.n_prices = rate.prices.count
      raw.prices = packer.arena.texts(rate.prices)
      raw.volume = rate.isVolume ? 1 : 0
      raw.started_package = packer.arena.text(rate.startedPackage)
    }
    raw.card = packer.arena.text(card)
    raw.version = version
    raw.effective_day = effective.index
    raw.currency = packer.arena.text(currency)
    raw.commitment = packer.arena.text(commitment)
    raw.commitment_discount = packer.arena.text(commitmentDiscount)
    raw.next_after = nextAfter
  }
}
