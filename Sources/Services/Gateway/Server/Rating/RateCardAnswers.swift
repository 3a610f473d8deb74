internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

extension RouteTable {
  /// What is answered about what usage costs.
  static func rated(_ query: QueryClient, issuer: String) -> [Route] {
    RateCardAnswers(query: query).routes + StatementAnswers(query: query, issuer: issuer).routes
      + CostAnswers(query: query).routes + BudgetAnswers(query: query).routes
  }
}

/// `/v1/ratecards`: the versions of rate cards, for operators.
struct RateCardAnswers: Sendable {
  let query: QueryClient

  var routes: [Route] {
    [
      Route(.get, "/v1/ratecards", .operatorOnly, .rateCards, list),
      Route(.get, "/v1/ratecards/{id}", .operatorOnly, .rateCard, show),
    ]
  }

  private func list(_ request: GatewayRequest) async throws -> Reply {
    let reader = try request.parameters()
    try reader.finish()
    let cards = try await query.listRateCards(
      ListRateCardsRequest(caller: request.caller, name: reader.text("name") ?? ""))
    return Reply { writer in
      writer.member("inForce", string: cards.inForce)
      writer.member(
        "value",
        array: { writer in
          for version in cards.versions {
            writer.object { writer in
              writer.member("name", string: version.name)
              writer.member("version", version.version)
              writer.member("effective", string: version.effective.description)
              writer.member("currency", string: version.currency)
              writer.member("sha256", string: hexadecimal(version.hash))
              writer.member("bytes", version.byteCount)
            }
          }
        })
    }
  }

  /// The text of a version, as it was loaded.
  private func show(_ request: GatewayRequest) async throws -> Reply {
    let reader = try request.parameters()
    try reader.finish()
    let isCurrent = request.pathValue == "current"
    guard isCurrent || UInt32(request.pathValue).map({ $0 > 0 }) == true else {
      throw HTTPProblem(
        .notFound, "ResourceNotFound",
        "there is no version \"\(request.pathValue.prefix(64))\": name a number, or current")
    }
    let found = try await query.rateCard(
      GetRateCardRequest(
        caller: request.caller, name: reader.text("name") ?? "",
        version: UInt32(request.pathValue) ?? 0))
    return Reply(.ok, found.text, type: "text/plain; charset=utf-8")
  }
}

extension RouteDescription {
  private static let name = Parameter(
    "name", .text, "The name of a card; the one that usage is priced by, or all, by default.")

  static let rateCards = RouteDescription(
    name: "listRateCards", summary: "The versions of rate cards, by name and version.",
    parameters: [name],
    answers: [
      Answer(
        .ok, "All versions.",
        .json(
          .object([
            "inForce": .text,
            "value": .list(
              .object([
                "name": .text, "version": .integer(), "effective": .day, "currency": .text,
                "sha256": .text, "bytes": .integer(),
              ])),
          ])))
    ])

  static let rateCard = RouteDescription(
    name: "getRateCard", summary: "The text of one version of a rate card.",
    pathValue: "The number of the version, or `current` for the one that holds today.",
    parameters: [name],
    answers: [
      Answer(
        .ok, "The text, as it was loaded.", Content(type: "text/plain", schema: .text))
    ])
}
