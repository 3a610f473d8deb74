internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

extension RouteDescription {
  static let quarantine = RouteDescription(
    name: "listQuarantine", summary: "What was refused, oldest first, page by page.",
    parameters: Parameter.quarantineFilters + [
      Parameter("includeResolved", .flag, "Also what was redriven or discarded."),
      Parameter("after", .number, "The `nextAfter` of the page before."),
      .pageSize(max: ListQuarantineRequest.pageSizeMax),
    ],
    answers: [
      Answer(
        .ok, "A page; it may be empty and yet not the last.",
        .json(
          .object(["value": .list(.quarantineEntry)], optional: ["nextAfter": .integer()])))
    ])

  static let quarantineEntry = RouteDescription(
    name: "getQuarantineEntry", summary: "One entry of the quarantine.",
    pathValue: "The entry's number.",
    answers: [Answer(.ok, "The entry.", .json(.quarantineEntry))])

  static let redrive = RouteDescription(
    name: "redriveQuarantine",
    summary: "Reports refused events again. Safe to repeat: each counts once.",
    parameters: Parameter.quarantineChoice, answers: [.resolved])

  static let discard = RouteDescription(
    name: "discardQuarantine",
    summary: "Gives refused events up for good. Safe to repeat.",
    parameters: Parameter.quarantineChoice, answers: [.resolved])
}

extension RouteDescription.Answer {
  fileprivate static let resolved = Self(
    .ok, "What became of each entry.",
    .json(
      .object(
        [
          "value": .list(
            .object(
              ["number": .integer(), "state": .quarantineState],
              optional: [
                "position": .integer(), "reason": .text, "field": .text, "message": .text,
              ]))
        ], optional: ["nextAfter": .integer()])))
}

extension Parameter {
  fileprivate static let quarantineFilters = [
    Parameter(
      "reason", .choice(Refusal.Reason.allCases.map(\.name)), "Why it was refused; any by default.",
      countMax: ListUsageRequest.filterMax),
    Parameter("source", .text, "One source."),
    Parameter("subscription", .text, "One subscription."),
    Parameter("from", .time, "Refused at this time or later."),
    Parameter("to", .time, "Refused before this time."),
  ]

  fileprivate static let quarantineChoice =
    quarantineFilters + [
      Parameter(
        "number", .number, "Entries by number; nothing else then.",
        countMax: QuarantineChoice.entriesMax),
      Parameter("all", .flag, "All open entries that the filters let through."),
      Parameter("after", .number, "With `all`: the `nextAfter` of the answer before."),
      Parameter(
        "limit", .integer(1...QuarantineChoice.entriesMax), "With `all`: at most so many entries."),
    ]
}

extension Schema {
  fileprivate static let quarantineState = Schema.choice([
    "open", "redriven", "discarded", "absent",
  ])

  fileprivate static let quarantineEntry = Schema.object(
    [
      "number": .integer(), "state": .quarantineState, "refusedTime": .time, "reason": .text,
      "field": .text, "message": .text,
      "event": .object([
        "id": .text, "source": .text, "subscriptionId": .text, "meterId": .text,
        "resourceUri": .text, "location": .text, "tags": .map(.text), "additionalInfo": .text,
        "usageStart": .time, "usageEnd": .time, "quantity": .quantity,
      ]),
    ], optional: ["position": .integer(), "resolvedTime": .time])
}
