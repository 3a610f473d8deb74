package import CStackmeterProto
package import StackmeterCore

/// `Aggregator.Restate`.
package struct RestateRequest: WireMessage, Hashable {
  /// Only say what would change.
  package var isDryRun: Bool

  package init(isDryRun: Bool) {
    self.isDryRun = isDryRun
  }

  package init(wire raw: borrowing Stackmeter__V1__RestateRequest) {
    isDryRun = raw.dry_run != 0
  }

  package func fill(_ raw: inout Stackmeter__V1__RestateRequest, _ packer: borrowing Packer) {
    raw.dry_run = isDryRun ? 1 : 0
  }
}

/// What was restated, or would be.
package struct RestateResponse: WireMessage, Hashable {
  /// Differences that are listed.
  package static let differencesMax = 100

  /// A meter that is counted in another way.
  package struct RestatedMeter: Hashable, Sendable {
    package var meter = ""
    package var from = Aggregation.sum
    package var to = Aggregation.sum
    package var series: UInt64 = 0
    package var hours: UInt64 = 0
    package var hoursLookedAt: UInt64 = 0
    /// Nil where one of them is too large.
    package var totals: Totals? = Totals(before: .zero, after: .zero)

    package init() {}
  }

  package struct Totals: Hashable, Sendable {
    package var before: Quantity
    package var after: Quantity

    package init(before: Quantity, after: Quantity) {
      self.before = before
      self.after = after
    }
  }

  /// What one usage hour of a series changes by.
  package struct Difference: Hashable, Sendable {
    package var subscription: String
    package var meter: String
    package var resourceURI: String
    package var usageHour: Hour
    /// Nil where it is too large.
    package var quantity: Quantity?

    package init(
      subscription: String, meter: String, resourceURI: String, usageHour: Hour,
      quantity: Quantity?
    ) {
      self.subscription = subscription
      self.meter = meter
      self.resourceURI = resourceURI
      self.usageHour = usageHour
      self.quantity = quantity
    }
  }

  package var isApplied = false
  package var position: UInt64 = 0
  package var window = Hour(index: 0)
  /// The first usage hour that was restated; nil for all.
  package var fromHour: Hour?
  package var meters: [RestatedMeter] = []
  /// The first ones.
  package var differences: [Difference] = []
  package var differenceCount: UInt64 = 0
  /// Differences that no aggregate can hold.
  package var unapplied: UInt64 = 0

  package init() {}

  package init(wire raw: borrowing Stackmeter__V1__RestateResponse) throws(WireError) {
    isApplied = raw.applied != 0
    position = raw.position
    window = Hour(index: raw.window)
    fromHour = raw.from_hour == 0 ? nil : Hour(index: raw.from_hour)
    differenceCount = raw.difference_count
    unapplied = raw.unapplied
    meters = try elements(raw.meters, raw.n_meters) { (raw) throws(WireError) in
      try RestatedMeter(wire: raw)
    }
    differences = try elements(raw.differences, raw.n_differences) { (raw) throws(WireError) in
      Difference(
        subscription: text(raw.subscription), meter: text(raw.meter),
        resourceURI: text(raw.resource_uri), usageHour: Hour(index: raw.usage_hour),
        quantity: raw.too_large != 0 ? nil : try Quantity(wire: raw.quantity))
    }
  }

  package func fill(_ raw: inout Stackmeter__V1__RestateResponse, _ packer: borrowing Packer) {
    raw.applied = isApplied ? 1 : 0
    raw.position = position
    raw.window = window.index
    raw.from_hour = fromHour?.index ?? 0
    raw.difference_count = differenceCount
    raw.unapplied = unapplied
    raw.n_meters = meters.count
    raw.meters = packer.arena.messages(meters) {
      (meter, raw: inout Stackmeter__V1__RestatedMeter) in
      raw.meter = packer.arena.text(meter.meter)
      raw.from = packer.arena.text(meter.from.rawValue)
      raw.to = packer.arena.text(meter.to.rawValue)
      raw.series = meter.series
      raw.hours = meter.hours
      raw.hours_looked_at = meter.hoursLookedAt
      raw.too_large = meter.totals == nil ? 1 : 0
      guard let totals = meter.totals else { return }
      raw.before = totals.before.wire(packer.arena)
      raw.after = totals.after.wire(packer.arena)
    }
    raw.n_differences = differences.count
    raw.differences = packer.arena.messages(differences) {
      (difference, raw: inout Stackmeter__V1__RestatedUsage) in
      raw.subscription = packer.arena.text(difference.subscription)
      raw.meter = packer.arena.text(difference.meter)
      raw.resource_uri = packer.arena.text(difference.resourceURI)
      raw.usage_hour = difference.usageHour.index
      raw.too_large = difference.quantity == nil ? 1 : 0
      if let quantity = difference.quantity { raw.quantity = quantity.wire(packer.arena) }
    }
  }
}

extension RestateResponse.RestatedMeter {
  fileprivate init(wire raw: borrowing Stackmeter__V1__RestatedMeter) throws(WireError) {
    meter = text(raw.meter)
    guard let from = Aggregation(rawValue: text(raw.from)),
      let to = Aggregation(rawValue: text(raw.to))
    else {
      throw .invalidField(
        field: "meters",
        problem: "has an aggregation that is unknown: \(text(raw.from)), \(text(raw.to))"
      )
    }
    (self.from, self.to) = (from, to)
    series = raw.series
    hours = raw.hours
    hoursLookedAt = raw.hours_looked_at
    totals =
      raw.too_large != 0
      ? nil
      : RestateResponse.Totals(
        before: try Quantity(wire: raw.before), after: try Quantity(wire: raw.after))
  }
}
