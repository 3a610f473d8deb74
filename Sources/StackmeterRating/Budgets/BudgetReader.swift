internal import StackmeterCore

/// The budgets of a file.
package struct BudgetFile: Hashable, Sendable {
  package let budgets: [Budget]

  /// Reads a file of budgets; all problems are thrown at once. The form is described in the README of this module.
  package init(parsing bytes: [UInt8]) throws(BudgetFileError) {
    var reader = BudgetReader()
    reader.read(bytes)
    let budgets = reader.finish()
    guard reader.problems.isEmpty else { throw BudgetFileError(problems: reader.problems) }
    self.budgets = budgets
  }
}

/// Everything that is wrong with a file of budgets, in the order of its text.
package struct BudgetFileError: Error, Equatable, CustomStringConvertible {
  package let problems: [CardProblem]

  init(problems: [CardProblem]) {
    self.problems = Array(
      problems.sorted { $0.place < $1.place }.prefix(RateCardLimits.problemsMax))
  }

  package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Reads budgets line by line, and goes on after a problem to find the others.
struct BudgetReader {
  private(set) var problems: [CardProblem] = []
  private var drafts: [BudgetDraft] = []

  mutating func read(_ bytes: [UInt8]) {
    let lines = CardLines(bytes, of: "file", bytesMax: BudgetLimits.fileBytesMax)
    problems += lines.problems
    for var line in lines.lines {
      do throws(CardProblem) { try read(&line) } catch { problems.append(error) }
    }
  }

  private mutating func read(_ line: inout CardLine) throws(CardProblem) {
    let keyword = try line.next("a word")
    let word = keyword.isQuoted ? "" : keyword.text
    if word == "budget" {
      // Also where the name is wrong: the lines below belong to it.
      drafts.append(BudgetDraft(place: keyword.place))
      let place = line.place
      let name = try line.name("the name of the budget")
      drafts[drafts.count - 1].name = CardReader.Placed(value: name, place: place)
    } else if BudgetDraft.words.contains(word) {
      guard !drafts.isEmpty else {
        throw CardProblem(keyword.place, "\(word) stands below a budget")
      }
      try drafts[drafts.count - 1].read(word, at: keyword.place, &line)
    } else {
      if !drafts.isEmpty { drafts[drafts.count - 1].isUnclear = true }
      throw unknown(keyword)
    }
    try line.finish()
  }

  private func unknown(_ word: CardLine.Word) -> CardProblem {
    let known = ["budget"] + BudgetDraft.words
    return CardProblem(
      word.place, "\(word.text) is no word of a budget: \(word.text.hint(among: known))")
  }

  mutating func finish() -> [Budget] {
    var names: [String: CardPlace] = [:]
    if drafts.count > BudgetLimits.budgetsMax {
      problems.append(
        CardProblem(
          drafts[BudgetLimits.budgetsMax].place,
          "a file has at most \(BudgetLimits.budgetsMax) budgets"))
    }
    for draft in drafts {
      draft.check(&problems)
      guard let name = draft.name else { continue }
      if let first = names[name.value] {
        problems.append(
          CardProblem(
            name.place,
            "the budget in line \(first.line) is called \(name.value), too: give one another name"))
      } else {
        names[name.value] = name.place
      }
    }
    return drafts.compactMap(\.budget)
  }
}

/// A budget as far as it was read.
private struct BudgetDraft {
  typealias Placed = CardReader.Placed

  static let scopes = ["subscription", "cost-center", "owner", "tag"]
  static let words = scopes + ["amount", "alert"]

  let place: CardPlace
  var name: Placed<String>?
  /// A line of it was not understood: what is missing may be there.
  var isUnclear = false
  private var scope: Placed<(grouping: StatementGrouping, member: String)>?
  private var amount: Money?
  private var thresholds: [BudgetThreshold] = []
  private var seen: [String: CardPlace] = [:]

  init(place: CardPlace) {
    self.place = place
  }

  mutating func read(_ word: String, at place: CardPlace, _ line: inout CardLine)
    throws(CardProblem)
  {
    switch word {
    case "amount":
      try once(word, at: place, &seen)
      try readAmount(&line)
    case "alert": try readAlert(at: place, &line)
    default:
      if let scope {
        throw CardProblem(
          place, "line \(scope.place.line) says whom the budget is for already: keep one of the two"
        )
      }
      seen["scope"] = place
      scope = Placed(value: try BudgetDraft.scope(word, &line), place: place)
    }
  }

  private static func scope(_ word: String, _ line: inout CardLine) throws(CardProblem)
    -> (StatementGrouping, String)
  {
    switch word {
    case "subscription":
      return (.subscription, try line.text("the id of a subscription").asciiLowercased)
    case "cost-center": return (.costCenter, try line.text("a cost center"))
    case "owner": return (.owner, try line.text("an owner"))
    default:
      let name = try line.text("the name of a tag")
      return (.tag(name), try line.text("the value of the tag"))
    }
  }

  private mutating func readAmount(_ line: inout CardLine) throws(CardProblem) {
    let value = try line.next("the amount of a billing period")
    let code = try line.next("the currency of the amount")
    guard let currency = Currency(code: code.text) else {
      throw CardProblem(
        code.place,
        "\(code.text) is not the code of a currency in use by ISO 4217, such as EUR or USD")
    }
    let amount: Money
    do throws(DecimalError) { amount = try Money(parsing: value.text, currency) } catch {
      throw CardProblem(value.place, "the amount \(value.text) \(error.explanation)")
    }
    guard !amount.isNegative, !amount.isZero, amount.cost != nil else {
      throw CardProblem(
        value.place,
        "the amount \(value.text) is \(amount.cost == nil ? "too large" : "not above zero")")
    }
    self.amount = amount
  }

  private mutating func readAlert(at place: CardPlace, _ line: inout CardLine) throws(CardProblem) {
    // A line that is wrong is an alert, too: it is not missing.
    seen["alert"] = seen["alert"] ?? place
    let share = try line.next("a percentage such as 80%")
    guard share.text.hasSuffix("%") else {
      throw CardProblem(share.place, "an alert is at a percentage: write \(share.text)%")
    }
    let basisPlace = line.place
    guard
      let basis = BudgetThreshold.Basis(rawValue: try line.next("actual or forecast").text)
    else {
      throw CardProblem(basisPlace, "an alert is of what is actual, or of the forecast")
    }
    let threshold: BudgetThreshold
    do throws(DecimalError) {
      threshold = try BudgetThreshold(percent: share.text.dropLast(), basis)
    } catch {
      throw CardProblem(
        share.place,
        "the share \(share.text) "
          + (error == .tooLarge
            ? "is above \(BudgetThreshold.percentMax) %" : error.explanation))
    }
    guard threshold.partsPerMillion > 0 else {
      throw CardProblem(share.place, "an alert at nothing: remove the line")
    }
    guard !thresholds.contains(threshold) else {
      throw CardProblem(place, "there is an alert at \(threshold) already: keep one of the two")
    }
    guard thresholds.count < BudgetLimits.thresholdsMax else {
      throw CardProblem(place, "a budget has at most \(BudgetLimits.thresholdsMax) alerts")
    }
    thresholds.append(threshold)
  }

  func check(_ problems: inout [CardProblem]) {
    if isUnclear { return }
    for (word, example) in [
      ("scope", "whom it is for is missing: add a line such as cost-center 1000"),
      ("amount", "its amount is missing: add a line such as amount 1000.00 EUR"),
      ("alert", "it tells nobody: add a line such as alert 80% actual"),
    ] where seen[word] == nil {
      problems.append(CardProblem(place, example))
    }
  }

  /// Nil where something is missing.
  var budget: Budget? {
    guard let name, let scope, let amount else { return nil }
    return Budget(
      name: name.value, scope: scope.value.grouping, member: scope.value.member, amount: amount,
      thresholds: thresholds)
  }
}
