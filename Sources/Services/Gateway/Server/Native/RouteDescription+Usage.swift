internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

extension RouteDescription {
  static let usage = RouteDescription(
    name: "listUsage",
    summary: "Usage aggregates by reported time, the open window among them, page by page.",
    parameters: [
      Parameter("from", .hour, "The first reporting window; a day before `to` by default."),
      Parameter("to", .hour, "The end of the last reporting window; now by default."),
      Parameter("granularity", .choice(["hourly", "daily"]), "hourly by default."),
      .subscriptions, .meters,
      .pageSize(max: ListUsageRequest.pageSizeMax), .pageToken,
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            ["from": .time, "to": .time, "value": .list(.usageRow)],
            optional: ["nextPageToken": .text, "missingSources": .component("MissingSources")])))
    ])

  static let summary = RouteDescription(
    name: "summarizeUsage", summary: "Exact totals of each meter by usage time.",
    parameters: [
      Parameter("from", .hour, "The first usage hour; 30 days before `to` by default."),
      Parameter("to", .hour, "The end of the last usage hour; the end of today by default."),
      Parameter(
        "groupBy", .choices(["day", "subscription", "meter"]),
        "What a total is of, beside its meter."),
      .subscriptions, .meters,
    ],
    answers: [
      Answer(
        .ok, "All totals.",
        .json(
          .object(
            ["from": .time, "to": .time, "value": .list(.usageTotal)],
            optional: ["missingSources": .component("MissingSources")])))
    ])

  static let explain = RouteDescription(
    name: "explainUsage", summary: "The events that an aggregate is made of, page by page.",
    parameters: [
      Parameter("subscription", .text, "The subscription's id.", isNeeded: true),
      Parameter("meter", .text, "The meter's id.", isNeeded: true),
      Parameter("resourceUri", .text, "One resource; all by default."),
      Parameter("usageHour", .hour, "The usage hour.", isNeeded: true),
      Parameter("window", .hour, "One reporting window; all by default."),
      .pageSize(max: ExplainRequest.pageSizeMax), .pageToken,
    ],
    answers: [
      Answer(
        .ok, "A page, in the order of the journal.",
        .json(
          .object(
            [
              "value": .list(.explainedPart), "aggregation": .text, "aggregate": .quantity,
              "explained": .quantity, "provisional": .flag,
            ], optional: ["problem": .text, "nextPageToken": .text])))
    ])
}

extension Parameter {
  static let subscriptions = Parameter(
    "subscription", .text, "Subscriptions by id; all that the caller may see by default.",
    countMax: ListUsageRequest.filterMax)
  static let meters = Parameter(
    "meter", .text, "Meters by id; all by default.", countMax: ListUsageRequest.filterMax)
  static let pageToken = Parameter(
    "pageToken", .text, "The `nextPageToken` of the page before, for the same question.")

  static func pageSize(max: Int) -> Parameter {
    Parameter("pageSize", .integer(1...max), "The most that one page has.")
  }
}

extension Schema {
  fileprivate static let usageRow = Schema.object(
    [
      "subscriptionId": .text, "meterId": .text, "resourceUri": .text, "location": .text,
      "tags": .map(.text), "additionalInfo": .text, "usageStart": .time, "usageEnd": .time,
      "quantity": .quantity, "window": .time, "provisional": .flag, "final": .flag,
    ], optional: ["cell": .text])

  fileprivate static let usageTotal = Schema.object(
    [
      "meterId": .text, "meterName": .text, "unit": .text, "quantity": .quantity,
      "provisional": .flag, "final": .flag,
    ], optional: ["day": .day, "subscriptionId": .text])

  fileprivate static let explainedPart = Schema.object(
    [
      "position": .integer(), "reportedTime": .time, "window": .time, "source": .text,
      "id": .text, "resourceUri": .text, "usageStart": .time, "usageEnd": .time,
      "quantity": .quantity, "part": .quantity,
    ],
    optional: [
      "replaces": .text, "voids": .text, "takesBack": .integer(), "declaredQuantity": .quantity,
    ])
}
