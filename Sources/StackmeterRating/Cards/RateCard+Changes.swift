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
    var changes = groups.changes(
      to: next.groups, by: \.name,
      removed: { "group \($0.name): is removed (\($0.terms))" },
      added: { ["group \($0.name): is new (\($0.terms))"] }, both: { $0.changes(to: $1) })
    let names = Set(next.groups.map(\.name))
    let common = groups.map(\.name).filter(names.contains)
    let old = Set(common)
    if common != next.groups.map(\.name).filter(old.contains) {
      changes.append("groups: their order is another; the first that a subscription is in counts")
    }
    return changes
  }

  private func meterChanges(to next: RateCard) -> [String] {
    meters.changes(
      to: next.meters, by: { ExactText($0.id.asciiLowercased) },
      removed: { "\($0.title): is not priced any more" },
      added: { meter in
        meter.rates.map { "\(meter.title)\($0.suffix): is new at \($0.terms)" }
      }, both: { $0.changes(to: $1) })
  }
}

extension Array {
  /// What another list does differently: first what is removed, then what is added and what is in both, in its order.
  fileprivate func changes<Key: Hashable>(
    to next: [Element], by key: (Element) -> Key, removed: (Element) -> String,
    added: (Element) -> [String], both: (Element, Element) -> [String]
  ) -> [String] {
    let old = Dictionary(map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
    let new = Set(next.map(key))
    return filter { !new.contains(key($0)) }.map(removed)
      + next.flatMap { element in
        old[key(element)].map { both($0, element) } ?? added(element)
      }
  }
}

extension RateGroup {
  fileprivate func changes(to next: RateGroup) -> [String] {
    let terms =
      terms == next.terms ? [] : ["group \(name): was \(terms), becomes \(next.terms)"]
    return terms
      + members.changes(
        to: next.members, by: { ExactText($0) },
        removed: { "group \(name): \($0) is no member any more" },
        added: { ["group \(name): \($0) becomes a member"] }, both: { _, _ in [] })
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
    changes += rates.changes(
      to: next.rates, by: \.key,
      removed: { "\(next.title)\($0.suffix): this rate is removed (\($0.terms))" },
      added: { ["\(next.title)\($0.suffix): is new at \($0.terms)"] },
      both: { before, rate in
        guard before.terms != rate.terms else { return [] }
        return [
          "\(next.title)\(rate.suffix): was \(before.terms), becomes \(rate.terms)"
            + before.difference(to: rate)
        ]
      })
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
