import StackmeterCore
import StackmeterWire

extension WireFixture {
  static let rating = [
    WireFixture(
      "stackmeter.v1.ListRateCardsRequest",
      [
        ListRateCardsRequest(caller: .operator),
        ListRateCardsRequest(caller: .tenant(subscriptions: ["a"]), name: "standard"),
      ]),
    WireFixture(
      "stackmeter.v1.ListRateCardsResponse",
      [
        ListRateCardsResponse(versions: [], inForce: ""),
        ListRateCardsResponse(versions: RateCardVersion.several, inForce: "standard"),
      ]),
    WireFixture(
      "stackmeter.v1.GetRateCardRequest",
      [
        GetRateCardRequest(caller: .operator),
        GetRateCardRequest(caller: .provider("p"), name: "standard", version: .max),
      ]),
    WireFixture(
      "stackmeter.v1.GetRateCardResponse",
      RateCardVersion.several.map { GetRateCardResponse(version: $0, text: [0, 255, 10]) }),
    WireFixture(
      "stackmeter.v1.ApplyRateCardRequest",
      [
        ApplyRateCardRequest(text: []),
        ApplyRateCardRequest(text: [0xEF, 0, 255, 10], isDryRun: true),
      ]),
    WireFixture(
      "stackmeter.v1.ApplyRateCardResponse", [ApplyRateCardResponse(), .problems, .applied]),
    WireFixture(
      "stackmeter.v1.ListRatesRequest",
      [
        ListRatesRequest(caller: .operator, subscription: ""),
        ListRatesRequest(caller: .provider("p"), subscription: "a", after: .max),
      ]),
    WireFixture(
      "stackmeter.v1.ListRatesResponse", [ListRatesResponse(rates: []), .full]),
    WireFixture(
      "stackmeter.v1.ListChargesRequest",
      [
        ListChargesRequest(caller: .operator, subscription: "", period: ""),
        ListChargesRequest(
          caller: .tenant(subscriptions: ["a"]), subscription: "a", period: "2026-11",
          pageSize: .max, pageToken: "t", closedWindowsOnly: true, line: .max),
      ]),
    WireFixture(
      "stackmeter.v1.ListChargesResponse",
      [
        ListChargesResponse(charges: []),
        ListChargesResponse(
          charges: ChargeRow.several, nextPageToken: "t", currency: "EUR", statement: "2026-000001"),
      ]),
    WireFixture(
      "stackmeter.v1.ListStatementsRequest",
      [
        ListStatementsRequest(caller: .operator),
        ListStatementsRequest(
          caller: .provider("p"), subscriptions: ["a", "b"], period: "2026-11", pageSize: .max,
          after: "2026-000001"),
      ]),
    WireFixture(
      "stackmeter.v1.ListStatementsResponse",
      [
        ListStatementsResponse(statements: []),
        ListStatementsResponse(statements: [StatementEntry(), .full], nextAfter: "x"),
      ]),
    WireFixture(
      "stackmeter.v1.GetStatementRequest",
      [
        GetStatementRequest(caller: .operator),
        GetStatementRequest(
          caller: .operator, number: "2026-000001", subscription: "a", period: "2026-11"),
      ]),
    WireFixture(
      "stackmeter.v1.GetStatementResponse",
      [
        GetStatementResponse(statement: nil, document: []),
        GetStatementResponse(statement: .full, document: [0, 255]),
      ]),
    WireFixture(
      "stackmeter.v1.ExportFocusRequest",
      [
        ExportFocusRequest(caller: .operator, period: ""),
        ExportFocusRequest(
          caller: .provider("p"), period: "2026-11", subscriptions: ["a", "b"], version: "1.2",
          pageToken: "t"),
      ]),
    WireFixture(
      "stackmeter.v1.ExportFocusResponse",
      [
        ExportFocusResponse(data: [], rows: 0),
        ExportFocusResponse(data: [0, 255], rows: .max, nextPageToken: "t"),
      ]),
    WireFixture(
      "stackmeter.v1.ShowbackRequest",
      [
        ShowbackRequest(caller: .operator, period: "", groupBy: ""),
        ShowbackRequest(
          caller: .tenant(subscriptions: ["a"]), period: "2026-11", subscriptions: ["a", "b"],
          groupBy: "tag:ü", after: "a"),
      ]),
    WireFixture(
      "stackmeter.v1.ShowbackResponse", [ShowbackResponse(parts: []), .several]),
    WireFixture(
      "stackmeter.v1.ReconcileRequest",
      [
        ReconcileRequest(caller: .operator, period: ""),
        ReconcileRequest(
          caller: .operator, period: "2026-11", subscriptions: ["a"], after: "a"),
      ]),
    WireFixture(
      "stackmeter.v1.ReconcileResponse",
      [
        ReconcileResponse(statements: []),
        ReconcileResponse(statements: [ReconciledStatement(), .full], nextAfter: "b"),
      ]),
    WireFixture(
      "stackmeter.v1.CloseStatementsRequest",
      [
        CloseStatementsRequest(period: ""),
        CloseStatementsRequest(
          period: "2026-11", subscriptions: ["a"], acceptsUnrated: true, isDryRun: true, after: "b",
          acceptsEstimated: true),
      ]),
    WireFixture(
      "stackmeter.v1.CloseStatementsResponse", [CloseStatementsResponse(), .full]),
    WireFixture(
      "stackmeter.v1.TryRateCardRequest",
      [
        TryRateCardRequest(caller: .operator, text: [], period: ""),
        TryRateCardRequest(
          caller: .tenant(subscriptions: ["a"]), text: [0, 255], period: "2026-11",
          subscriptions: ["a", "b"], pageSize: .max, after: "c"),
      ]),
    WireFixture("stackmeter.v1.TryRateCardResponse", [TryRateCardResponse(), .problems, .full]),
    WireFixture(
      "stackmeter.v1.ListBudgetsRequest",
      [
        ListBudgetsRequest(caller: .operator),
        ListBudgetsRequest(
          caller: .tenant(subscriptions: ["a"]), period: "2026-11", pageSize: .max, after: "x"),
      ]),
    WireFixture(
      "stackmeter.v1.ListBudgetsResponse",
      [
        ListBudgetsResponse(budgets: []),
        ListBudgetsResponse(budgets: BudgetEntry.several, nextAfter: "x"),
      ]),
    WireFixture(
      "stackmeter.v1.WritePostingRequest",
      [
        WritePostingRequest(
          kind: "", subscription: "", amount: "", reason: "", granted: Day(index: 0)),
        WritePostingRequest(
          kind: "credit", subscription: "a", amount: "-1.50", reason: "ü",
          granted: Day(index: 20_000), expires: Day(index: 20_001)),
      ]),
    WireFixture(
      "stackmeter.v1.WritePostingResponse",
      [
        WritePostingResponse(id: 0, currency: ""), WritePostingResponse(id: .max, currency: "EUR"),
      ]),
    WireFixture(
      "stackmeter.v1.ShareCostRequest",
      [
        ShareCostRequest(period: "", amount: "", reason: "", by: ""),
        ShareCostRequest(
          period: "2026-11", amount: "-1.50", reason: "ü", by: "weights", meter: "M",
          weights: [
            .init(subscription: "a", weight: Quantity.max), .init(subscription: "", weight: .zero),
          ], payer: "b", isDryRun: true, acceptsEstimated: true),
      ]),
    WireFixture(
      "stackmeter.v1.ShareCostResponse",
      [
        ShareCostResponse(shares: [], currency: "", isKnown: false),
        ShareCostResponse(
          shares: [
            .init(subscription: "a", amount: "1.50"), .init(subscription: "", amount: ""),
          ], currency: "EUR", isKnown: true),
      ]),
  ]
}

