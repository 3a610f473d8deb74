internal import StackmeterCore

/// A rate as far as it was read.
struct RateDraft {
  typealias Placed = CardReader.Placed

  let place: CardPlace
  var group: Placed<String>?
  var location: Placed<String>?
  var form: Placed<Pricing.Form>?
  var package: Placed<Quantity>?
  var countsStarted = false
  var tiers: [(upTo: Placed<Quantity>?, price: Placed<Price>)] = []
  /// Lines of tiers, also of those that could not be read.
  private var tierLines = 0
  var included: Placed<Quantity>?
  var isIncludedBeforeTiers = false
  var minimum: Placed<String>?
  var discount: Placed<Percent>?
  /// A line of it was not understood: what is missing may be there.
  var isUnclear = false
  private var seen: [String: CardPlace] = [:]

  init(place: CardPlace) {
    self.place = place
  }

  /// What stands behind `rate`: `for GROUP`, `in LOCATION`, both, or nothing.
  mutating func scope(_ line: inout CardLine) throws(CardProblem) {
    while !line.isEmpty {
      let place = line.place
      if group == nil, line.skip("for") {
        group = Placed(value: try line.name("the name of a group"), place: place)
      } else if location == nil, line.skip("in") {
        location = Placed(value: try line.text("a location"), place: place)
      } else {
        throw CardProblem(place, "a rate is for a group, in a location, both, or for all")
      }
    }
  }

  mutating func read(_ word: String, at place: CardPlace, _ line: inout CardLine)
    throws(CardProblem)
  {
    let value = line.place
    switch word {
    case "price", "graduated", "volume":
      if let form {
        throw CardProblem(
          place, "the rate has its prices in line \(form.place.line) already: a rate has one form")
      }
      form = Placed(value: Pricing.Form(rawValue: word) ?? .flat, place: place)
      if word == "price" { tiers.append((nil, Placed(value: try line.price(), place: value))) }
      guard line.skip("per") else { return }
      countsStarted = line.skip("started")
      let sizePlace = line.place
      package = Placed(value: try line.quantity("the size of a package"), place: sizePlace)
    case "up-to", "beyond":
      if form == nil && isUnclear {
        line.skipAll()
        return
      }
      guard let form, form.value != .flat else {
        throw CardProblem(place, "\(word) stands below graduated or volume")
      }
      if let last = tiers.last, last.upTo == nil {
        throw CardProblem(place, "nothing can follow beyond: move it to the end of the tiers")
      }
      guard tiers.count < RateCardLimits.tiersMax else {
        throw CardProblem(place, "a rate has at most \(RateCardLimits.tiersMax) tiers")
      }
      tierLines += 1
      var bound: Placed<Quantity>?
      if word == "up-to" {
        bound = Placed(value: try line.quantity("the end of the tier"), place: value)
      }
      let pricePlace = line.place
      tiers.append((bound, Placed(value: try line.price(), place: pricePlace)))
    case "included":
      try once(word, at: place, &seen)
      included = Placed(value: try line.quantity("the quantity included"), place: value)
      isIncludedBeforeTiers = line.skip("before-tiers")
    case "minimum":
      try once(word, at: place, &seen)
      minimum = Placed(value: try line.next("the least amount of a period").text, place: value)
    default:
      try once(word, at: place, &seen)
      discount = Placed(value: try line.percent(), place: value)
    }
  }

  /// Whether each line of a tier could be read.
  var hasAllTiers: Bool { tierLines == tiers.count }

  /// Nil where something is missing.
  func rate(_ currency: Currency) -> Rate? {
    guard let form else { return nil }
    return Rate(
      group: group?.value, location: location?.value,
      pricing: Pricing(
        form: form.value, package: package?.value ?? Quantity(1), countsStarted: countsStarted,
        tiers: tiers.map { Pricing.Tier(upTo: $0.upTo?.value, price: $0.price.value) }),
      included: included?.value ?? .zero, isIncludedBeforeTiers: isIncludedBeforeTiers,
      minimum: minimum.flatMap { try? Money(parsing: $0.value, currency) },
      discount: discount?.value)
  }
}
