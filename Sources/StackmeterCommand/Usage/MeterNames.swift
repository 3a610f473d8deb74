internal import StackmeterCore

/// Names and units of meters, for whatever spelling of the id.
struct MeterNames {
  private let meters: [String: Meter]

  init(_ meters: [Meter]) {
    var byID: [String: Meter] = [:]
    for meter in meters { byID[meter.id.asciiLowercased] = meter }
    self.meters = byID
  }

  /// The id itself where the catalog no longer has the meter.
  func name(_ id: String) -> String { meters[id.asciiLowercased]?.name ?? id }

  /// Empty where the catalog no longer has the meter.
  func unit(_ id: String) -> String { meters[id.asciiLowercased]?.unit ?? "" }
}
