internal import HTTPTypes
internal import StackmeterCore
internal import StackmeterWire

extension RouteDescription {
  static let openAPI = RouteDescription(
    name: "getOpenAPI", summary: "This document.",
    answers: [Answer(.ok, "OpenAPI 3.1.", .json(.anything))])

  static let meters = RouteDescription(
    name: "listMeters", summary: "The catalog of meters.",
    answers: [
      Answer(
        .ok, "All meters.",
        .json(
          .object([
            "value": .list(
              .object([
                "id": .text, "name": .text, "unit": .text, "category": .text,
                "resourceProvider": .text, "aggregation": .text, "billable": .flag,
              ]))
          ])))
    ])

  static let subscriptions = RouteDescription(
    name: "listSubscriptions",
    summary: "The subscriptions that the caller may see, by id, page by page.",
    parameters: [
      .subscriptions, Parameter("after", .text, "The `nextAfter` of the page before."),
      .pageSize(max: ListSubscriptionsRequest.pageSizeMax),
    ],
    answers: [
      Answer(
        .ok, "A page.",
        .json(
          .object(
            [
              "value": .list(
                .object([
                  "id": .text, "displayName": .text, "owner": .text, "costCenter": .text,
                  "tags": .map(.text),
                  "state": .choice(Subscription.State.allCases.map(\.rawValue)),
                ]))
            ], optional: ["nextAfter": .text])))
    ])

  static let windows = RouteDescription(
    name: "listWindows", summary: "Reporting windows, newest first.",
    parameters: [
      Parameter("before", .hour, "Windows before this one; the newest by default."),
      .pageSize(max: ListWindowsRequest.pageSizeMax),
    ],
    answers: [
      Answer(
        .ok, "A page. How much a window has, and in which cells, is for operators.",
        .json(
          .object(
            ["value": .list(.window)],
            optional: ["nextBefore": .time, "missingSources": .component("MissingSources")])))
    ])
}

extension Schema {
  fileprivate static let window = Schema.object(
    ["window": .time, "closed": .flag, "final": .flag],
    optional: [
      "aggregates": .integer(), "missingAtClose": .component("MissingSources"),
      "cells": .list(
        .object(
          ["cell": .text, "closed": .flag, "aggregates": .integer()],
          optional: ["missingAtClose": .component("MissingSources")])),
    ])
}
