package import StackmeterCore

extension RateCard {
  /// Reads a rate card; all problems are thrown at once. The form is described in the README of this module.
  ///
  /// - Parameter catalog: Each meter of the card must be in it, billable, and have the name and unit that it has there.
  package init(parsing bytes: [UInt8], catalog: MeterCatalog? = nil) throws(RateCardError) {
    var reader = CardReader()
    reader.read(bytes)
    guard let card = reader.finish(catalog) else {
      throw RateCardError(problems: reader.problems)
    }
    self = card
  }
}

/// Reads a card line by line, and goes on after a problem to find the others.
struct CardReader {
  /// A word of the card with its place, so that a later check can name it.
  struct Placed<Value: Sendable>: Sendable {
    let value: Value
    let place: CardPlace
  }

  /// Which words the next lines belong to.
  private enum Section {
    case head, group, meter, rate
  }

  var problems: [CardProblem] = []
  var head = CardHead()
  var groups: [GroupDraft] = []
  var meters: [MeterDraft] = []
  private var section = Section.head
  private var lastLine = 1

  /// The words that may begin a line, by what they belong to.
  private static let words: [(section: Section, words: [String])] = [
    (.head, ["card", "version", "effective", "currency", "rounding", "tax"]),
    (.group, ["subscription", "cost-center", "owner", "tag", "discount", "commitment"]),
    (.meter, ["name", "unit", "billing-meter", "rate"]),
    (
      .rate,
      [
        "price", "graduated", "volume", "up-to", "beyond", "included", "minimum", "discount",
      ]
    ),
  ]

  mutating func read(_ bytes: [UInt8]) {
    let lines = CardLines(bytes, of: "card", bytesMax: RateCardLimits.fileBytesMax)
    problems += lines.problems
    lastLine = lines.count
    for var line in lines.lines {
      do throws(CardProblem) { try read(&line) } catch { problems.append(error) }
    }
  }

  mutating func problem(_ place: CardPlace, _ message: String) {
    problems.append(CardProblem(place, message))
  }

  private mutating func read(_ line: inout CardLine) throws(CardProblem) {
    let keyword = try line.next("a word")
    switch (section, keyword.isQuoted ? "" : keyword.text) {
    case (_, "group"): try group(&line, keyword.place)
    case (_, "meter"): try meter(&line, keyword.place)
    case (.head, let word) where CardReader.begins(word, .head):
      try head.read(word, at: keyword.place, &line)
    case (.group, let word) where CardReader.begins(word, .group):
      try groups[groups.count - 1].read(word, at: keyword.place, &line)
    case (.meter, "rate"), (.rate, "rate"): try rate(&line, keyword.place)
    case (.meter, let word) where CardReader.begins(word, .meter):
      try meters[meters.count - 1].read(word, at: keyword.place, &line)
    case (.rate, let word) where CardReader.begins(word, .rate):
      try meters[meters.count - 1].readOfRate(word, at: keyword.place, &line)
    default:
      if section == .rate { meters[meters.count - 1].skipLineOfRate() }
      throw misplaced(keyword)
    }
    try line.finish()
  }

  private static func begins(_ word: String, _ section: Section) -> Bool {
    words.contains { $0.section == section && $0.words.contains(word) }
  }

  private mutating func group(_ line: inout CardLine, _ place: CardPlace) throws(CardProblem) {
    // Also where the name is wrong: the lines below belong to it.
    section = .group
    groups.append(GroupDraft(place: place))
    let namePlace = line.place
    groups[groups.count - 1].name = Placed(
      value: try line.name("the name of the group"), place: namePlace)
  }

  private mutating func meter(_ line: inout CardLine, _ place: CardPlace) throws(CardProblem) {
    section = .meter
    meters.append(MeterDraft(place: place))
    let idPlace = line.place
    let word = try line.next("the id of the meter")
    guard (1...EventLimits.meterBytesMax).contains(word.text.utf8.count) else {
      throw CardProblem(
        word.place, "the id of a meter has 1 to \(EventLimits.meterBytesMax) bytes")
    }
    meters[meters.count - 1].id = Placed(value: word.text, place: idPlace)
  }

  private mutating func rate(_ line: inout CardLine, _ place: CardPlace) throws(CardProblem) {
    section = .rate
    meters[meters.count - 1].rates.append(RateDraft(place: place))
    try meters[meters.count - 1].rates[meters[meters.count - 1].rates.count - 1].scope(&line)
  }

  /// Says where a word belongs, or which one may be meant.
  private func misplaced(_ word: CardLine.Word) -> CardProblem {
    if !word.isQuoted,
      let home = CardReader.words.first(where: { $0.words.contains(word.text) })?.section
    {
      let place =
        switch home {
        case .head: "above the first group and meter"
        case .group: "below a group"
        case .meter: "below a meter and above its rates"
        case .rate: "below a rate of a meter"
        }
      return CardProblem(word.place, "\(word.text) stands \(place)")
    }
    let known =
      CardReader.words.filter {
        $0.section == section || (section == .rate && $0.section == .meter)
      }.flatMap(\.words) + ["group", "meter"]
    return CardProblem(
      word.place, "\(word.text) is no word of a rate card: \(word.text.hint(among: known))")
  }

  /// The card, where nothing was wrong with it.
  mutating func finish(_ catalog: MeterCatalog?) -> RateCard? {
    head.check(&problems)
    checkGroups()
    checkMeters(CardPlace(line: lastLine, column: 1))
    if let catalog { check(catalog) }
    guard problems.isEmpty, let name = head.name?.value, let version = head.version?.value,
      let effective = head.effective?.value, let currency = head.currency?.value
    else { return nil }
    return RateCard(
      name: name, version: version, effective: effective, currency: currency,
      rounding: head.rounding?.value ?? .standard, taxNote: head.tax?.value ?? "",
      groups: groups.compactMap { $0.group(currency) },
      meters: meters.compactMap { $0.meter(currency) })
  }
}

extension String {
  /// Which word may be meant by this one, or which there are.
  func hint(among known: [String]) -> String {
    let near = known.map { (word: $0, distance: editDistance(to: $0)) }
      .min { $0.distance < $1.distance }
    return near.flatMap { $0.distance <= 2 ? "did you mean \($0.word)?" : nil }
      ?? "a line here begins with " + known.joined(separator: ", ")
  }

  /// How many letters must be changed, added or taken away; for short words.
  func editDistance(to other: String) -> Int {
    let letters = Array(unicodeScalars.prefix(64))
    let wanted = Array(other.unicodeScalars.prefix(64))
    var row = Array(0...wanted.count)
    for (index, letter) in letters.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, candidate) in wanted.enumerated() {
        let substituted = diagonal + (letter == candidate ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = Swift.min(substituted, row[column] + 1, row[column + 1] + 1)
      }
    }
    return row[wanted.count]
  }
}
