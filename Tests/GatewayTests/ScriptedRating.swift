import GRPCCore
import QueryClient
import StackmeterCore
import StackmeterRPC
import StackmeterWire

/// The calls about what usage costs, beside a scripted query service, which says what they answer.
struct ScriptedRating: RPCEndpoint {
  static let serviceName = RatingMethods.service

  let query: ScriptedQuery

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    let query = query
    routes.unary(RatingMethods.listRateCards) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ListRateCardsResponse(versions: [ScriptedRating.version], inForce: "standard")
      }
    }
    routes.unary(RatingMethods.listRates) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ScriptedRating.rates(after: request.after)
      }
    }
    routes.unary(RatingMethods.listCharges) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ListChargesResponse(
          charges: ScriptedRating.charges, nextPageToken: "next", currency: "EUR")
      }
    }
    routes.unary(RatingMethods.listStatements) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ListStatementsResponse(statements: [ScriptedRating.statement])
      }
    }
    routes.unary(RatingMethods.getStatement) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return GetStatementResponse(
          statement: ScriptedRating.statement, document: Array(ScriptedRating.document.utf8))
      }
    }
    routes.unary(RatingMethods.listBudgets) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ScriptedRating.budgets
      }
    }
    routes.unary(RatingMethods.tryRateCard) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return TryRateCardResponse()
      }
    }
    routes.unary(RatingMethods.exportFocus) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ScriptedRating.focus(after: request.pageToken)
      }
    }
    routes.unary(RatingMethods.showback) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ScriptedRating.showback(after: request.after)
      }
    }
    routes.unary(RatingMethods.reconcile) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return ReconcileResponse(statements: [ScriptedRating.reconciled], nextAfter: "b")
      }
    }
    routes.unary(RatingMethods.getRateCard) { request in
      try query.answer { script in
        script.ratedCallers.append(request.caller)
        return GetRateCardResponse(version: ScriptedRating.version, text: Array("card é\n".utf8))
      }
    }
  }

  static let charges: [ChargeRow] = {
    var usage = ChargeRow()
    usage.kind = "usage"
    usage.period = "2026-11"
    usage.meter = "cpu"
    usage.usage = ChargeRow.Usage(
      series: Series(
        subscription: RunningGateway.subscription, meter: "cpu",
        resource: Resource(uri: "/r", location: "west", tags: #"{"a":"b"}"#)),
      start: Instant(parsing: "2026-11-23T14:00:00Z")!,
      end: Instant(parsing: "2026-11-23T15:00:00Z")!,
      window: Instant(parsing: "2026-11-23T14:00:00Z")!.hour, cell: nil)
    var rate = ChargeRow.Rate()
    rate.card = "standard"
    rate.version = 1
    rate.group = "internal"
    usage.rate = rate
    usage.tier = 1
    usage.quantity = "12.5"
    usage.cost = "0.000000000000000000000000000000000001"
    var minimum = ChargeRow()
    minimum.kind = "minimum"
    minimum.period = "2026-10"
    minimum.isAdjustment = true
    return [usage, minimum]
  }()

  static let budgets: ListBudgetsResponse = {
    var alert = BudgetEntry.Alert()
    alert.id = "b/2026-11/actual-80"
    alert.event = Array(
      (#"{"specversion":"1.0","type":"t","source":"s","id":"b/2026-11/actual-80","time":"2026-11-20T00:00:00Z","#
        + #""subject":"budgets/b","datacontenttype":"application/json","data":{"spent":"8"}}"#).utf8
    )
    alert.raised = Instant(parsing: "2026-11-20T00:00:05Z")!
    alert.delivered = Instant(parsing: "2026-11-20T00:00:06Z")!
    alert.attempts = 2
    var entry = BudgetEntry()
    entry.document = Array(
      (#"{"budget":"b","scope":"subscription","member":"a","period":"2026-11","amount":"10.00","currency":"EUR","#
        + #""spent":"8","closedBefore":"2026-11-20T00:00:00Z","thresholds":[{"basis":"actual","percent":"80","#
        + #""reached":true}]}"#).utf8)
    entry.alerts = [alert]
    return ListBudgetsResponse(budgets: [entry], nextAfter: "2026-11/b")
  }()

  /// Two pages.
  static func rates(after: UInt32) -> ListRatesResponse {
    var tiered = MeterRate()
    tiered.meter = "TIERED"
    tiered.name = "on the card"
    tiered.unit = "u"
    tiered.included = "50000"
    tiered.from = ["0", "9.5"]
    tiered.prices = ["0.000000000000000001", "12345678901.123456789012"]
    var started = MeterRate()
    started.meter = "started"
    started.location = "west"
    started.unit = "GB"
    started.from = ["0"]
    started.prices = ["2"]
    started.isVolume = true
    started.startedPackage = "10000"
    var response = ListRatesResponse(rates: after == 0 ? [tiered] : [started])
    response.card = "standard"
    response.version = 1
    response.effective = Day(parsing: "2026-11-01")!
    response.currency = "EUR"
    response.commitment = "1000.00"
    response.commitmentDiscount = "12.5"
    response.nextAfter = after == 0 ? 1 : 0
    return response
  }

  /// Two parts.
  static func focus(after token: String) -> ExportFocusResponse {
    token.isEmpty
      ? ExportFocusResponse(data: Array("A,B\r\n1,2\r\n".utf8), rows: 1, nextPageToken: "next")
      : ExportFocusResponse(data: Array("3,4\r\n".utf8), rows: 2)
  }

  /// Two answers, which have a part in common.
  static func showback(after: String) -> ShowbackResponse {
    var response = ShowbackResponse(
      parts: after.isEmpty
        ? [
          ShowbackPart(
            name: "fin", kind: "usage", amount: "1.50",
            statements: [.init(subscription: "a", number: "2026-000001", amount: "1.50")]),
          ShowbackPart(name: "", kind: "credit", amount: "-0.50"),
        ]
        : [
          ShowbackPart(
            name: "fin", kind: "usage", amount: "0.50",
            statements: [.init(subscription: "b", number: "", amount: "0.50")]),
          ShowbackPart(name: "", kind: "usage", amount: "1.00"),
          ShowbackPart(name: "dev", kind: "usage", amount: "6.00"),
        ])
    response.currency = "EUR"
    response.statements = 1
    response.drafts = after.isEmpty ? 0 : 1
    response.nextAfter = after.isEmpty ? "a" : ""
    return response
  }

  static let reconciled: ReconciledStatement = {
    var statement = ReconciledStatement()
    statement.subscription = "a"
    statement.total = "1.50"
    statement.currency = "EUR"
    statement.checks = [.init(name: "one", holds: false, text: "1 = 2")]
    return statement
  }()

  static let statement: StatementEntry = {
    var entry = StatementEntry()
    entry.number = "2026-000001"
    entry.subscription = RunningGateway.subscription
    entry.period = "2026-10"
    entry.currency = "EUR"
    entry.total = "12.50"
    return entry
  }()

  /// What a statement is written as.
  static let document = """
    {"status":"draft","provisional":true,"subscriptionId":"s","displayName":"","owner":"",\
    "costCenter":"","subscriptionState":"active","period":"2026-11","periodStart":"2026-11-01T00:00:00Z",\
    "periodEnd":"2026-12-01T00:00:00Z","currency":"EUR","rounding":"half-even","taxNote":"",\
    "rateCards":[],"lines":[{"kind":"credit","adjustment":false,"period":"2026-11","description":"credit: v",\
    "exactCost":"-0.5","amount":"-0.50"}],"unrated":[],"total":"-0.50"}
    """

  static let version = RateCardVersion(
    name: "standard", version: 1, effective: Day(parsing: "2026-11-01")!, currency: "EUR",
    hash: [0, 255], byteCount: 8)
}
