package import StackmeterCore

extension RateCardText {
  /// What the catalog of meters says against the card, in the order of its text: prices of meters that there are not
  /// or that are not billable, and names and units that are not those of the catalog.
  package func problems(with catalog: MeterCatalog) -> [CardProblem] {
    var problems: [CardProblem] = []
    for (meter, places) in zip(card.meters, meterPlaces) {
      guard let known = catalog[meter.id] else {
        problems.append(
          CardProblem(
            places.meter,
            "there is no meter \(meter.id) in the catalog: add it there, or correct the id"))
        continue
      }
      if !known.isBillable {
        problems.append(
          CardProblem(
            places.meter,
            "the catalog says that meter \(known.id) is not billable: remove its rates, or change the catalog"
          ))
      }
      if !meter.name.isEmpty, !meter.name.hasSameBytes(as: known.name) {
        problems.append(
          CardProblem(places.name, "the catalog calls the meter \"\(known.name)\""))
      }
      if !meter.unit.isEmpty, !meter.unit.hasSameBytes(as: known.unit) {
        problems.append(
          CardProblem(places.unit, "the catalog counts the meter in \"\(known.unit)\""))
      }
    }
    return problems
  }

  /// The billable meters of the catalog that the card has no rate for: their usage stands on statements without a
  /// price.
  package func unpriced(in catalog: MeterCatalog) -> [Meter] {
    let priced = Set(card.meters.map { ExactText($0.id.asciiLowercased) })
    return catalog.meters.filter {
      $0.isBillable && !priced.contains(ExactText($0.id.asciiLowercased))
    }
  }
}
