package import StackmeterCore

extension CardReader {
  /// Says what the catalog of meters says against the card: prices of meters that there are not or that are not
  /// billable, and names and units that are not those of the catalog.
  mutating func check(_ catalog: MeterCatalog) {
    for meter in meters {
      guard let id = meter.id else { continue }
      guard let known = catalog[id.value] else {
        problem(
          id.place,
          "there is no meter \(id.value) in the catalog: add it there, or correct the id")
        continue
      }
      if !known.isBillable {
        problem(
          id.place,
          "the catalog says that meter \(known.id) is not billable: remove its rates, or change the catalog"
        )
      }
      if let name = meter.name, !name.value.hasSameBytes(as: known.name) {
        problem(name.place, "the catalog calls the meter \"\(known.name)\"")
      }
      if let unit = meter.unit, !unit.value.hasSameBytes(as: known.unit) {
        problem(unit.place, "the catalog counts the meter in \"\(known.unit)\"")
      }
    }
  }
}

extension RateCard {
  /// The billable meters of the catalog that the card has no rate for: their usage stands on statements without a
  /// price.
  package func unpriced(in catalog: MeterCatalog) -> [Meter] {
    let priced = Set(meters.map { ExactText($0.id.asciiLowercased) })
    return catalog.meters.filter {
      $0.isBillable && !priced.contains(ExactText($0.id.asciiLowercased))
    }
  }
}
