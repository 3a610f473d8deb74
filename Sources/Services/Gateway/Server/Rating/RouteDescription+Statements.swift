internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

extension Parameter {
  fileprivate static let one = Parameter(
    "subscription", .text, "The subscription's id.", isNeeded: true)
  static let month = Parameter(
    "period", .text, "The billing period: a month of UTC such as 2026-11.", isNeeded: true)
}

extension RouteDescription {
  static let charges = RouteDescription(
    name: "listCharges",
    summary:
      "The charges of one subscription for one billing period, page by page: those of its statement or draft.",
    parameters: [
      .one, .month,
      Parameter(
        "closedOnly", .flag,
        "Without the open reporting window, whose charges may still change; false by default."),
      Parameter(
        "line", .integer(1...1_000_000),
        "Only those that this line of the statement sums up, counted from 1."),
      .pageSize(max: ListChargesRequest.pageSizeMax), .pageToken,
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            ["currency": .text, "value": .list(.charge)],
            optional: ["statement": .text, "nextPageToken": .text])))
    ])

  static let statements = RouteDescription(
    name: "listStatements", summary: "Closed statements, by number, page by page.",
    parameters: [
      .subscriptions,
      Parameter("period", .text, "A month of UTC such as 2026-11; all by default."),
      Parameter("after", .text, "The `nextAfter` of the page before."),
      .pageSize(max: ListStatementsRequest.pageSizeMax),
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            [
              "value": .list(
                .object([
                  "number": .text, "subscriptionId": .text, "period": .text,
                  "reportedFrom": .time, "reportedUntil": .time, "rateCard": .text,
                  "currency": .text, "total": .quantity, "sha256": .text,
                ]))
            ], optional: ["nextAfter": .text])))
    ])

  static let statement = RouteDescription(
    name: "getStatement",
    summary: "A closed statement, byte by byte as it was closed, or as CSV or a page made of that.",
    pathValue: "The number of the statement.", parameters: [StatementForm.parameter],
    answers: [aStatement])

  static let statementDraft = RouteDescription(
    name: "getStatementDraft",
    summary:
      "The statement of one subscription for one billing period: the closed one, or the draft of now.",
    parameters: [.one, .month, StatementForm.parameter],
    answers: [aStatement])

  private static let aStatement = Answer(
    .ok, "The statement.", .json(.statement), Content(type: "text/csv", schema: .text),
    Content(type: "text/html", schema: .text))
}

extension Schema {
  static let charge = Schema.object(
    chargeMembers, optional: chargeOptions)

  static let chargeMembers: KeyValuePairs<String, Schema> = [
    "kind": .choice(["usage", "retiered", "repriced", "minimum", "unrated"]),
    "adjustment": .flag, "provisional": .flag, "period": .text, "meterId": .text,
    "tier": .integer(), "quantity": .quantity, "pricedQuantity": .quantity,
    "listPrice": .text, "price": .text, "listCost": .text, "cost": .text,
  ]
  static let chargeOptions: KeyValuePairs<String, Schema> = [
    "usageStart": .time, "usageEnd": .time, "window": .time, "resourceUri": .text,
    "location": .text, "tags": .map(.text), "cell": .text, "meterName": .text, "unit": .text,
    "billingMeterId": .text, "rateCard": .text, "version": .integer(), "rateGroup": .text,
    "rateLocation": .text,
  ]

  fileprivate static let statement = Schema.object(
    [
      "status": .choice(["draft", "closed"]), "provisional": .flag, "subscriptionId": .text,
      "displayName": .text, "owner": .text, "costCenter": .text, "period": .text,
      "periodStart": .time, "periodEnd": .time, "currency": .text, "rounding": .text,
      "taxNote": .text, "rateCards": .list(.text), "lines": .list(.statementLine),
      "subscriptionState": .choice(Subscription.State.allCases.map(\.rawValue)),
      "unrated": .list(.object(["meterId": .text, "period": .text, "quantity": .quantity])),
      "total": .text,
    ], optional: ["number": .text, "tags": .map(.text)])

  static let statementLine = Schema.object(
    [
      "kind": .text, "adjustment": .flag, "period": .text, "description": .text,
      "exactCost": .text, "amount": .text,
    ],
    optional: [
      "usageDay": .day, "rateCard": .text, "version": .integer(), "meterId": .text,
      "billingMeterId": .text, "rateGroup": .text, "rateLocation": .text, "tier": .integer(),
      "quantity": .quantity, "pricedQuantity": .quantity, "listPrice": .text, "price": .text,
      "meterName": .text, "unit": .text, "form": .text, "package": .quantity,
      "startedPackages": .flag, "discount": .text,
    ])
}
