internal import StackmeterCore

/// The rows of all charges of one statement that have one price: as CSV, but for the cells in which they differ.
///
/// Of the 63 cells of a row these are a third, and half of what they cost to write are texts that many rows share.
struct FocusTemplate {
  /// What makes charges of one statement differ in these cells only.
  struct Key: Hashable {
    private let kind: Charge.Kind
    private let isAdjustment: Bool
    private let meter: ExactText
    private let rate: ObjectIdentifier?
    private let tier: Int
    private let listPrice: Price
    private let price: Price

    init(_ charge: Charge) {
      kind = charge.kind
      isAdjustment = charge.isAdjustment
      meter = ExactText(charge.meter)
      rate = charge.rate.map { ObjectIdentifier($0) }
      tier = charge.tier
      listPrice = charge.listPrice
      price = charge.price
    }
  }

  /// Whether the cells of a column are those of each row.
  static func isOwn(_ column: FocusColumn) -> Bool {
    switch column {
    case .billedCost, .chargePeriodEnd, .chargePeriodStart, .chargeStatus, .consumedQuantity,
      .contractedCost, .effectiveCost, .listCost, .pricingCurrencyEffectiveCost, .pricingQuantity,
      .regionID, .regionName, .reportingWindow, .resourceID, .resourceName, .resourceType, .tags:
      true
    default: false
    }
  }

  /// The columns of each row itself, each with the bytes in front of its cell.
  private var own: [(before: [UInt8], column: FocusColumn)] = []
  private var end: [UInt8] = []
  /// The address in a key is of this one as long as it is held.
  private let rate: RateReference?

  /// - Parameter row: Of one of the charges.
  init(_ row: FocusRow, of charge: Charge, _ form: FocusForm) {
    rate = charge.rate
    let columns =
      FocusColumn.allCases.map { Optional($0) } + form.shims.map(\.column)
    for (index, column) in columns.enumerated() {
      if index > 0 { end.append(UInt8(ascii: ",")) }
      guard let column else { continue }
      if FocusTemplate.isOwn(column) {
        own.append((end, column))
        end = []
      } else {
        end += CSVWriter.cell(row.text(column) ?? "")
      }
    }
    end += Array("\r\n".utf8)
  }

  /// Writes one row.
  func write(_ cells: FocusCells, _ csv: inout CSVWriter) {
    for (before, column) in own {
      csv.append(written: before)
      cells.write(column, &csv)
    }
    csv.append(written: end)
  }
}

/// The cells of a charge in which it differs from others of its statement and price.
struct FocusCells {
  let costs: (list: String, contracted: String)
  let consumed: String
  let priced: String
  let start: String
  let end: String
  let window: String
  let isProvisional: Bool
  let resource: FocusResource

  /// The text of a column that `FocusTemplate.isOwn` names.
  fileprivate func write(_ column: FocusColumn, _ csv: inout CSVWriter) {
    switch column {
    case .billedCost, .contractedCost, .effectiveCost, .pricingCurrencyEffectiveCost:
      csv.append(plain: costs.contracted)
    case .listCost: csv.append(plain: costs.list)
    case .consumedQuantity: csv.append(plain: consumed)
    case .pricingQuantity: csv.append(plain: priced)
    case .chargePeriodStart: csv.append(plain: start)
    case .chargePeriodEnd: csv.append(plain: end)
    case .reportingWindow: csv.append(plain: window)
    case .chargeStatus: csv.append(plain: FocusRow.status(isProvisional: isProvisional))
    case .regionID, .regionName: csv.append(written: resource.region)
    case .resourceID: csv.append(written: resource.id)
    case .resourceName: csv.append(written: resource.name)
    case .resourceType: csv.append(written: resource.type)
    case .tags: csv.append(written: resource.tags)
    default: preconditionFailure("all rows of a template have the same \(column.rawValue)")
    }
  }
}

/// What a resource says in a file: cells as they are written.
struct FocusResource {
  let region: [UInt8]
  let id: [UInt8]
  let name: [UInt8]
  let type: [UInt8]
  let tags: [UInt8]

  init(_ row: FocusRow) {
    func cell(_ column: FocusColumn) -> [UInt8] { CSVWriter.cell(row.text(column) ?? "") }
    region = cell(.regionID)
    id = cell(.resourceID)
    name = cell(.resourceName)
    type = cell(.resourceType)
    tags = cell(.tags)
  }
}

/// What was made for rows of a file, for those that come.
struct FocusMemory {
  /// Past so many, what is known of times and resources is forgotten.
  static let entriesMax = 1_024

  private var templates: [FocusTemplate.Key: FocusTemplate] = [:]
  private var last: (key: FocusTemplate.Key, template: FocusTemplate)?
  private var resources: [Series: FocusResource] = [:]
  private var times: [Instant: String] = [:]

  init() {}

  /// Another statement begins: prices may be of another card, and resources are others.
  mutating func forget() {
    templates.removeAll(keepingCapacity: true)
    resources.removeAll(keepingCapacity: true)
    last = nil
  }

  /// `row` makes the first of a charge.
  mutating func template(
    of charge: Charge, _ form: FocusForm, _ row: () -> FocusRow
  ) -> FocusTemplate {
    let key = FocusTemplate.Key(charge)
    if let last, last.key == key { return last.template }
    let template = templates[key] ?? FocusTemplate(row(), of: charge, form)
    if templates.count >= FocusMemory.entriesMax { templates.removeAll(keepingCapacity: true) }
    templates[key] = template
    last = (key, template)
    return template
  }

  mutating func resource(_ charge: Charge, _ row: () -> FocusRow) -> FocusResource {
    guard let series = charge.usage?.series else { return FocusResource(row()) }
    if let known = resources[series] { return known }
    if resources.count >= FocusMemory.entriesMax { resources.removeAll(keepingCapacity: true) }
    let resource = FocusResource(row())
    resources[series] = resource
    return resource
  }

  mutating func text(_ time: Instant) -> String {
    if let known = times[time] { return known }
    if times.count >= FocusMemory.entriesMax { times.removeAll(keepingCapacity: true) }
    let text = time.description
    times[time] = text
    return text
  }
}
