internal import HTTPTypes

extension RouteDescription {
  static let azureEndpoints = RouteDescription(
    name: "getAzureEndpoints", summary: "Where Azure's scripts find what they need.",
    parameters: [.apiVersion],
    answers: [
      Answer(
        .ok, "The address that was asked, and who issues tokens for it.",
        .json(
          .object([
            "galleryEndpoint": .text, "graphEndpoint": .text, "portalEndpoint": .text,
            "authentication": .object(["loginEndpoint": .text, "audiences": .list(.text)]),
          ])))
    ])

  static let azureSubscriptions = RouteDescription(
    name: "listAzureSubscriptions", summary: "The subscriptions that the caller may see.",
    parameters: [
      .apiVersion, Parameter("$skiptoken", .text, "As in the `nextLink` of the page before."),
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(.object(["value": .list(.azureSubscription)], optional: ["nextLink": .text])))
    ])

  static let azureSubscription = RouteDescription(
    name: "getAzureSubscription", summary: "One subscription.",
    pathValue: "The subscription's id.", parameters: [.apiVersion],
    answers: [Answer(.ok, "The subscription.", .json(.azureSubscription))])

  /// `provider` makes the operations' names differ.
  static func azureOperations(_ provider: String = "") -> RouteDescription {
    RouteDescription(
      name: "listAzureOperations\(provider)", summary: "What can be done here.",
      parameters: [.apiVersion],
      answers: [
        Answer(
          .ok, "All operations.",
          .json(
            .object([
              "value": .list(
                .object([
                  "name": .text, "isDataAction": .flag,
                  "display": .object([
                    "provider": .text, "resource": .text, "operation": .text,
                    "description": .text,
                  ]),
                ]))
            ])))
      ])
  }

  static let azureRateCard = RouteDescription(
    name: "getAzureRateCard", summary: "What usage costs a subscription, in Azure's shape.",
    pathValue: "The subscription's id.",
    parameters: [
      .apiVersion,
      Parameter(
        "$filter", .text,
        "OfferDurableId eq '…' and Currency eq '…' and Locale eq '…' and RegionInfo eq '…'.",
        isNeeded: true),
    ],
    answers: [
      Answer(
        .ok, "The rates of the version that holds today.",
        .json(
          .object([
            "OfferTerms": .list(
              .object([
                "Name": .text, "EffectiveDate": .time, "TieredDiscount": .map(.number),
                "ExcludedMeterIds": .list(.text),
              ])),
            "Meters": .list(
              .object([
                "EffectiveDate": .time, "IncludedQuantity": .number, "MeterCategory": .text,
                "MeterId": .text, "MeterName": .text, "MeterRates": .map(.number),
                "MeterRegion": .text, "MeterSubCategory": .text, "MeterTags": .list(.text),
                "Unit": .text,
              ])),
            "Currency": .text, "Locale": .text, "IsTaxIncluded": .flag,
          ])))
    ])

  static let azureEncryption = RouteDescription(
    name: "updateAzureEncryption", summary: "Refused: usage has no encryption of its own.",
    pathValue: "The subscription's id.", parameters: [.apiVersion],
    answers: [Answer(.badRequest, "Always.", .json(.component("AzureError")))])

  static let azureTenant = azureUsage("listTenantUsage", subscriber: "Passed over.")

  /// `path` makes the operations' names differ.
  static func azureProvider(_ path: String = "") -> RouteDescription {
    azureUsage(
      "listProviderUsage\(path)", subscriber: "One subscription; all by default.")
  }

  private static func azureUsage(_ name: String, subscriber: String) -> RouteDescription {
    RouteDescription(
      name: name,
      summary: "Azure's Usage API: closed windows of reported time. 503 while a window is open.",
      pathValue: "The subscription's id.",
      parameters: [
        .apiVersion,
        Parameter(
          "reportedStartTime", .text, "The first window, in UTC: 2026-11-23T00:00:00Z.",
          isNeeded: true),
        Parameter("reportedEndTime", .text, "The end of the last window.", isNeeded: true),
        Parameter("aggregationGranularity", .choice(["Daily", "Hourly"]), "Daily by default."),
        Parameter(
          "showDetails", .text, "Whether resources are told apart; true by default."),
        Parameter("subscriberId", .text, subscriber),
        Parameter("continuationToken", .text, "As in the `nextLink` of the page before."),
      ],
      answers: [
        Answer(
          .ok, "A page of at most \(GatewayLimits.azurePageRows) rows.",
          .json(
            .object(
              ["value": .list(.azureRow, max: Int(GatewayLimits.azurePageRows))],
              optional: ["nextLink": .text])))
      ], problems: [.notFound])
  }
}

extension Parameter {
  fileprivate static let apiVersion = Parameter(
    "api-version", .text, "2015-06-01-preview; any is taken.", isNeeded: true)
}

extension Schema {
  fileprivate static let azureSubscription = Schema.object([
    "id": .text, "subscriptionId": .text, "displayName": .text,
    "state": .choice(["Enabled", "Disabled", "Deleted"]), "tags": .map(.text),
  ])

  fileprivate static let azureRow = Schema.object([
    "id": .text, "name": .text, "type": .text,
    "properties": .object(
      [
        "subscriptionId": .text, "usageStartTime": .text, "usageEndTime": .text,
        "quantity": .number, "meterId": .text, "name": .text,
      ], optional: ["instanceData": .text]),
  ])
}
