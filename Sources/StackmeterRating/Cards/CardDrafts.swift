internal import StackmeterCore

/// What stands above the groups and meters of a card.
struct CardHead {
  typealias Placed = CardReader.Placed

  var name: Placed<String>?
  var version: Placed<Int>?
  var effective: Placed<Day>?
  var currency: Placed<Currency>?
  var rounding: Placed<Rounding>?
  var tax: Placed<String>?
  private var seen: [String: CardPlace] = [:]

  mutating func read(_ word: String, at place: CardPlace, _ line: inout CardLine)
    throws(CardProblem)
  {
    try once(word, at: place, &seen)
    let value = line.place
    switch word {
    case "card": name = Placed(value: try line.name("the name of the card"), place: value)
    case "version":
      let text = try line.next("the number of the version").text
      guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
        (1...RateCardLimits.versionMax).contains(number)
      else {
        throw CardProblem(
          value, "the version is a whole number from 1 to \(RateCardLimits.versionMax)")
      }
      version = Placed(value: number, place: value)
    case "effective":
      guard let day = Day(parsing: try line.next("the day that the card takes effect on").text)
      else {
        throw CardProblem(
          value, "the day must be one of the calendar, written 2026-12-31; it begins at 00:00 UTC")
      }
      effective = Placed(value: day, place: value)
    case "currency":
      let code = try line.next("the code of a currency").text
      guard let known = Currency(code: code) else {
        throw CardProblem(
          value, "\(code) is not the code of a currency in use by ISO 4217, such as EUR or USD")
      }
      currency = Placed(value: known, place: value)
    case "rounding":
      let rule = try line.next("a rule of rounding").text
      guard let known = Rounding(rawValue: rule) else {
        let all = Rounding.allCases.map(\.rawValue).joined(separator: ", ")
        throw CardProblem(value, "\(rule) is no rule of rounding: write one of \(all)")
      }
      rounding = Placed(value: known, place: value)
    default: tax = Placed(value: try line.text("the note about tax"), place: value)
    }
  }

  func check(_ problems: inout [CardProblem]) {
    for (word, example) in [
      ("card", "card standard"), ("version", "version 1"), ("effective", "effective 2026-12-01"),
      ("currency", "currency EUR"),
    ] where seen[word] == nil {
      problems.append(
        CardProblem(
          CardPlace(line: 1, column: 1),
          "\(word) is missing: add a line such as \(example) at the top"))
    }
  }
}

/// Throws where a word stands a second time in the same section.
func once(_ word: String, at place: CardPlace, _ seen: inout [String: CardPlace])
  throws(CardProblem)
{
  if let first = seen[word] {
    throw CardProblem(
      place, "\(word) stands in line \(first.line) already: keep one of the two")
  }
  seen[word] = place
}

/// A group as far as it was read.
struct GroupDraft {
  typealias Placed = CardReader.Placed

  let place: CardPlace
  var name: Placed<String>?
  var subscriptions: [Placed<String>] = []
  var costCenters: [Placed<String>] = []
  var owners: [Placed<String>] = []
  var tags: [Placed<RateGroup.Tag>] = []
  var discount: Placed<Percent>?
  var commitment: (amount: Placed<String>, discount: Percent)?
  private var seen: [String: CardPlace] = [:]

  init(place: CardPlace) {
    self.place = place
  }

  var memberCount: Int { subscriptions.count + costCenters.count + owners.count + tags.count }

  mutating func read(_ word: String, at place: CardPlace, _ line: inout CardLine)
    throws(CardProblem)
  {
    let value = line.place
    switch word {
    case "subscription":
      let id = try line.text("the id of a subscription").asciiLowercased
      guard id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw CardProblem(value, "the id of a subscription has visible ASCII characters only")
      }
      subscriptions.append(Placed(value: id, place: value))
    case "cost-center":
      costCenters.append(Placed(value: try line.text("a cost center"), place: value))
    case "owner": owners.append(Placed(value: try line.text("an owner"), place: value))
    case "tag":
      let name = try line.text("the name of a tag")
      let tag = RateGroup.Tag(
        name: ExactText(name), value: ExactText(try line.text("the value of the tag")))
      tags.append(Placed(value: tag, place: value))
    case "discount":
      try once(word, at: place, &seen)
      discount = Placed(value: try line.percent(), place: value)
    default:
      try once(word, at: place, &seen)
      let amount = try line.next("the amount that each member commits to").text
      guard line.skip("discount") else {
        throw CardProblem(
          line.place, "say what the commitment is worth: write commitment \(amount) discount 10%")
      }
      commitment = (Placed(value: amount, place: value), try line.percent())
    }
  }

  /// Nil where something is missing.
  func group(_ currency: Currency) -> RateGroup? {
    guard let name else { return nil }
    let commitment = commitment.flatMap { commitment in
      (try? Money(parsing: commitment.amount.value, currency)).map {
        Commitment(amount: $0, discount: commitment.discount)
      }
    }
    return RateGroup(
      name: name.value, subscriptions: subscriptions.map(\.value),
      costCenters: costCenters.map(\.value), owners: owners.map(\.value), tags: tags.map(\.value),
      discount: discount?.value ?? .zero, commitment: commitment)
  }
}

/// A meter as far as it was read.
struct MeterDraft {
  typealias Placed = CardReader.Placed

  let place: CardPlace
  var id: Placed<String>?
  var name: Placed<String>?
  var unit: Placed<String>?
  var billingMeter: Placed<String>?
  var rates: [RateDraft] = []
  private var seen: [String: CardPlace] = [:]

  init(place: CardPlace) {
    self.place = place
  }

  mutating func read(_ word: String, at place: CardPlace, _ line: inout CardLine)
    throws(CardProblem)
  {
    try once(word, at: place, &seen)
    let value = line.place
    switch word {
    case "name": name = Placed(value: try line.text("the name of the meter"), place: value)
    case "unit": unit = Placed(value: try line.text("the unit of the meter"), place: value)
    default:
      billingMeter = Placed(
        value: try line.text("the id that the meter is billed under"), place: value)
    }
  }

  mutating func readOfRate(_ word: String, at place: CardPlace, _ line: inout CardLine)
    throws(CardProblem)
  {
    try rates[rates.count - 1].read(word, at: place, &line)
  }

  /// A line of the rate was not understood: it may have been the one with its prices.
  mutating func skipLineOfRate() {
    rates[rates.count - 1].isUnclear = true
  }

  /// Nil where something is missing.
  func meter(_ currency: Currency) -> RatedMeter? {
    guard let id else { return nil }
    return RatedMeter(
      id: id.value, name: name?.value ?? "", unit: unit?.value ?? "",
      billingMeter: billingMeter?.value ?? id.value, rates: rates.compactMap { $0.rate(currency) })
  }
}
