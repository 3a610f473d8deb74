import StackmeterCore

@testable import StackmeterRating

/// The rules of FOCUS 1.2 that the public validators do not check, and those that bite: written down once more,
/// from the specification and not from the writer.
struct FocusRules {
  private let file: FocusFile
  private(set) var faults: [String] = []

  init(_ file: FocusFile) {
    self.file = file
    for (index, row) in file.rows.enumerated() {
      for fault in FocusRules.faults(of: row) { faults.append("row \(index + 1): \(fault)") }
    }
    services()
  }

  static let focusColumns = """
    AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency \
    BillingPeriodEnd BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass \
    ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory \
    CommitmentDiscountId CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus \
    CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice \
    EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingCurrency \
    PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity \
    PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory \
    ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName \
    SubAccountType Tags
    """.split(separator: " ").map(String.init)

  private static let required = """
    BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd \
    BillingPeriodStart ChargeCategory ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart \
    ContractedCost EffectiveCost InvoiceId InvoiceIssuerName ListCost PricingCurrency PricingCurrencyEffectiveCost \
    ProviderName PublisherName ServiceCategory ServiceName ServiceSubcategory SubAccountId SubAccountName \
    SubAccountType
    """.split(separator: " ").map(String.init)

  /// Columns with a closed list of values.
  private static let allowed: [String: Set<String>] = [
    "ChargeCategory": ["Usage", "Purchase", "Tax", "Credit", "Adjustment"],
    "ChargeClass": ["Correction"],
    "ChargeFrequency": ["One-Time", "Recurring", "Usage-Based"],
    "PricingCategory": ["Standard", "Dynamic", "Committed", "Other"],
    "CommitmentDiscountCategory": ["Spend", "Usage"],
    "CommitmentDiscountStatus": ["Used", "Unused"],
    "CapacityReservationStatus": ["Used", "Unused"],
  ]

  /// Subcategories by their one parent, beside `Other (PARENT)`.
  private static let subcategories: [String: Set<String>] = [
    "AI and Machine Learning": [], "Analytics": [], "Business Applications": [],
    "Compute": [
      "Containers", "End User Computing", "Quantum Compute", "Serverless Compute",
      "Virtual Machines",
    ],
    "Databases": [
      "Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases", "Relational Databases",
      "Time Series Databases",
    ],
    "Developer Tools": [], "Multicloud": [], "Identity": [],
    "Integration": ["API Management", "Messaging", "Workflow Orchestration"],
    "Internet of Things": [],
    "Management and Governance": ["Cost Management", "Observability", "Support"],
    "Media": [], "Migration": [], "Mobile": [],
    "Networking": [
      "Application Networking", "Content Delivery", "Network Connectivity",
      "Network Infrastructure", "Network Routing", "Network Security",
    ],
    "Security": [
      "Secret Management", "Security Posture Management", "Threat Detection and Response",
    ],
    "Storage": [
      "Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms",
    ],
    "Web": ["Application Platforms"], "Other": [],
  ]

  static func faults(of row: FocusFile.Row) -> [String] {
    var faults: [String] = []
    func require(_ holds: Bool, _ fault: @autoclosure () -> String) {
      if !holds { faults.append(fault()) }
    }
    for column in required { require(row[column] != nil, "\(column) is null") }
    for (column, values) in allowed {
      require(row[column].map(values.contains) ?? true, "\(column) is \(row[column] ?? "")")
    }
    for (column, cell) in row {
      require(cell.contains { $0 != " " }, "\(column) is blank")
      if column.hasSuffix("Cost") || column.hasSuffix("Quantity") || column.hasSuffix("UnitPrice") {
        require(isDecimal(cell), "\(column) is \(cell)")
      } else if column.contains("Period") {
        require(isTime(cell), "\(column) is \(cell)")
      } else if column.hasSuffix("Id") || column.hasSuffix("Name") {
        require(!isNumber(cell), "\(column) is \(cell), which a reader takes for a number")
      }
    }
    faults += periods(row) + prices(row) + nulls(row) + pairs(row)
    let category = row["ServiceCategory"] ?? ""
    let subcategory = row["ServiceSubcategory"] ?? ""
    require(
      subcategories[category].map {
        $0.contains(subcategory) || subcategory == "Other (\(category))"
      } ?? false, "\(subcategory) is no subcategory of \(category)")
    return faults
  }

  private static func periods(_ row: FocusFile.Row) -> [String] {
    guard let start = row["ChargePeriodStart"], let end = row["ChargePeriodEnd"],
      let first = row["BillingPeriodStart"], let last = row["BillingPeriodEnd"]
    else { return ["a period is null"] }
    // Of one form and zone, times are ordered as their texts are.
    var faults: [String] = []
    if start >= end { faults.append("it ends before it starts: \(start), \(end)") }
    if !first.hasSuffix("-01T00:00:00Z") || !last.hasSuffix("-01T00:00:00Z") || first >= last {
      faults.append("\(first), \(last) is no month")
    }
    let isEarlier = end <= first
    if isEarlier != (row["ChargeClass"] == "Correction") || !isEarlier && start < first
      || end > last
    {
      faults.append("\(row["ChargeClass"] ?? "no correction") of \(start) in \(first)")
    }
    return faults
  }

