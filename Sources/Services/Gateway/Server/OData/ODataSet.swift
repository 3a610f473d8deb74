internal import StackmeterOData

/// The entity sets of `/odata/v4`.
enum ODataSet: CaseIterable, Sendable {
  case hourlyUsage, dailyUsage, monthlyUsage, charges, meters, subscriptions

  static let service = ODataService(
    namespace: "Stackmeter", sets: allCases.map(\.set))

  var set: ODataEntitySet {
    switch self {
    case .hourlyUsage:
      ODataEntitySet(
        "HourlyUsage", of: .usage, "What each resource used of each meter in each hour of UTC.")
    case .dailyUsage:
      ODataEntitySet(
        "DailyUsage", of: .usage, "What each resource used of each meter on each day of UTC.")
    case .monthlyUsage:
      ODataEntitySet(
        "MonthlyUsage", of: .usage, "What each resource used of each meter in each month of UTC.")
    case .charges:
      ODataEntitySet(
        "Charges", of: .charge, "What usage costs, priced aggregate by aggregate.")
    case .meters: ODataEntitySet("Meters", of: .meter, "What is measured.")
    case .subscriptions:
      ODataEntitySet("Subscriptions", of: .subscription, "Who uses it, as the directory has them.")
    }
  }
}

extension ODataEntityType {
  /// In the order of `ODataUsage.row`.
  static let usage = ODataEntityType(
    "Usage", key: "Id",
    [
      ODataProperty("Id", .string, "Of this row and no other, in every answer and export."),
      ODataProperty("SubscriptionId", .string, "Who used it."),
      ODataProperty("MeterId", .string, "What was measured."),
      ODataProperty(
        "MeterName", .string, isNullable: true,
        "As the catalog has it now; null for a meter that left it."),
      ODataProperty("Unit", .string, isNullable: true, "What a quantity of 1 stands for."),
      ODataProperty("ResourceUri", .string, "Which resource."),
      ODataProperty(
        "ResourceGroup", .string, isNullable: true, "Of the resource's URI, in lower case."),
      ODataProperty("Location", .string, "Where it is; empty where nothing is said."),
      ODataProperty("Tags", .string, "The resource's tags, a JSON object; empty for none."),
      ODataProperty("UsageStart", .time, "When the hour, day or month begins."),
      ODataProperty("UsageEnd", .time, "When it ends."),
      ODataProperty("Quantity", .decimal, "How much, exactly: whatever was reported of it so far."),
      ODataProperty(
        "Provisional", .boolean, "A part of it was reported in the window that is still open."),
      ODataProperty("Final", .boolean, "No source that is expected to report has yet to do so."),
    ])

  /// In the order of `ODataCharges.rows`.
  static let charge = ODataEntityType(
    "Charge", key: "Id",
    [
      ODataProperty("Id", .string, "Of this charge; another one where it is charged otherwise."),
      ODataProperty("BillingPeriod", .string, "The month of its statement: 2026-11."),
      ODataProperty(
        "Statement", .string, isNullable: true,
        "The number of the closed statement; null for a draft."),
      ODataProperty("SubscriptionId", .string, "Who owes it."),
      ODataProperty("Kind", .string, "usage, retiered, repriced, minimum or unrated."),
      ODataProperty("Adjustment", .boolean, "It is of a period that was closed before."),
      ODataProperty("Provisional", .boolean, "It may still change."),
      ODataProperty("MeterId", .string, "What was measured."),
      ODataProperty("MeterName", .string, isNullable: true, "As the rate card has it."),
      ODataProperty("Unit", .string, isNullable: true, "What a quantity of 1 stands for."),
      ODataProperty(
        "ResourceUri", .string, isNullable: true,
        "Which resource; null where it is of the whole period."),
      ODataProperty(
        "ResourceGroup", .string, isNullable: true, "Of the resource's URI, in lower case."),
      ODataProperty("Location", .string, isNullable: true, "Where the resource is."),
      ODataProperty(
        "Tags", .string, isNullable: true, "The resource's tags, a JSON object; empty for none."),
      ODataProperty("UsageStart", .time, isNullable: true, "When the usage begins."),
      ODataProperty("UsageEnd", .time, isNullable: true, "When it ends."),
      ODataProperty(
        "RateCard", .string, isNullable: true,
        "Card and version that it is priced by; null without a price."),
      ODataProperty("Tier", .string, "From 1, as on the card; 0 for what is included."),
      ODataProperty("Quantity", .decimal, "How much was used, exactly."),
      ODataProperty("PricedQuantity", .decimal, "What the price is multiplied with."),
      ODataProperty("ListPrice", .decimal, "Without discounts."),
      ODataProperty("Price", .decimal, "What one costs."),
      ODataProperty(
        "Cost", .decimal, isNullable: true,
        "To 18 digits after the point; null where it is too large for that."),
      ODataProperty("ExactCost", .string, "With all its digits."),
      ODataProperty("Currency", .string, "ISO 4217."),
    ])

  /// In the order of `ODataMeters.row`.
  static let meter = ODataEntityType(
    "Meter", key: "Id",
    [
      ODataProperty("Id", .string, "What MeterId says."),
      ODataProperty("Name", .string, "For people."),
      ODataProperty("Unit", .string, "What a quantity of 1 stands for."),
      ODataProperty("Category", .string, "Groups meters."),
      ODataProperty("ResourceProvider", .string, "Who reports it."),
      ODataProperty("Billable", .boolean, "Whether it may be priced."),
    ])

  /// In the order of `ODataSubscriptions.row`.
  static let subscription = ODataEntityType(
    "Subscription", key: "Id",
    [
      ODataProperty("Id", .string, "What SubscriptionId says."),
      ODataProperty("DisplayName", .string, "For people."),
      ODataProperty("Owner", .string, "Who answers for it."),
      ODataProperty("CostCenter", .string, "Who pays for it."),
      ODataProperty("Tags", .string, "A JSON object; empty for none."),
      ODataProperty("State", .string, "active, suspended, deleted or unassigned."),
    ])
}
