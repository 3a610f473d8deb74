internal import GRPCCore
internal import HTTPTypes
internal import QueryClient
internal import StackmeterCore
internal import StackmeterRating
internal import StackmeterWire

/// `/v1/showback`, `/v1/reconciliation` and the explanation of a statement's line.
struct CostAnswers: Sendable {
  let query: QueryClient

  var routes: [Route] {
    [
      Route(.get, "/v1/showback", .caller, .showback, showback),
      Route(.get, "/v1/reconciliation", .caller, .reconciliation, reconciliation),
      Route(.get, "/v1/statements/{id}/explain", .caller, .statementExplanation, explain),
    ]
  }

  /// What the statements of a period come to, by something; with the share of a cost that its parts bear together.
  private func showback(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let sharing = reader.choice("shareBy").flatMap { Showback.SharingKey(rawValue: $0) }
    let share = reader.text("share")
    if share == nil, sharing != nil { reader.add("share", "is needed with shareBy") }
    try reader.finish()
    let question = ShowbackRequest(
      caller: request.caller, period: reader.text("period") ?? "",
      subscriptions: try reader.visibleSubscriptions(to: request.caller),
      groupBy: reader.text("groupBy") ?? "")
    let gathered = try await namingParameters { () async throws(RPCError) in
      try await GatheredShowback(question, query)
    }
    let parts: [Showback.Part]
    do throws(ShowbackProblem) {
      parts = try gathered.parts(share: share, by: sharing ?? .cost)
    } catch {
      throw HTTPProblem.invalid("share", error.description)
    }
    return Reply { writer in
      writer.member("period", string: question.period)
      writer.member("groupBy", string: question.groupBy)
      writer.member("currency", string: gathered.sums.total?.currency.code ?? "")
      writer.member("total", string: gathered.sums.total?.amountText ?? "0")
      writer.member("statements", gathered.statementCount)
      writer.member("drafts", gathered.draftCount)
      writer.member(
        "value",
        array: { writer in
          for part in parts { writer.showback(part, gathered.statements[part.key] ?? []) }
        })
    }
  }

  private func reconciliation(_ request: GatewayRequest) async throws -> Reply {
    let reader = try request.parameters()
    try reader.finish()
    let question = ReconcileRequest(
      caller: request.caller, period: reader.text("period") ?? "",
      subscriptions: try reader.visibleSubscriptions(to: request.caller),
      after: reader.text("after") ?? "")
    let page = try await namingParameters { () async throws(RPCError) in
      try await query.reconcile(question)
    }
    return Reply { writer in
      writer.member("ties", page.statements.allSatisfy(\.holds))
      writer.member(
        "value",
        array: { writer in for statement in page.statements { writer.reconciled(statement) } })
      if !page.nextAfter.isEmpty { writer.member("nextAfter", string: page.nextAfter) }
    }
  }

  /// From a line of a closed statement to the charges that it sums up, and on to their events.
  private func explain(_ request: GatewayRequest) async throws -> Reply {
    var reader = try request.parameters()
    let number = reader.integer("line") ?? 0
    let withEvents = reader.flag("events")
    let pageSize = reader.integer("pageSize")
    try reader.finish()
    guard !request.pathValue.isEmpty else {
      throw HTTPProblem(.notFound, "ResourceNotFound", "there is no statement \"\"")
    }
    let found = try await query.statement(
      GetStatementRequest(caller: request.caller, number: request.pathValue))
    let statement = try Statement(parsing: found.document)
    guard statement.lines.indices.contains(number - 1) else {
      throw HTTPProblem.invalid("line", "the statement has \(statement.lines.count) lines")
    }
    let page = try await namingParameters { () async throws(RPCError) in
      try await query.listCharges(
        ListChargesRequest(
          caller: request.caller, subscription: statement.subscription.id,
          period: statement.period.description,
          pageSize: UInt32(pageSize ?? CostAnswers.explainedMax),
          pageToken: reader.text("pageToken") ?? "", closedWindowsOnly: true,
          line: UInt32(number)))
    }
    var explained: [ExplainedCharge] = []
    for charge in page.charges {
      explained.append(
        ExplainedCharge(
          charge,
          events: withEvents ? await events(of: charge, statement, request.caller) : nil))
    }
    let charges = explained
    return Reply { writer in
      writer.member("statement", string: statement.number ?? "")
      writer.member("line", number)
      writer.name("of")
      writer.statementLine(statement.lines[number - 1], of: statement.period)
      writer.member(
        "value",
        array: { writer in
          for charge in charges { writer.explained(charge, of: statement.subscription.id) }
        })
      if !page.nextPageToken.isEmpty { writer.member("nextPageToken", string: page.nextPageToken) }
    }.linked(
      page.nextPageToken.isEmpty ? nil : request.next(["pageToken": page.nextPageToken]))
  }

  /// Charges that one page explains.
  static let explainedMax = 100

  /// The first events of the aggregate that a charge is of; why there are none where they are no longer kept.
  private func events(
    of charge: ChargeRow, _ statement: Statement, _ caller: Caller
  ) async -> Result<ExplainResponse, RPCError>? {
    guard let usage = charge.usage else { return nil }
    do throws(RPCError) {
      return .success(
        try await query.explain(
          ExplainRequest(
            caller: caller, subscription: statement.subscription.id, meter: usage.series.meter,
            resourceURI: usage.series.resource.uri, usageHour: usage.start.hour,
            window: usage.window)))
    } catch { return .failure(error) }
  }
}

/// A charge and, where they are asked for, its events.
private struct ExplainedCharge: Sendable {
  let charge: ChargeRow
  let events: Result<ExplainResponse, RPCError>?

  init(_ charge: ChargeRow, events: Result<ExplainResponse, RPCError>?) {
    self.charge = charge
    self.events = events
  }
}

extension JSONWriter {
  fileprivate mutating func showback(
    _ part: Showback.Part, _ statements: [ShowbackPart.Statement]
  ) {
    object { writer in
      if let name = part.key.name { writer.member("name", string: name.text) }
      writer.member("kind", string: part.key.kind)
      writer.member("amount", string: part.amount.amountText)
      if let share = part.share { writer.member("share", string: share.amountText) }
      guard !statements.isEmpty else { return }
      writer.member(
        "statements",
        array: { writer in
          for statement in statements {
            writer.object { writer in
              writer.member("subscriptionId", string: statement.subscription)
              if !statement.number.isEmpty { writer.member("number", string: statement.number) }
              writer.member("amount", string: statement.amount)
            }
          }
        })
    }
  }

  fileprivate mutating func reconciled(_ statement: ReconciledStatement) {
    object { writer in
      writer.member("subscriptionId", string: statement.subscription)
      if !statement.number.isEmpty { writer.member("number", string: statement.number) }
      writer.member("total", string: statement.total)
      writer.member("currency", string: statement.currency)
      writer.member("ties", statement.holds)
      writer.member(
        "checks",
        array: { writer in
          for check in statement.checks {
            writer.object { writer in
              writer.member("name", string: check.name)
              writer.member("holds", check.holds)
              writer.member("text", string: check.text)
            }
          }
        })
    }
  }

  fileprivate mutating func explained(_ explained: ExplainedCharge, of subscription: String) {
    charge(explained.charge) { writer in
      switch explained.events {
      case nil: break
      case .success(let page):
        writer.member(
          "events",
          array: { writer in for part in page.parts { writer.object { $0.members(of: part) } } })
        writer.member("moreEvents", !page.nextPageToken.isEmpty)
      case .failure(let error): writer.member("problem", string: error.message)
      }
    }
  }
}
