internal import StackmeterCore

extension RateCard {
  /// What another card does differently, one sentence each: in the order of the cards, groups before meters. Empty
  /// where both price everything alike. Version and day are not compared; names and units that are for reading only
  /// are.
  package func changes(to next: RateCard) -> [String] {
    var changes: [String] = []
    func compare(_ what: String, _ old: String, _ new: String) {
      if !old.hasSameBytes(as: new) { changes.append("\(what): was \(old), becomes \(new)") }
    }
    compare("card", name, next.name)
    compare("currency", currency.code, next.currency.code)
    compare("rounding", rounding.rawValue, next.rounding.rawValue)
    compare("tax", quoted(taxNote), quoted(next.taxNote))
    changes += groupChanges(to: next)
    changes += meterChanges(to: next)
    return changes
  }

  private func groupChanges(to next: RateCard) -> [String] {
    var changes: [String] = []
    let old = Dictionary(groups.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let new = Set(next.groups.map(\.name))
    for group in groups where !new.contains(group.name) {
      changes.append("group \(group.name): is removed (\(group.terms))")
    }
    for group in next.groups {
      guard let before = old[group.name] else {
        changes.append("group \(group.name): is new (\(group.terms))")
        continue
      }
      if before.terms != group.terms {
        changes.append("group \(group.name): was \(before.terms), becomes \(group.terms)")
      }
      let members = Set(before.members.map(ExactText.init))
      let later = Set(group.members.map(ExactText.init))
      for member in before.members where !later.contains(ExactText(member)) {
        changes.append("group \(group.name): \(member) is no member any more")
      }
      for member in group.members where !members.contains(ExactText(member)) {
        changes.append("group \(group.name): \(member) becomes a member")
      }
    }
    let common = groups.map(\.name).filter(new.contains)
    if common != next.groups.map(\.name).filter({ old[$0] != nil }) {
      changes.append("groups: their order is another; the first that a subscription is in counts")
    }
    return changes
  }

  private func meterChanges(to next: RateCard) -> [String] {
    var changes: [String] = []
    let old = Dictionary(
      meters.map { (ExactText($0.id.asciiLowercased), $0) },
      uniquingKeysWith: { first, _ in first })
    let new = Set(next.meters.map { ExactText($0.id.asciiLowercased) })
    for meter in meters where !new.contains(ExactText(meter.id.asciiLowercased)) {
      changes.append("\(meter.title): is not priced any more")
    }
    for meter in next.meters {
      guard let before = old[ExactText(meter.id.asciiLowercased)] else {
        changes += meter.rates.map { "\(meter.title)\($0.suffix): is new at \($0.terms)" }
        continue
      }
      changes += before.changes(to: meter)
    }
    return changes
  }
}

extension RatedMeter {
  /// `meter 6DAB… "VM size hours"`.
  fileprivate var title: String {
    "meter \(id)" + (name.isEmpty ? "" : " \"\(name)\"")
  }

  fileprivate func changes(to next: RatedMeter) -> [String] {
    var changes: [String] = []
    func compare(_ what: String, _ old: String, _ new: String) {
      if !old.hasSameBytes(as: new) {
        changes.append("\(next.title): its \(what) was \(quoted(old)), becomes \(quoted(new))")
      }
    }
    compare("name", name, next.name)
    compare("unit", unit, next.unit)
    compare("billing-meter", billingMeter, next.billingMeter)
    let old = Dictionary(rates.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    let new = Set(next.rates.map(\.key))
    for rate in rates where !new.contains(rate.key) {
      changes.append("\(next.title)\(rate.suffix): this rate is removed (\(rate.terms))")
    }
    for rate in next.rates {
      guard let before = old[rate.key] else {
        changes.append("\(next.title)\(rate.suffix): is new at \(rate.terms)")
        continue
      }
      if before.terms != rate.terms {
        changes.append(
          "\(next.title)\(rate.suffix): was \(before.terms), becomes \(rate.terms)"
            + before.difference(to: rate))
      }
    }
    return changes
  }
}

extension Rate {
  fileprivate struct Key: Hashable {
    let group: String?
    let location: ExactText?
  }

  fileprivate var key: Key {
    Key(group: group, location: location.map { ExactText($0.asciiLowercased) })
  }

  fileprivate var suffix: String { scope.isEmpty ? "" : " " + scope }

  /// How much a flat price rises or falls: ` (+12.5 %)`; empty for other forms.
  fileprivate func difference(to next: Rate) -> String {
    guard pricing.form == .flat, next.pricing.form == .flat,
      pricing.package == next.pricing.package, pricing.countsStarted == next.pricing.countsStarted
    else { return "" }
    let (old, new) = (pricing.tiers[0].price, next.pricing.tiers[0].price)
    guard old > .zero, old != new else { return "" }
    // In tenths of a percent, to the nearest; prices are below 10³⁰ attos.
    let tenths =
      (2 * 1000 * (new.attos - old.attos).magnitude + old.attos.magnitude)
      / (2 * old.attos.magnitude)
    let text = PlainDecimal.text(Int128(tenths), fractionDigits: 1)
    return " (\(new > old ? "+" : "-")\(text) %)"
  }
}

/// A text in quotes, or the word for none.
private func quoted(_ text: String) -> String {
  text.isEmpty ? "nothing" : "\"\(text)\""
}