  private static func prices(_ row: FocusFile.Row) -> [String] {
    var faults: [String] = []
    for kind in ["List", "Contracted"] {
      guard let price = row["\(kind)UnitPrice"] else {
        if row["\(kind)Cost"] != row["BilledCost"] {
          faults.append("\(kind)Cost is neither a product nor the billed cost")
        }
        continue
      }
      if price.hasPrefix("-") { faults.append("\(kind)UnitPrice is \(price)") }
      if row["PricingCurrency\(kind)UnitPrice"] != price {
        faults.append("PricingCurrency\(kind)UnitPrice is not \(price)")
      }
      let product = Cost(
        attos: attos(price) ?? -1, by: attos(row["PricingQuantity"] ?? "") ?? -1)
      if Cost(parsing: row["\(kind)Cost"] ?? "") != product {
        faults.append(
          "\(row["\(kind)Cost"] ?? "") is not \(price) × \(row["PricingQuantity"] ?? "")")
      }
    }
    for cost in ["EffectiveCost", "PricingCurrencyEffectiveCost"]
    where row[cost] != row["BilledCost"] {
      faults.append("\(cost) is not the billed cost")
    }
    if row["PricingCurrency"] != row["BillingCurrency"] { faults.append("two currencies") }
    return faults
  }

  /// What must be null, and what must not, for a category.
  private static func nulls(_ row: FocusFile.Row) -> [String] {
    let ofUsage = [
      "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "PricingCategory",
      "ListUnitPrice", "ContractedUnitPrice",
    ]
    let isUsage = row["ChargeCategory"] == "Usage"
    var faults = ofUsage.filter { (row[$0] != nil) != isUsage }.map {
      "\($0) is \(row[$0] ?? "null") for \(row["ChargeCategory"] ?? "")"
    }
    if isUsage {
      faults += ["SkuId", "SkuPriceId", "SkuMeter"].filter { row[$0] == nil }.map {
        "\($0) is null for usage"
      }
    }
    if row["ChargeCategory"] == "Credit", !(row["BilledCost"] ?? "").hasPrefix("-") {
      faults.append("a credit of \(row["BilledCost"] ?? "")")
    }
    if isUsage != (row["ChargeFrequency"] == "Usage-Based") {
      faults.append("\(row["ChargeFrequency"] ?? "") for \(row["ChargeCategory"] ?? "")")
    }
    let none = focusColumns.filter {
      $0.hasPrefix("CommitmentDiscount") || $0.hasPrefix("CapacityReservation")
    }
    return faults + none.filter { row[$0] != nil }.map { "\($0) is not null" }
  }

  /// Columns that are null together, or where the first is.
  private static func pairs(_ row: FocusFile.Row) -> [String] {
    var faults: [String] = []
    for (one, other) in [
      ("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit"),
      ("RegionId", "RegionName"), ("ResourceId", "ResourceType"), ("SkuId", "SkuMeter"),
      ("SkuPriceId", "SkuPriceDetails"), ("SubAccountId", "SubAccountName"),
    ] where (row[one] == nil) != (row[other] == nil) {
      faults.append("only one of \(one) and \(other) is null")
    }
    if let name = row["ResourceName"], name == row["ResourceId"] || row["ResourceId"] == nil {
      faults.append("ResourceName repeats the id")
    }
    for column in ["Tags", "SkuPriceDetails"] {
      guard let text = row[column] else { continue }
      guard case .object(let members)? = try? JSONValue(parsing: Array(text.utf8), limits: .event)
      else {
        faults.append("\(column) is no object: \(text)")
        continue
      }
      for member in members {
        switch member.value {
        case .object, .array: faults.append("\(column) is not flat: \(text)")
        default: break
        }
        if column == "SkuPriceDetails" && !member.name.hasPrefix("x_") {
          faults.append("\(member.name) is no property of FOCUS")
        }
      }
    }
    return faults
  }

  /// A service has one category and one subcategory.
  private mutating func services() {
    var homes: [String: Set<String>] = [:]
    for row in file.rows {
      homes[row["ServiceName"] ?? "", default: []].insert(
        "\(row["ServiceCategory"] ?? "") \(row["ServiceSubcategory"] ?? "")")
    }
    faults += homes.filter { $0.value.count > 1 }.map { "\($0.key) is of several categories" }
  }

  private static func isDecimal(_ text: String) -> Bool {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
  }

  private static func isNumber(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
  }

  private static func isTime(_ text: String) -> Bool {
    text.utf8.count == 20 && text.hasSuffix("Z") && Instant(parsing: text)?.description == text
  }

  private static func attos(_ text: String) -> Int128? {
    let isNegative = text.hasPrefix("-")
    let parts = text.drop { $0 == "-" }.split(separator: ".")
    guard parts.count == 2, parts[1].count <= 18, let whole = Int128(parts[0]),
      let fraction = Int128(parts[1] + String(repeating: "0", count: 18 - parts[1].count))
    else { return nil }
    let value = whole * 1_000_000_000_000_000_000 + fraction
    return isNegative ? -value : value
  }
}