extension RateCardVersion {
  fileprivate static let several = [
    RateCardVersion(
      name: "", version: 0, effective: Day(index: 0), currency: "", hash: [], byteCount: 0),
    RateCardVersion(
      name: "stàndard", version: .max, effective: Day(index: -20_000), currency: "EUR",
      hash: [UInt8](repeating: 255, count: 32), byteCount: .max),
  ]
}

extension ApplyRateCardResponse {
  fileprivate static let problems = {
    var response = ApplyRateCardResponse()
    response.problems = [
      Problem(message: ""), Problem(line: 3, column: .max, message: "no such meter"),
    ]
    response.inForce = "standard"
    return response
  }()

  fileprivate static let applied = {
    var response = ApplyRateCardResponse()
    response.isApplied = true
    response.isKnown = true
    response.version = RateCardVersion.several[1]
    response.changes = ["a", "", "ü"]
    response.unpricedMeters = ["m"]
    return response
  }()
}

extension ChargeRow {
  fileprivate static let several: [ChargeRow] = {
    var usage = ChargeRow()
    usage.kind = "usage"
    usage.isAdjustment = true
    usage.isProvisional = true
    usage.period = "2026-11"
    usage.usage = Usage(
      series: Series(
        subscription: "s", meter: "m",
        resource: Resource(uri: "/r", location: "l", tags: #"{"a":"b"}"#, additionalInfo: "{}")),
      start: Instant(nanoseconds: .min), end: Instant(nanoseconds: .max),
      window: Hour(index: 498_000), cell: "north")
    usage.meter = "m"
    var rate = Rate()
    rate.card = "standard"
    rate.version = .max
    rate.meter = "M"
    rate.meterName = "n"
    rate.unit = "u"
    rate.billingMeter = "b"
    rate.group = "g"
    rate.location = "l"
    rate.package = "10000"
    rate.countsStarted = true
    rate.discount = "12.5%"
    usage.rate = rate
    usage.tier = .max
    usage.quantity = "1"
    usage.pricedQuantity = "-2.5"
    usage.listPrice = "3"
    usage.price = "4"
    usage.listCost = "5"
    usage.cost = "6"
    return [ChargeRow(), usage, usage]
  }()
}

extension StatementEntry {
  fileprivate static let full: StatementEntry = {
    var entry = StatementEntry()
    entry.number = "2026-000001"
    entry.subscription = "a"
    entry.period = "2026-11"
    entry.windows = Hour(index: 1)..<Hour(index: 498_000)
    entry.card = "standard"
    entry.currency = "EUR"
    entry.total = "-12.50"
    entry.hash = [0, 255]
    return entry
  }()
}

extension CloseStatementsResponse {
  fileprivate static let full: CloseStatementsResponse = {
    var response = CloseStatementsResponse()
    response.closed = [.full, StatementEntry()]
    response.refused = [Refusal(subscription: "a", reason: "é")]
    response.known = .max
    response.empty = 3
    response.nextAfter = "b"
    return response
  }()
}

extension BudgetEntry {
  fileprivate static let several: [BudgetEntry] = {
    var alert = Alert()
    alert.id = "b/2026-11/actual-80"
    alert.event = [0, 255]
    alert.raised = Instant(nanoseconds: .min)
    alert.delivered = Instant(nanoseconds: .max)
    alert.attempts = .max
    alert.problem = "é"
    var entry = BudgetEntry()
    entry.document = [0x7B, 0x7D]
    entry.alerts = [Alert(), alert]
    return [BudgetEntry(), entry]
  }()
}

extension TryRateCardResponse {
  fileprivate static let problems = {
    var response = TryRateCardResponse()
    response.problems = [.init(message: ""), .init(line: .max, column: 1, message: "é")]
    return response
  }()

  fileprivate static let full = {
    var line = TriedStatement.Line()
    line.meter = "m"
    line.title = "M"
    line.current = "1.50"
    line.tried = "-2"
    line.isCurrentUnrated = true
    line.isTriedUnrated = true
    var statement = TriedStatement()
    statement.subscription = "s"
    statement.displayName = "ü"
    statement.current = "1"
    statement.tried = "2"
    statement.lines = [TriedStatement.Line(), line]
    var response = TryRateCardResponse()
    response.version = RateCardVersion.several[1]
    response.currency = "EUR"
    response.statements = [TriedStatement(), statement]
    response.nextAfter = "s"
    response.isProvisional = true
    return response
  }()
}

extension ListRatesResponse {
  fileprivate static let full: ListRatesResponse = {
    var rate = MeterRate()
    rate.meter = "m"
    rate.name = "n"
    rate.unit = "u"
    rate.location = "west"
    rate.included = "1"
    rate.from = ["0", "10"]
    rate.prices = ["1.5", ""]
    rate.isVolume = true
    rate.startedPackage = "10000"
    var response = ListRatesResponse(rates: [MeterRate(), rate])
    response.card = "standard"
    response.version = .max
    response.effective = Day(index: -1)
    response.currency = "EUR"
    response.commitment = "1000.00"
    response.commitmentDiscount = "15"
    response.nextAfter = .max
    return response
  }()
}

extension ShowbackResponse {
  fileprivate static var several: ShowbackResponse {
    var response = ShowbackResponse(parts: [
      ShowbackPart(name: "", kind: "credit", amount: "-1.00"),
      ShowbackPart(
        name: "fin", kind: "usage", amount: "2.50",
        statements: [
          .init(subscription: "a", number: "", amount: "1.00"),
          .init(subscription: "b", number: "2026-000001", amount: "1.50"),
        ]),
    ])
    response.currency = "EUR"
    response.total = "1.50"
    response.statements = 2
    response.drafts = .max
    response.nextAfter = "b"
    return response
  }
}

extension ReconciledStatement {
  fileprivate static var full: ReconciledStatement {
    var statement = ReconciledStatement()
    statement.subscription = "a"
    statement.number = "2026-000001"
    statement.total = "1.50"
    statement.currency = "EUR"
    statement.checks = [
      Check(name: "one", holds: true, text: "1 = 1"), Check(name: "", holds: false, text: ""),
    ]
    return statement
  }
}
