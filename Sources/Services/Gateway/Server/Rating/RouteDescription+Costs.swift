internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterWire

extension RouteDescription {
  static let showback = RouteDescription(
    name: "showback",
    summary:
      "What the statements of a billing period come to, by something that usage or subscriptions say; drafts of closed "
      + "windows.",
    parameters: [
      .month, .subscriptions,
      Parameter(
        "groupBy", .text, "One of \(ShowbackKey.words.joined(separator: ", ")).", isNeeded: true),
      Parameter("share", .text, "An amount that the named parts bear together."),
      Parameter(
        "shareBy", .choice(Showback.SharingKey.allCases.map(\.rawValue)),
        "By what it is divided: `cost`, by their amounts, by default; `equal`, the same for each."),
    ],
    answers: [
      Answer(
        .ok, "All parts; they sum to the total.",
        .json(
          .object([
            "period": .text, "groupBy": .text, "currency": .text, "total": .text,
            "statements": .integer(), "drafts": .integer(),
            "value": .list(
              .object(
                ["kind": .text, "amount": .text],
                optional: [
                  "name": .text, "share": .text,
                  "statements": .list(
                    .object(
                      ["subscriptionId": .text, "amount": .text], optional: ["number": .text])),
                ])),
          ])))
    ])

  static let reconciliation = RouteDescription(
    name: "reconcile",
    summary: "Whether the statements of a billing period tie: lines = total = usage × prices.",
    parameters: [
      .month, .subscriptions, Parameter("after", .text, "The `nextAfter` of the page before."),
    ],
    answers: [
      Answer(
        .ok, "A page, in the order of subscriptions.",
        .json(
          .object(
            [
              "ties": .flag,
              "value": .list(
                .object(
                  [
                    "subscriptionId": .text, "total": .text, "currency": .text, "ties": .flag,
                    "checks": .list(.object(["name": .text, "holds": .flag, "text": .text])),
                  ], optional: ["number": .text])),
            ], optional: ["nextAfter": .text])))
    ])

  static let statementExplanation = RouteDescription(
    name: "explainStatementLine",
    summary:
      "The charges that a line of a closed statement sums up, and their events, page by page.",
    pathValue: "The number of the statement.",
    parameters: [
      Parameter(
        "line", .integer(1...1_000_000), "Which line, counted from 1.", isNeeded: true),
      Parameter("events", .flag, "With the events of each charge; false by default."),
      .pageSize(max: CostAnswers.explainedMax), .pageToken,
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            [
              "statement": .text, "line": .integer(), "of": .statementLine,
              "value": .list(.explainedCharge),
            ], optional: ["nextPageToken": .text])))
    ])
}

extension Schema {
  fileprivate static let explainedCharge = Schema.openObject(
    chargeMembers,
    optional: [
      "events": .list(.explainedPart), "moreEvents": .flag, "problem": .text,
    ])
}
