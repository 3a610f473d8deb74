internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

extension RouteDescription {
  static let usage = RouteDescription(
    name: "listUsage",
    summary:
      "Usage aggregates by reported or usage time, the open window among them, page by page.",
    parameters: Parameter.series + [
      Parameter(
        "from", .hour, "The first hour; 24 hours, 30 days or 12 months before `to` by default."),
      Parameter("to", .hour, "Where the last hour ends; now by default."),
      Parameter("granularity", .choice(["hourly", "daily", "monthly"]), "hourly by default."),
      Parameter(
        "by", .choice(["reported", "usage"]), "Which time `from` and `to` are; reported by default."
      ),
      .asOf, .pageSize(max: ListUsageRequest.pageSizeMax), .pageToken,
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            ["from": .time, "to": .time, "value": .list(.usageRow)],
            optional: [
              "asOf": .time, "nextPageToken": .text, "missingSources": .component("MissingSources"),
            ])))
    ])

  static let summary = RouteDescription(
    name: "summarizeUsage", summary: "Exact totals of each meter by usage or reported time.",
    parameters: Parameter.series + [
      Parameter("from", .hour, "The first hour; 30 days before `to` by default."),
      Parameter("to", .hour, "Where the last hour ends; the end of today by default."),
      Parameter(
        "by", .choice(["usage", "reported"]), "Which time `from` and `to` are; usage by default."),
      Parameter(
        "groupBy", .text,
        "What a total is of, beside its meter; up to \(Grouping.countMax) with commas: one of hour, "
          + "day, month; subscription, "
          + "resource, resourceGroup, location, tag:NAME, owner, costCenter, department, "
          + "subscriptionTag:NAME."),
      Parameter(
        "top", .integer(1...SummarizeRequest.topMax),
        "The greatest groups of each meter, and the exact sum of its others."),
      .asOf,
    ],
    answers: [
      Answer(
        .ok, "All totals.",
        .json(
          .object(
            ["from": .time, "to": .time, "value": .list(.usageTotal)],
            optional: ["asOf": .time, "missingSources": .component("MissingSources")])))
    ])

  static let exportUsage = RouteDescription(
    name: "exportUsage",
    summary:
      "The rows of closed windows as a file, streamed. At most \(GatewayLimits.exportsMax) at once.",
    parameters: Parameter.series + [
      Parameter("format", .choice(["csv", "ndjson"]), "csv by default."),
      Parameter("granularity", .choice(["hourly", "daily"]), "hourly by default."),
      Parameter("from", .hour, "The first reporting window; the first that is kept by default."),
      Parameter("to", .hour, "Where the windows end; all that are closed by default."),
      Parameter("afterWindow", .hour, "Instead of `from`: the window before the first."),
      Parameter(
        "restatedSince", .hour,
        "Instead of windows: what has changed since this window in usage days before it."),
      Parameter("bom", .flag, "CSV: a byte order mark in front."),
      Parameter("end", .flag, "A last record that says that this is the end."),
    ],
    answers: [
      Answer(
        .ok, "The whole file.", Content(type: "text/csv", schema: .text),
        Content(type: "application/x-ndjson", schema: .text))
    ], problems: [.tooManyRequests])

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
  /// Which series a question is about: one entry of each list must match.
  static let series = [
    subscriptions, meters,
    list("resourceUri", "Resources by URI, byte for byte; all by default."),
    list("resourceUriPrefix", "Resources whose URI begins so; with `resourceUri` one list."),
    list("resourceGroup", "Resource groups; case does not matter."),
    list("location", "Locations, byte for byte."),
    list("tag", "Tags, as `name` or `name:value`; of those of one name one, of every name."),
  ]
  static let asOf = Parameter(
    "asOf", .time, "As it was known then: only windows that had ended count.")

  private static func list(_ name: String, _ summary: String) -> Parameter {
    Parameter(name, .text, summary, countMax: ListUsageRequest.filterMax)
  }

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
      "id": .text, "quantity": .quantity, "provisional": .flag,
    ], optional: ["window": .time, "lastWindow": .time, "final": .flag, "cell": .text])

  fileprivate static let usageTotal = Schema.object(
    [
      "meterId": .text, "quantity": .quantity, "provisional": .flag,
    ],
    optional: [
      "hour": .time, "day": .day, "month": .text, "subscriptionId": .text, "resourceUri": .text,
      "resourceGroup": .text, "location": .text, "owner": .text, "costCenter": .text,
      "tags": .map(.text), "subscriptionTags": .map(.text), "others": .flag, "meterName": .text,
      "unit": .text, "final": .flag,
    ])

  static let explainedPart = Schema.object(
    [
      "position": .integer(), "reportedTime": .time, "window": .time, "source": .text,
      "id": .text, "resourceUri": .text, "usageStart": .time, "usageEnd": .time,
      "quantity": .quantity, "part": .quantity,
    ],
    optional: [
      "replaces": .text, "voids": .text, "takesBack": .integer(), "declaredQuantity": .quantity,
    ])
}
