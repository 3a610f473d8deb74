internal import StackmeterBilling
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterStore
package import StackmeterWire

/// What usage costs one subscription now: the rates of the version that holds today, for its group.
extension Rating {
  package func listRates(
    _ request: ListRatesRequest
  ) async throws(QueryError) -> ListRatesResponse {
    let now = clock.now().hour
    let missing = QueryError.missing(
      "the subscription \"\(request.subscription)\" could not be found")
    let visible = try await visibleHours(request.caller, of: request.subscription)
    guard visible.contains(now) else { throw missing }
    let found = try await query.readers.read {
      [self] (reader) throws(StoreError) -> (RateCard, Subscription)? in
      guard let cards = try rateCards(reader) else { return nil }
      let card = cards.book.version(on: now.day) ?? cards.book.versions[0]
      return (card, try Rating.subscription(request.subscription, reader))
    }
    guard let (version, subscription) = found else {
      throw .missing(
        "there is no rate card \(card); an operator adds one with stackmeter rates apply")
    }
    return ListRatesResponse(version, version.group(of: subscription), after: Int(request.after))
  }
}

extension ListRatesResponse {
  fileprivate init(_ card: RateCard, _ group: RateGroup?, after: Int) {
    self.init(rates: [])
    self.card = card.name
    version = UInt32(clamping: card.version)
    effective = card.effective
    currency = card.currency.code
    if let of = group?.commitment {
      commitment = of.amount.amountText
      commitmentDiscount = String(of.discount.description.dropLast())
    }
    var number = 0
    var bytes = 0
    for meter in card.meters {
      for rate in meter.rates(for: group) {
        number += 1
        guard number > after else { continue }
        guard rates.count < ListRatesRequest.pageSizeMax, bytes < UsagePage.bytesMax else {
          nextAfter = UInt32(number - 1)
          return
        }
        let row = MeterRate(meter, rate, group)
        bytes += 1024 + 64 * row.from.count
        rates.append(row)
      }
    }
  }
}

extension MeterRate {
  fileprivate init(_ of: RatedMeter, _ rate: Rate, _ group: RateGroup?) {
    self.init()
    let schedule = rate.schedule(for: group)
    meter = of.id
    name = of.name
    unit = of.unit
    location = rate.location ?? ""
    included = schedule.included.description
    from = schedule.steps.map(\.from.description)
    prices = schedule.steps.map(\.price.description)
    isVolume = rate.pricing.form == .volume
    startedPackage = rate.pricing.countsStarted ? rate.pricing.package.description : ""
  }
}
