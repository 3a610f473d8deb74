internal import StackmeterCore

extension RateCard: CustomStringConvertible {
  /// The card as a text that reads back as the same card: in the order of its groups and meters, without comments.
  package var description: String {
    var lines = [
      "card \(name)", "version \(version)", "effective \(effective)", "currency \(currency.code)",
      "rounding \(rounding.rawValue)",
    ]
    if !taxNote.isEmpty { lines.append("tax \(cardWord(taxNote))") }
    for group in groups { lines += [""] + group.lines }
    for meter in meters { lines += [""] + meter.lines }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// A text as a word of a card: in quotes where it could be taken for anything else.
func cardWord(_ text: String) -> String {
  let isPlain = text.unicodeScalars.allSatisfy { $0 != " " && $0 != "\t" && $0 != "\"" }
  if isPlain && !text.isEmpty && !text.hasPrefix("#") { return text }
  let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
  return "\"\(escaped)\""
}

extension RateGroup {
  fileprivate var lines: [String] {
    var lines = ["group \(name)"]
    lines += subscriptions.map { "  subscription \(cardWord($0))" }
    lines += costCenters.map { "  cost-center \(cardWord($0))" }
    lines += owners.map { "  owner \(cardWord($0))" }
    lines += tags.map { "  tag \(cardWord($0.name.text)) \(cardWord($0.value.text))" }
    if discount != .zero { lines.append("  discount \(discount)") }
    if let commitment { lines.append("  \(commitment)") }
    return lines
  }

  /// What its members have in common, in words.
  var terms: String {
    var terms: [String] = []
    if discount != .zero { terms.append("discount \(discount)") }
    if let commitment { terms.append("\(commitment)") }
    return terms.isEmpty ? "no discount" : terms.joined(separator: ", ")
  }

  /// Who its members are, each in words.
  var members: [String] {
    subscriptions.map { "subscription \($0)" } + costCenters.map { "cost-center \($0)" }
      + owners.map { "owner \($0)" } + tags.map { "tag \($0.name.text) \($0.value.text)" }
  }
}

extension Commitment: CustomStringConvertible {
  /// `commitment 1000.00 discount 15%`.
  package var description: String { "commitment \(amount.amountText) discount \(discount)" }
}

extension RatedMeter {
  fileprivate var lines: [String] {
    var lines = ["meter \(cardWord(id))"]
    if !name.isEmpty { lines.append("  name \(cardWord(name))") }
    if !unit.isEmpty { lines.append("  unit \(cardWord(unit))") }
    if !billingMeter.hasSameBytes(as: id) {
      lines.append("  billing-meter \(cardWord(billingMeter))")
    }
    for rate in rates { lines += rate.lines }
    return lines
  }
}

extension Rate {
  fileprivate var lines: [String] {
    var lines = ["  rate" + (scope.isEmpty ? "" : " " + scope)]
    lines += pricing.lines.map { "    " + $0 }
    if included > .zero {
      lines.append(
        "    included \(included)" + (isIncludedBeforeTiers ? " before-tiers" : ""))
    }
    if let minimum { lines.append("    minimum \(minimum.amountText)") }
    if let discount { lines.append("    discount \(discount)") }
    return lines
  }

  /// Whom and where it is for: `for internal in west`; empty for all.
  var scope: String {
    [group.map { "for \(cardWord($0))" }, location.map { "in \(cardWord($0))" }]
      .compactMap { $0 }.joined(separator: " ")
  }

  /// The whole rate in one line: `graduated per 10000: up to 100 at 0.0036, beyond at 0.003; first 5 free`.
  var terms: String {
    var terms = [pricing.terms]
    if included > .zero {
      terms.append("first \(included) free" + (isIncludedBeforeTiers ? " before the tiers" : ""))
    }
    if let minimum { terms.append("at least \(minimum.amountText)") }
    if let discount { terms.append("less \(discount)") }
    return terms.joined(separator: "; ")
  }
}

extension Pricing {
  /// ` per 10000`, or nothing where prices are for one.
  private var size: String {
    if package == Quantity(1) && !countsStarted { return "" }
    return " per \(countsStarted ? "started " : "")\(package)"
  }

  fileprivate var lines: [String] {
    if form == .flat { return ["price \(tiers[0].price)\(size)"] }
    return ["\(form.rawValue)\(size)"]
      + tiers.map { tier in
        tier.upTo.map { "  up-to \($0) \(tier.price)" } ?? "  beyond \(tier.price)"
      }
  }

  fileprivate var terms: String {
    if form == .flat { return "\(tiers[0].price)\(size)" }
    let tiers = tiers.map { tier in
      tier.upTo.map { "up to \($0) at \(tier.price)" } ?? "beyond at \(tier.price)"
    }
    return "\(form.rawValue)\(size): " + tiers.joined(separator: ", ")
  }
}
