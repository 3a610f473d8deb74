/// A column of a FOCUS 1.2 file, in the order in which they stand: those of FOCUS by their names, then ours, which
/// begin with `x_`.
enum FocusColumn: String, Hashable, Sendable, CaseIterable {
  case availabilityZone = "AvailabilityZone"
  case billedCost = "BilledCost"
  case billingAccountID = "BillingAccountId"
  case billingAccountName = "BillingAccountName"
  case billingAccountType = "BillingAccountType"
  case billingCurrency = "BillingCurrency"
  case billingPeriodEnd = "BillingPeriodEnd"
  case billingPeriodStart = "BillingPeriodStart"
  case capacityReservationID = "CapacityReservationId"
  case capacityReservationStatus = "CapacityReservationStatus"
  case chargeCategory = "ChargeCategory"
  case chargeClass = "ChargeClass"
  case chargeDescription = "ChargeDescription"
  case chargeFrequency = "ChargeFrequency"
  case chargePeriodEnd = "ChargePeriodEnd"
  case chargePeriodStart = "ChargePeriodStart"
  case commitmentDiscountCategory = "CommitmentDiscountCategory"
  case commitmentDiscountID = "CommitmentDiscountId"
  case commitmentDiscountName = "CommitmentDiscountName"
  case commitmentDiscountQuantity = "CommitmentDiscountQuantity"
  case commitmentDiscountStatus = "CommitmentDiscountStatus"
  case commitmentDiscountType = "CommitmentDiscountType"
  case commitmentDiscountUnit = "CommitmentDiscountUnit"
  case consumedQuantity = "ConsumedQuantity"
  case consumedUnit = "ConsumedUnit"
  case contractedCost = "ContractedCost"
  case contractedUnitPrice = "ContractedUnitPrice"
  case effectiveCost = "EffectiveCost"
  case invoiceID = "InvoiceId"
  case invoiceIssuerName = "InvoiceIssuerName"
  case listCost = "ListCost"
  case listUnitPrice = "ListUnitPrice"
  case pricingCategory = "PricingCategory"
  case pricingCurrency = "PricingCurrency"
  case pricingCurrencyContractedUnitPrice = "PricingCurrencyContractedUnitPrice"
  case pricingCurrencyEffectiveCost = "PricingCurrencyEffectiveCost"
  case pricingCurrencyListUnitPrice = "PricingCurrencyListUnitPrice"
  case pricingQuantity = "PricingQuantity"
  case pricingUnit = "PricingUnit"
  case providerName = "ProviderName"
  case publisherName = "PublisherName"
  case regionID = "RegionId"
  case regionName = "RegionName"
  case resourceID = "ResourceId"
  case resourceName = "ResourceName"
  case resourceType = "ResourceType"
  case serviceCategory = "ServiceCategory"
  case serviceName = "ServiceName"
  case serviceSubcategory = "ServiceSubcategory"
  case skuID = "SkuId"
  case skuMeter = "SkuMeter"
  case skuPriceDetails = "SkuPriceDetails"
  case skuPriceID = "SkuPriceId"
  case subAccountID = "SubAccountId"
  case subAccountName = "SubAccountName"
  case subAccountType = "SubAccountType"
  case tags = "Tags"

  case billingMeterID = "x_BillingMeterId"
  case chargeKind = "x_ChargeKind"
  case chargeStatus = "x_ChargeStatus"
  case meterUnit = "x_MeterUnit"
  case rateCard = "x_RateCard"
  case reportingWindow = "x_ReportingWindow"

  /// What FOCUS says that a cell is; an empty one is null.
  enum DataType: Hashable, Sendable {
    case text
    case dateTime
    /// One flat object.
    case json
    /// With how many digits at most, and how many of them after the point.
    case decimal(precision: Int, scale: Int)
  }

  var dataType: DataType {
    switch self {
    case .billedCost, .contractedCost, .effectiveCost, .listCost, .pricingCurrencyEffectiveCost:
      // 256 bits, of which 36 digits are after the point.
      .decimal(precision: 77, scale: Cost.fractionDigits)
    case .contractedUnitPrice, .listUnitPrice, .pricingCurrencyContractedUnitPrice,
      .pricingCurrencyListUnitPrice:
      .decimal(precision: 12 + Price.fractionDigits, scale: Price.fractionDigits)
    case .commitmentDiscountQuantity, .consumedQuantity, .pricingQuantity:
      .decimal(precision: 19 + 18, scale: 18)
    case .billingPeriodEnd, .billingPeriodStart, .chargePeriodEnd, .chargePeriodStart,
      .reportingWindow:
      .dateTime
    case .skuPriceDetails, .tags: .json
    default: .text
    }
  }

  /// Whether the column is one of ours.
  var isCustom: Bool { rawValue.hasPrefix("x_") }
}

/// Which reader a file is for.
package enum FocusForm: String, Hashable, Sendable, CaseIterable {
  /// As FOCUS 1.2 says.
  case focus = "1.2"
  /// The same with five columns more, which version 1.0.0 of the public validator asks for by other names than FOCUS.
  case validator = "validator-1.0.0"

  /// The further columns, and the column of FOCUS that each repeats; nil for an empty one.
  var shims: [(name: String, column: FocusColumn?)] {
    guard self == .validator else { return [] }
    return [
      ("ChargeType", nil), ("InvoiceIssuer", .invoiceIssuerName), ("Provider", .providerName),
      ("Publisher", .publisherName), ("ResourceID", .resourceID),
    ]
  }
}
