internal import HTTPTypes
internal import StackmeterCore

extension RouteDescription {
  static let events = RouteDescription(
    name: "reportEvents",
    summary: "Reports usage as CloudEvents 1.0. Retrying is always safe: an event counts once.",
    headers: [
      Parameter(
        "Prefer", .text, "With return=minimal the answer is 204 where every event counts.")
    ],
    body: Body(
      summary:
        "One event, at most \(EventLimits.batchEventsMax) in an array, or any number with one on each line: "
        + "lines may have \(GatewayLimits.eventLinesBodyBytesMax) bytes in all, and \(GatewayLimits.eventLineBytesMax) "
        + "each. In CloudEvents' binary mode the attributes are `ce-` headers and the body is the event's data.",
      contents: [
        Content(type: "application/cloudevents+json", schema: .component("UsageEvent")),
        Content(type: "application/cloudevents-batch+json", schema: .batch),
        .json(.either([.component("UsageEvent"), .batch])),
      ] + EventsForm.lineTypes.map { Content(type: $0, schema: .anything) },
      bytesMax: GatewayLimits.eventsBodyBytesMax),
    answers: [
      Answer(
        .accepted, "What became of the events; each that is not counted has its reason.",
        .json(.outcome)),
      Answer(.noContent, "Every event counts; where the request prefers to know no more."),
    ], problems: [.conflict, .unprocessableContent])
}

extension RouteDescription {
  static let eventsHandshake = RouteDescription(
    name: "allowEvents", summary: "CloudEvents' handshake of web hooks.",
    headers: [Parameter("WebHook-Request-Origin", .text, "Who would send.")],
    answers: [Answer(.noContent, "It may, with a key, as often as the limits of requests allow.")])
}

extension Schema {
  /// An event as it is reported. Other attributes of CloudEvents may stand beside these.
  static let usageEvent = Schema.openObject(
    [
      "specversion": .choice(["1.0"]), "type": .choice([UsageEvent.cloudEventType]), "id": .text,
      "source": .text,
      "data": .openObject(
        [:],
        optional: [
          "meter": .text, "quantity": .either([.quantity, .number]), "resourceUri": .text,
          "location": .text, "tags": .map(.text), "additionalInfo": .anything,
          "startTime": .time, "endTime": .time, "replaces": .text, "voids": .text,
        ]),
    ], optional: ["subject": .text, "time": .time])

  fileprivate static let batch = Schema.list(
    .component("UsageEvent"), max: EventLimits.batchEventsMax)

  fileprivate static let outcome = Schema.object(
    [
      "accepted": .integer(), "duplicates": .integer(), "parked": .integer(),
      "rejected": .list(
        .object([
          "index": .integer(), "id": .text, "code": .text, "field": .text, "message": .text,
        ])),
    ], optional: ["rejectedOthers": .integer()])
}
