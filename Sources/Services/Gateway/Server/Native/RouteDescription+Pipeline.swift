internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

extension RouteDescription {
  static let health = RouteDescription(
    name: "getHealth", summary: "Whether the gateway runs.",
    answers: [Answer(.ok, "It does.", .json(.object(["status": .text])))])

  static let liveness = RouteDescription(
    name: "getLiveness", summary: "The same under the name that orchestrators ask by.",
    answers: [Answer(.ok, "It does.", .json(.object(["status": .text])))])

  static let metrics = RouteDescription(
    name: "getMetrics", summary: "What the gateway counts of itself since it started.",
    answers: [
      Answer(
        .ok, "Prometheus' text format 0.0.4.",
        Content(type: "text/plain; version=0.0.4; charset=utf-8", schema: .text))
    ])

  static let readiness = RouteDescription(
    name: "getReadiness",
    summary: "Whether the gateway can take events and its answers are true; 503 where not.",
    answers: [Answer(.ok, "They are.", .json(.object(["status": .text])))])

  static let status = RouteDescription(
    name: "getStatus", summary: "How far behind the pipeline is, and what is wrong.",
    answers: [
      Answer(
        .ok, "The status.",
        .json(
          .object(
            [
              "healthy": .flag, "problems": .list(.text), "openWindow": .time,
              "appliedPosition": .integer(), "appliedReportedTime": .time,
            ], optional: ["collector": .collectorStatus, "aggregator": .aggregatorStatus])))
    ])

  static let sources = RouteDescription(
    name: "listSources", summary: "The sources that usage is expected of, by name.",
    answers: [
      Answer(
        .ok, "All sources.",
        .json(
          .object([
            "value": .list(
              .object([
                "source": .text, "cadenceSeconds": .integer(), "completeUntil": .time,
                "heardTime": .time, "overdueSeconds": .integer(),
              ]))
          ])))
    ])

  static let heartbeat = RouteDescription(
    name: "sendHeartbeat", summary: "Says how far a source's usage is reported. Safe to repeat.",
    body: Body(
      summary: "How far the source is, or that nothing more is expected of it.",
      contents: [
        .json(
          .object(
            ["source": .text],
            optional: [
              "cadenceSeconds": .integer(1...Int(HeartbeatLimits.cadenceSecondsMax)),
              "completeUntil": .time, "ended": .flag,
            ]))
      ], bytesMax: GatewayLimits.heartbeatBodyBytesMax),
    answers: [
      Answer(
        .ok, "What stands of the source now.",
        .json(
          .object(
            ["source": .text],
            optional: ["ended": .flag, "cadenceSeconds": .integer(), "completeUntil": .time])))
    ], problems: [.conflict])
}

extension Schema {
  fileprivate static let collectorStatus = Schema.object([
    "nextPosition": .integer(), "lastReportedTime": .time, "journalBytes": .integer(),
    "accepted": .integer(), "duplicates": .integer(), "refused": .integer(),
    "quarantineEntries": .integer(), "quarantineBytes": .integer(),
    "parkedCorrections": .integer(), "dedupEntries": .integer(), "diskFreeBytes": .integer(),
    "diskReserveBytes": .integer(), "refusing": .text, "quarantineDropped": .integer(),
    "clockProblem": .text,
  ])

  fileprivate static let aggregatorStatus = Schema.object([
    "nextPosition": .integer(), "durablePosition": .integer(), "appliedReportedTime": .time,
    "openWindow": .time, "appliedEvents": .integer(), "unappliedEvents": .integer(),
    "commits": .integer(), "following": .flag, "problem": .text, "faults": .list(.text),
  ])
}
