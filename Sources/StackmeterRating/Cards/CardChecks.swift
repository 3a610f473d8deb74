internal import StackmeterCore

/// What must hold between the lines of a card.
extension CardReader {
  mutating func checkGroups() {
    if groups.count > RateCardLimits.groupsMax {
      problem(
        groups[RateCardLimits.groupsMax].place,
        "a card has at most \(RateCardLimits.groupsMax) groups")
    }
    var names: [String: CardPlace] = [:]
    var members: [[String]: CardPlace] = [:]
    for group in groups {
      if let name = group.name {
        repeated(name.value, "group \(name.value)", at: name.place, &names)
      }
      if group.memberCount == 0 {
        problem(
          group.place,
          "the group has no members: add a line with subscription, cost-center, owner or tag")
      }
      if group.memberCount > RateCardLimits.groupMembersMax {
        problem(
          group.place,
          "a group has at most \(RateCardLimits.groupMembersMax) lines for its members: use a tag")
      }
      for member in group.subscriptions {
        repeated(
          ["s", member.value], "subscription \(member.value)", at: member.place, &members)
      }
      for member in group.costCenters {
        repeated(["c", member.value], "cost-center \(member.value)", at: member.place, &members)
      }
      for member in group.owners {
        repeated(["o", member.value], "owner \(member.value)", at: member.place, &members)
      }
      for member in group.tags {
        let (name, value) = (member.value.name.text, member.value.value.text)
        repeated(["t", name, value], "tag \(name) \(value)", at: member.place, &members)
      }
      if let amount = group.commitment?.amount { checkAmount(amount, "the commitment") }
    }
  }

  private mutating func repeated<Key: Hashable>(
    _ key: Key, _ what: String, at place: CardPlace, _ seen: inout [Key: CardPlace]
  ) {
    if let first = seen[key] {
      problem(place, "\(what) stands in line \(first.line) already: keep one of the two")
    } else {
      seen[key] = place
    }
  }

  /// An amount needs the currency, which may be read later.
  private mutating func checkAmount(_ amount: Placed<String>, _ what: String) {
    guard let currency = head.currency?.value else { return }
    do throws(DecimalError) {
      let money = try Money(parsing: amount.value, currency)
      if money.isNegative || money.isZero {
        problem(amount.place, "\(what) \(amount.value) is not above zero")
      }
    } catch {
      let digits =
        if case .tooPrecise(let digits) = error {
          "has more digits after the point than the \(digits) of \(currency.code)"
        } else { error.explanation }
      problem(amount.place, "\(what) \(amount.value) \(digits)")
    }
  }

  mutating func checkMeters(_ end: CardPlace) {
    if meters.isEmpty {
      problem(end, "the card prices nothing: add a meter with a rate")
    }
    if meters.count > RateCardLimits.metersMax {
      problem(
        meters[RateCardLimits.metersMax].place,
        "a card has at most \(RateCardLimits.metersMax) meters")
    }
    let groups = Dictionary(
      self.groups.compactMap { group in group.name.map { ($0.value, group) } },
      uniquingKeysWith: { first, _ in first })
    var ids: [ExactText: CardPlace] = [:]
    for meter in meters {
      if let id = meter.id {
        repeated(
          ExactText(id.value.asciiLowercased), "meter \(id.value)", at: id.place, &ids)
      }
      if meter.rates.isEmpty {
        problem(meter.place, "the meter has no rate: add rate, and below it price")
      }
      if meter.rates.count > RateCardLimits.ratesOfMeterMax {
        problem(
          meter.place, "a meter has at most \(RateCardLimits.ratesOfMeterMax) rates")
      }
      var scopes: [[String]: CardPlace] = [:]
      for rate in meter.rates {
        // A location cannot be empty, so an empty text stands for everywhere.
        repeated(
          [rate.group?.value ?? "", rate.location?.value.asciiLowercased ?? ""],
          "a rate for the same subscriptions and location", at: rate.place, &scopes)
        if let group = rate.group, groups[group.value] == nil {
          problem(group.place, "there is no group \(group.value): add it, or correct its name")
        }
        check(rate)
        if problems.count > RateCardLimits.problemsMax { return }
      }
    }
  }

  private mutating func check(_ rate: RateDraft) {
    guard let form = rate.form else {
      if rate.isUnclear { return }
      problem(rate.place, "the rate has no price: add price, graduated or volume below it")
      return
    }
    if form.value != .flat && rate.hasAllTiers {
      if rate.tiers.last.map({ $0.upTo != nil }) ?? true {
        problem(
          form.place, "the last tier has an end: add beyond and the price of all that is more")
      }
      if rate.tiers.count == 1 && rate.tiers[0].upTo == nil {
        problem(
          form.place, "there is one tier only: write price in place of \(form.value.rawValue)")
      }
    }
    let package = rate.package?.value ?? Quantity(1)
    if let size = rate.package, rate.countsStarted, package.remainingAttos != 0 {
      problem(size.place, "packages that count when begun have a whole number, not \(package)")
      return
    }
    var before = Quantity.zero
    for tier in rate.tiers {
      guard let bound = tier.upTo else { continue }
      if bound.value <= before {
        problem(
          bound.place,
          "the tier ends at \(bound.value), where the one above has ended at \(before): put the tiers in order"
        )
      }
      before = bound.value
      checkWhole(bound, package, rate, "the end of the tier")
    }
    if let included = rate.included {
      checkWhole(included, package, rate, "the quantity included")
      if rate.isIncludedBeforeTiers && form.value == .flat {
        problem(included.place, "there are no tiers: remove before-tiers")
      }
      if rate.isIncludedBeforeTiers, included.value.adding(before) == nil {
        problem(included.place, "the tiers after \(included.value) end past what a quantity can be")
      }
    }
    if let minimum = rate.minimum { checkAmount(minimum, "the minimum") }
    checkExact(rate, package)
  }

  /// Packages that count when begun must fill tiers.
  private mutating func checkWhole(
    _ quantity: Placed<Quantity>, _ package: Quantity, _ rate: RateDraft, _ what: String
  ) {
    if rate.countsStarted && quantity.value.attos % package.attos != 0 {
      problem(
        quantity.place,
        "\(what), \(quantity.value), is not a whole number of packages of \(package)")
    }
  }

  /// A price must stay exact, whatever discount is off it and for however many it is.
  private mutating func checkExact(_ rate: RateDraft, _ package: Quantity) {
    var discounts: [Percent] = [rate.discount?.value ?? .zero]
    if rate.discount == nil && rate.group == nil {
      discounts += groups.compactMap { $0.discount?.value }
    }
    for tier in rate.tiers {
      let one =
        rate.countsStarted ? tier.price.value : tier.price.value.divided(by: package)
      guard let one else {
        problem(
          tier.price.place,
          "\(tier.price.value) per \(package) is not exact for one: it needs more than \(Price.fractionDigits) digits. "
            + "Write the price of one, or of another number")
        continue
      }
      if let discount = discounts.first(where: { one.discounted(by: $0) == nil }) {
        problem(
          tier.price.place,
          "\(tier.price.value) less \(discount) is not exact: it needs more than \(Price.fractionDigits) digits. "
            + "Write a price or a discount with fewer digits")
      }
    }
  }
}
