package import CStackmeterProto
package import StackmeterCore

/// `Rating.ListCharges`.
package struct ListChargesRequest: WireMessage, Hashable {
  package static let pageSizeMax = 1000

  package var caller: Caller
  /// In lower case.
  package var subscription: String
  /// `2026-11`.
  package var period: String
  /// 0 for the most.
  package var pageSize: UInt32
  package var pageToken: String
  package var closedWindowsOnly: Bool
  /// Only those of a line of the statement, counted from 1; 0 for all.
  package var line: UInt32

  package init(
    caller: Caller, subscription: String, period: String, pageSize: UInt32 = 0,
    pageToken: String = "", closedWindowsOnly: Bool = false, line: UInt32 = 0
  ) {
    self.line = line
    self.caller = caller
    self.subscription = subscription.asciiLowercased
    self.period = period
    self.pageSize = pageSize
    self.pageToken = pageToken
    self.closedWindowsOnly = closedWindowsOnly
  }

  package init(wire raw: borrowing Stackmeter__V1__ListChargesRequest) throws(WireError) {
    self.init(
      caller: try Caller(wire: raw.caller), subscription: text(raw.subscription),
      period: text(raw.period), pageSize: raw.page_size, pageToken: text(raw.page_token),
      closedWindowsOnly: raw.closed_windows_only != 0, line: raw.line)
  }

  package func fill(_ raw: inout Stackmeter__V1__ListChargesRequest, _ packer: borrowing Packer) {
    raw.caller = caller.wire(packer.arena)
    raw.subscription = packer.arena.text(subscription)
    raw.period = packer.arena.text(period)
    raw.page_size = pageSize
    raw.page_token = packer.arena.text(pageToken)
    raw.closed_windows_only = closedWindowsOnly ? 1 : 0
    raw.line = line
  }
}

/// A priced quantity, its decimals as texts.
package struct ChargeRow: Hashable, Sendable {
  /// What it was priced by.
  package struct Rate: Hashable, Sendable {
    package var card = ""
    package var version: UInt32 = 0
    package var meter = ""
    package var meterName = ""
    package var unit = ""
    package var billingMeter = ""
    /// Empty where it is for all.
    package var group = ""
    package var location = ""
    package var package = ""
    package var countsStarted = false
    package var discount = ""

    package init() {}
  }

  /// The aggregate that it is of.
  package struct Usage: Hashable, Sendable {
    package var series: Series
    package var start: Instant
    package var end: Instant
    package var window: Hour
    package var cell: String?

    package init(series: Series, start: Instant, end: Instant, window: Hour, cell: String?) {
      self.series = series
      self.start = start
      self.end = end
      self.window = window
      self.cell = cell
    }
  }

  package var kind = ""
  package var isAdjustment = false
  package var isProvisional = false
  package var period = ""
  /// Nil where it is of the whole period.
  package var usage: Usage?
  package var meter = ""
  /// Nil where no rate prices it.
  package var rate: Rate?
  package var tier: UInt32 = 0
  package var quantity = "0"
  package var pricedQuantity = "0"
  package var listPrice = "0"
  package var price = "0"
  package var listCost = "0"
  package var cost = "0"

  package init() {}
}

