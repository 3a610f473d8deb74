internal import StackmeterCore

/// What all rows of one statement have in common: who is billed, by whom, for which period.
struct FocusBill: Hashable, Sendable {
  let provider: String
  let accountID: String
  let accountName: String
  let accountType: String
  let subAccountID: String
  let subAccountName: String
  let currency: Currency
  let period: BillingPeriod
  let invoice: String

  init(_ statement: Statement, provider: String) {
    self.provider = provider
    let subscription = statement.subscription
    subAccountID = "/subscriptions/\(subscription.id)"
    subAccountName = subscription.displayName.filled ?? subscription.id
    if let costCenter = subscription.costCenter.filled {
      accountID = "/costCenters/\(costCenter)"
      // A name of digits only would be read as a number.
      accountName = "Cost center \(costCenter)"
      accountType = "Cost Center"
    } else {
      accountID = subAccountID
      accountName = subAccountName
      accountType = "Subscription"
    }
    currency = statement.currency
    period = statement.period
    invoice = statement.number ?? "provisional/\(statement.period)/\(subscription.id)"
  }
}

/// One row of a FOCUS file. Null is nil.
struct FocusRow: Hashable, Sendable {
  enum Category: String, Hashable, Sendable {
    case usage = "Usage"
    case credit = "Credit"
    case adjustment = "Adjustment"
  }

  enum Frequency: String, Hashable, Sendable {
    case oneTime = "One-Time"
    case recurring = "Recurring"
    case usageBased = "Usage-Based"
  }

  /// Of one kind of price: what FOCUS calls list, contracted and billed cost. The effective cost is the billed one.
  struct Costs: Hashable, Sendable {
    let list: Cost
    let contracted: Cost
    let billed: Cost
  }

  /// What a price is multiplied with, and the prices. Costs are exactly the products.
  struct Pricing: Hashable, Sendable {
    let quantity: Quantity
    let unit: String
    let list: Price
    let contracted: Price
    let category: String
  }

  struct Consumed: Hashable, Sendable {
    let quantity: Quantity
    let unit: String
  }

  struct SKU: Hashable, Sendable {
    let id: String
    let meter: String
    let priceID: String
    let priceDetails: String
    let billingMeter: String
    let unit: String
    let rateCard: String?
  }

  let bill: FocusBill
  let category: Category
  /// It corrects a period that was invoiced before.
  let isCorrection: Bool
  let frequency: Frequency
  let description: String
  let start: Instant
  let end: Instant
  let costs: Costs
  var pricing: Pricing?
  var consumed: Consumed?
  var sku: SKU?
  var service = FocusService.statement
  var resource: Resource?
  var window: Hour?
  let kind: String
  let isProvisional: Bool

  static func status(isProvisional: Bool) -> String { isProvisional ? "Provisional" : "Final" }

  /// The cell of a column; nil for null.
  func text(_ column: FocusColumn) -> String? {
    switch column {
    case .billedCost, .effectiveCost, .pricingCurrencyEffectiveCost: costs.billed.focusText
    case .billingAccountID: bill.accountID
    case .billingAccountName: bill.accountName
    case .billingAccountType: bill.accountType
    case .billingCurrency, .pricingCurrency: bill.currency.code
    case .billingPeriodEnd: bill.period.end.start.description
    case .billingPeriodStart: bill.period.start.start.description
    case .chargeCategory: category.rawValue
    case .chargeClass: isCorrection ? "Correction" : nil
    case .chargeDescription: description
    case .chargeFrequency: frequency.rawValue
    case .chargePeriodEnd: end.description
    case .chargePeriodStart: start.description
    case .consumedQuantity: consumed?.quantity.focusText
    case .consumedUnit: consumed?.unit
    case .contractedCost: costs.contracted.focusText
    case .contractedUnitPrice, .pricingCurrencyContractedUnitPrice: pricing?.contracted.focusText
    case .invoiceID: bill.invoice
    case .invoiceIssuerName, .providerName, .publisherName: bill.provider
    case .listCost: costs.list.focusText
    case .listUnitPrice, .pricingCurrencyListUnitPrice: pricing?.list.focusText
    case .pricingCategory: pricing?.category
    case .pricingQuantity: pricing?.quantity.focusText
    case .pricingUnit: pricing?.unit
    case .regionID, .regionName: resource?.location.filled
    case .resourceID: resource?.uri.filled
    case .resourceName: resource?.displayName
    case .resourceType: resource?.type
    case .serviceCategory: service.category
    case .serviceName: service.name
    case .serviceSubcategory: service.subcategory
    case .skuID: sku?.id
    case .skuMeter: sku?.meter
    case .skuPriceDetails: sku?.priceDetails
    case .skuPriceID: sku?.priceID
    case .subAccountID: bill.subAccountID
    case .subAccountName: bill.subAccountName
    case .subAccountType: "Subscription"
    case .tags: resource?.tags.filled
    case .billingMeterID: sku?.billingMeter
    case .chargeKind: kind
    case .chargeStatus: FocusRow.status(isProvisional: isProvisional)
    case .meterUnit: sku?.unit.filled
    case .rateCard: sku?.rateCard
    case .reportingWindow: window?.description
    case .availabilityZone, .capacityReservationID, .capacityReservationStatus,
      .commitmentDiscountCategory, .commitmentDiscountID, .commitmentDiscountName,
      .commitmentDiscountQuantity, .commitmentDiscountStatus, .commitmentDiscountType,
      .commitmentDiscountUnit:
      nil
    }
  }
}

extension String {
  /// Nil where there is nothing in it but spaces, which FOCUS wants to be null.
  fileprivate var filled: String? { utf8.allSatisfy { $0 == 0x20 } ? nil : self }

  /// Always with a point: readers that guess the type of a column by its texts take it for a decimal, then.
  fileprivate var pointed: String { utf8.contains(UInt8(ascii: ".")) ? self : self + ".0" }
}

extension Cost { var focusText: String { description.pointed } }
extension Price { fileprivate var focusText: String { description.pointed } }
extension Quantity { var focusText: String { description.pointed } }

extension Resource {
  /// The last part of the URI, where that says less than the whole.
  fileprivate var displayName: String? {
    let name = uri.split(separator: "/").last.map(String.init)?.filled
    return name == uri ? nil : name
  }

  /// `Microsoft.Compute/virtualMachines` of an ARM-style URI; of others that it is a resource.
  fileprivate var type: String? {
    guard uri.filled != nil else { return nil }
    let parts = uri.split(separator: "/").map(String.init)
    guard
      let providers = parts.lastIndex(where: { $0.asciiLowercased == "providers" }),
      providers + 2 < parts.count
    else { return "Resource" }
    let types = stride(from: providers + 2, to: parts.count, by: 2).map { parts[$0] }
    return ([parts[providers + 1]] + types).joined(separator: "/")
  }
}
