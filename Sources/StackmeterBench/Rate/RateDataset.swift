internal import StackmeterCore
internal import StackmeterRating

/// A month of usage of many subscriptions, each of the same meters, and a card with each form of prices.
struct RateDataset {
  /// Meters of the shipped catalog, in the order in which they are rated.
  static let meters = [
    "09F8879E-87E9-4305-A572-4B7BE209F857",
    "190C935E-9ADA-48FF-9AB8-56EA1CF9ADAA",
    "43DAF82B-4618-444A-B994-40C23F7CD438",
    "9CD92D4C-BAFD-4492-B278-BEDC2DE8232A",
    "FAB6EB84-500B-4A09-A8CA-7358F8BBAEA5",
  ]
  static let resources = 2
  static let seriesPerSubscription = meters.count * resources
  private static let hoursOfMonth = 720
  static let period = BillingPeriod(containing: Day(index: 20_758))

  /// In the order in which they are rated, or in none.
  let rows: [UsageAggregate]
  /// The sum of all quantities, in attos.
  let used: Int128

  init(_ options: RateOptions, isShuffled: Bool) {
    let hours =
      Int(options.aggregates.count)
      / (options.subscriptions * RateDataset.seriesPerSubscription)
    let first = RateDataset.period.start.firstHour.index
    // Subscriptions use something at different hours, so that all hours of the month have usage.
    let between = max(1, RateDataset.hoursOfMonth / hours)
    var random = SplitMix(seed: options.seed)
    var rows: [UsageAggregate] = []
    rows.reserveCapacity(Int(options.aggregates.count))
    var used: Int128 = 0
    for number in 0..<options.subscriptions {
      let digits = String(1_000_000_000_000 + number).dropFirst()
      let subscription = "00000000-0000-4000-8000-\(digits)"
      for meter in RateDataset.meters {
        let series = (0..<RateDataset.resources).map { resource in
          Series(
            subscription: subscription, meter: meter,
            resource: Resource(
              uri: "/subscriptions/\(subscription)/resourceGroups/rg/providers/"
                + "Microsoft.Compute/virtualMachines/vm\(resource)",
              location: resource == 0 ? "west" : "east", tags: #"{"team":"red"}"#))
        }
        for hour in 0..<hours {
          let start = Hour(
            index: first + Int64(hour * RateDataset.hoursOfMonth / hours + number % between))
          for series in series {
            // Up to 4 units, with digits down to the last.
            let attos = Int128(random.next() >> 2)
            used += attos
            rows.append(
              UsageAggregate(
                series: series, usageStart: start.start, usageEnd: start.end,
                quantity: Quantity(attos: attos) ?? .zero, window: start.next,
                isProvisional: false))
          }
        }
      }
    }
    if isShuffled { rows.shuffle(using: &random) }
    self.rows = rows
    self.used = used
  }

  static func book() throws -> RateBook {
    try RateBook([RateCard(parsing: Array(card.utf8))])
  }

  static let cardName = "bench"
  static let card = """
    card \(cardName)
    version 1
    effective 2026-11-01
    currency EUR
    meter \(meters[0])
      rate
        price 0.008
      rate in west
        price 0.010
    meter \(meters[1])
      rate
        graduated
          up-to 10 1
          up-to 100 0.5
          beyond 0.25
        included 3
    meter \(meters[2])
      rate
        volume per 10000
          up-to 20 0.0036
          beyond 0.0030
    meter \(meters[3])
      rate
        price 3 per started 10
    meter \(meters[4])
      rate
        price 1
        minimum 20.00
        discount 12.5%
    """
}