/// A page of charges.
package struct ListChargesResponse: WireMessage, Hashable {
  package var charges: [ChargeRow]
  /// Empty on the last page.
  package var nextPageToken: String
  package var currency: String
  /// The number of the closed statement that they are of; empty for a draft.
  package var statement: String

  package init(
    charges: [ChargeRow], nextPageToken: String = "", currency: String = "", statement: String = ""
  ) {
    self.charges = charges
    self.nextPageToken = nextPageToken
    self.currency = currency
    self.statement = statement
  }

  package init(wire raw: borrowing Stackmeter__V1__ListChargesResponse) throws(WireError) {
    nextPageToken = text(raw.next_page_token)
    currency = text(raw.currency)
    statement = text(raw.statement)
    let series = try elements(raw.series, raw.n_series) { (raw) throws(WireError) in
      try Series(wire: raw)
    }
    let rates = try elements(raw.rates, raw.n_rates) { (raw) throws(WireError) in
      ChargeRow.Rate(raw)
    }
    charges = try elements(raw.charges, raw.n_charges) { (raw) throws(WireError) in
      guard raw.series <= series.count, raw.rate <= rates.count else {
        throw .invalidField(
          field: "charges",
          problem:
            "has series \(raw.series) or rate \(raw.rate), but the answer has \(series.count) and "
            + "\(rates.count)")
      }
      var row = ChargeRow(raw)
      if raw.series > 0 {
        row.usage = ChargeRow.Usage(
          series: series[Int(raw.series) - 1], start: Instant(nanoseconds: raw.usage_start),
          end: Instant(nanoseconds: raw.usage_end), window: Hour(index: raw.window),
          cell: nonEmptyText(raw.cell))
      }
      if raw.rate > 0 { row.rate = rates[Int(raw.rate) - 1] }
      return row
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__ListChargesResponse, _ packer: borrowing Packer) {
    raw.next_page_token = packer.arena.text(nextPageToken)
    raw.currency = packer.arena.text(currency)
    raw.statement = packer.arena.text(statement)
    var series: [Series] = []
    var seriesNumbers: [Series: UInt32] = [:]
    var rates: [ChargeRow.Rate] = []
    var rateNumbers: [ChargeRow.Rate: UInt32] = [:]
    for charge in charges {
      if let found = charge.usage?.series, seriesNumbers[found] == nil {
        series.append(found)
        seriesNumbers[found] = UInt32(series.count)
      }
      if let rate = charge.rate, rateNumbers[rate] == nil {
        rates.append(rate)
        rateNumbers[rate] = UInt32(rates.count)
      }
    }
    raw.n_series = series.count
    raw.series = packer.arena.messages(series) {
      (series, raw: inout Stackmeter__V1__Series) in series.fill(&raw, packer.arena)
    }
    raw.n_rates = rates.count
    raw.rates = packer.arena.messages(rates) {
      (rate, raw: inout Stackmeter__V1__ChargeRate) in rate.fill(&raw, packer.arena)
    }
    raw.n_charges = charges.count
    raw.charges = packer.arena.messages(charges) {
      (charge, raw: inout Stackmeter__V1__Charge) in
      charge.fill(&raw, packer.arena)
      if let usage = charge.usage {
        raw.series = seriesNumbers[usage.series] ?? 0
        raw.usage_start = usage.start.nanoseconds
        raw.usage_end = usage.end.nanoseconds
        raw.window = usage.window.index
        if let cell = usage.cell { raw.cell = packer.arena.text(cell) }
      }
      if let rate = charge.rate { raw.rate = rateNumbers[rate] ?? 0 }
    }
  }
}

extension ChargeRow.Rate {
  fileprivate init(_ raw: borrowing Stackmeter__V1__ChargeRate) {
    card = text(raw.card)
    version = raw.version
    meter = text(raw.meter)
    meterName = text(raw.meter_name)
    unit = text(raw.unit)
    billingMeter = text(raw.billing_meter)
    group = text(raw.group)
    location = text(raw.location)
    self.package = text(raw.package)
    countsStarted = raw.started != 0
    discount = text(raw.discount)
  }

  fileprivate func fill(_ raw: inout Stackmeter__V1__ChargeRate, _ arena: borrowing Arena) {
    raw.card = arena.text(card)
    raw.version = version
    raw.meter = arena.text(meter)
    raw.meter_name = arena.text(meterName)
    raw.unit = arena.text(unit)
    raw.billing_meter = arena.text(billingMeter)
    raw.group = arena.text(group)
    raw.location = arena.text(location)
    raw.package = arena.text(self.package)
    raw.started = countsStarted ? 1 : 0
    raw.discount = arena.text(discount)
  }
}

extension ChargeRow {
  /// Without usage and rate.
  fileprivate init(_ raw: borrowing Stackmeter__V1__Charge) {
    kind = text(raw.kind)
    isAdjustment = raw.adjustment != 0
    isProvisional = raw.provisional != 0
    period = text(raw.period)
    meter = text(raw.meter)
    tier = raw.tier
    quantity = text(raw.quantity)
    pricedQuantity = text(raw.priced_quantity)
    listPrice = text(raw.list_price)
    price = text(raw.price)
    listCost = text(raw.list_cost)
    cost = text(raw.cost)
  }

  fileprivate func fill(_ raw: inout Stackmeter__V1__Charge, _ arena: borrowing Arena) {
    raw.kind = arena.text(kind)
    raw.adjustment = isAdjustment ? 1 : 0
    raw.provisional = isProvisional ? 1 : 0
    raw.period = arena.text(period)
    raw.meter = arena.text(meter)
    raw.tier = tier
    raw.quantity = arena.text(quantity)
    raw.priced_quantity = arena.text(pricedQuantity)
    raw.list_price = arena.text(listPrice)
    raw.price = arena.text(price)
    raw.list_cost = arena.text(listCost)
    raw.cost = arena.text(cost)
  }
}
