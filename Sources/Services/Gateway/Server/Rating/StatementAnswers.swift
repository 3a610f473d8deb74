internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterWire

/// `/v1/charges` and `/v1/statements`: what usage costs, for whoever may see that usage.
struct StatementAnswers: Sendable {
  let query: QueryClient
  /// The operator, by the name that finance knows.
  let issuer: String

  var routes: [Route] {
    [
      Route(.get, "/v1/charges", .caller, .charges, charges),
      Route(.get, "/v1/statements", .caller, .statements, list),
      Route(.get, "/v1/statements/draft", .caller, .statementDraft, draft),
      Route(.get, "/v1/statements/{id}", .caller, .statement, show),
    ]
  }

  private func charges(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let pageSize = reader.integer("pageSize") ?? 0
    let closedOnly = reader.flag("closedOnly")
    let line = reader.integer("line") ?? 0
    try reader.finish()
    let page = try await query.listCharges(
      ListChargesRequest(
        caller: request.caller, subscription: try subscription(reader, request.caller),
        period: reader.text("period") ?? "", pageSize: UInt32(pageSize),
        pageToken: reader.text("pageToken") ?? "", closedWindowsOnly: closedOnly,
        line: UInt32(line)))
    return Reply { writer in
      writer.member("currency", string: page.currency)
      if !page.statement.isEmpty { writer.member("statement", string: page.statement) }
      writer.member(
        "value", array: { writer in for charge in page.charges { writer.charge(charge) } })
      if !page.nextPageToken.isEmpty { writer.member("nextPageToken", string: page.nextPageToken) }
    }
  }

  private func list(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let pageSize = reader.integer("pageSize") ?? 0
    try reader.finish()
    let subscriptions = reader.texts("subscription").map(\.asciiLowercased)
    if let foreign = subscriptions.first(where: { !request.caller.maySee($0) }) {
      throw HTTPProblem.subscriptionNotFound(foreign)
    }
    let page = try await query.listStatements(
      ListStatementsRequest(
        caller: request.caller, subscriptions: subscriptions, period: reader.text("period") ?? "",
        pageSize: UInt32(pageSize), after: reader.text("after") ?? ""))
    return Reply { writer in
      writer.member(
        "value",
        array: { writer in
          for entry in page.statements { writer.statementEntry(entry) }
        })
      if !page.nextAfter.isEmpty { writer.member("nextAfter", string: page.nextAfter) }
    }
  }

  private func draft(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let form = StatementForm(&reader)
    try reader.finish()
    let found = try await query.statement(
      GetStatementRequest(
        caller: request.caller, subscription: try subscription(reader, request.caller),
        period: reader.text("period") ?? ""))
    return try form.reply(found, issuer: issuer)
  }

  /// The bytes that were closed, or what is made of them.
  private func show(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let form = StatementForm(&reader)
    try reader.finish()
    guard !request.pathValue.isEmpty else {
      throw HTTPProblem(.notFound, "ResourceNotFound", "there is no statement \"\"")
    }
    let found = try await query.statement(
      GetStatementRequest(caller: request.caller, number: request.pathValue))
    return try form.reply(found, issuer: issuer)
  }

  private func subscription(
    _ reader: ParameterReader, _ caller: Caller
  ) throws(HTTPProblem) -> String {
    let subscription = (reader.text("subscription") ?? "").asciiLowercased
    guard caller.maySee(subscription) else { throw .subscriptionNotFound(subscription) }
    return subscription
  }
}

extension JSONWriter {
  fileprivate mutating func statementEntry(_ entry: StatementEntry) {
    object { writer in
      writer.member("number", string: entry.number)
      writer.member("subscriptionId", string: entry.subscription)
      writer.member("period", string: entry.period)
      writer.member("reportedFrom", string: entry.windows.lowerBound.description)
      writer.member("reportedUntil", string: entry.windows.upperBound.description)
      writer.member("rateCard", string: entry.card)
      writer.member("currency", string: entry.currency)
      writer.member("total", string: entry.total)
      writer.member("sha256", string: hexadecimal(entry.hash))
    }
  }

  /// Decimals are strings: a JSON number is a float in most clients.
  mutating func charge(_ charge: ChargeRow, _ more: (inout JSONWriter) -> Void = { _ in }) {
    object { writer in
      writer.member("kind", string: charge.kind)
      writer.member("adjustment", charge.isAdjustment)
      writer.member("provisional", charge.isProvisional)
      writer.member("period", string: charge.period)
      if let usage = charge.usage {
        writer.member("usageStart", string: usage.start.description)
        writer.member("usageEnd", string: usage.end.description)
        writer.member("window", string: usage.window.description)
        writer.member("resourceUri", string: usage.series.resource.uri)
        writer.member("location", string: usage.series.resource.location)
        let tags = usage.series.resource.tags
        writer.member("tags", raw: tags.isEmpty ? "{}" : tags)
        if let cell = usage.cell { writer.member("cell", string: cell) }
      }
      writer.member("meterId", string: charge.meter)
      if let rate = charge.rate {
        writer.member("meterName", string: rate.meterName)
        writer.member("unit", string: rate.unit)
        writer.member("billingMeterId", string: rate.billingMeter)
        writer.member("rateCard", string: rate.card)
        writer.member("version", rate.version)
        if !rate.group.isEmpty { writer.member("rateGroup", string: rate.group) }
        if !rate.location.isEmpty { writer.member("rateLocation", string: rate.location) }
      }
      writer.member("tier", charge.tier)
      writer.member("quantity", string: charge.quantity)
      writer.member("pricedQuantity", string: charge.pricedQuantity)
      writer.member("listPrice", string: charge.listPrice)
      writer.member("price", string: charge.price)
      writer.member("listCost", string: charge.listCost)
      writer.member("cost", string: charge.cost)
      more(&writer)
    }
  }
}
