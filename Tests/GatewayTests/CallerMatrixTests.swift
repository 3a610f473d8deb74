import HTTPTypes
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

@testable import GatewayServer

/// Every kind of caller that a request may come from.
private enum MatrixCaller: String, CaseIterable {
  case none, garbage, expired, reporter, tenantA, tenantB, provider, `operator`
}

/// What one route is asked, and who may.
private struct MatrixRow {
  let target: String
  let allowed: Set<MatrixCaller>
  /// They may ask for their own; this is not theirs, so it is not there.
  var hidden: Set<MatrixCaller> = []
  var body = ""
  /// Other questions of the route, which the same callers may ask.
  var others: [String] = []

  static let everybody = Set(MatrixCaller.allCases)
  static let seeing: Set<MatrixCaller> = [.operator, .provider, .tenantA, .tenantB]
}

private let tenantA = RunningGateway.subscription
private let azure =
  "?api-version=2015-06-01-preview&reportedStartTime=2026-11-22"
  + "&reportedEndTime=2026-11-23"
private let tenantPath = "/subscriptions/{id}/providers/Microsoft.Commerce"
private let providerPath = "/subscriptions/{id}/providers/Microsoft.Commerce.Admin"

/// By method and pattern. A route without a row fails the test, and so does a row without a route.
private let rows = handWrittenRows.merging(
  methodRows(
    MatrixRow.seeing,
    [
      "Query/ListUsage", "Query/Summarize", "Query/Explain", "Query/ListSubscriptions",
      "Query/ListMeters", "Rating/ListRates", "Rating/ListCharges", "Rating/ListStatements",
      "Rating/ListBudgets",
      "Rating/GetStatement", "Rating/ExportFocus", "Rating/Showback", "Rating/Reconcile",
    ]
  )
  .merging(
    methodRows(
      [.operator],
      [
        "Query/ListWindows", "Query/ListSources", "Query/GetStatus", "Collector/Report",
        "Collector/Heartbeat", "Collector/ListQuarantine", "Collector/GetQuarantineEntry",
        "Rating/ListRateCards", "Rating/GetRateCard", "Rating/TryRateCard",
        "Collector/RedriveQuarantine", "Collector/DiscardQuarantine", "Collector/GetStatus",
      ])
  ) { first, _ in first }
) { first, _ in first }

/// Of the services' methods, whose names are written out, so that a new one needs a row too.
private func methodRows(
  _ allowed: Set<MatrixCaller>, _ methods: [String]
) -> [String: MatrixRow] {
  Dictionary(
    uniqueKeysWithValues: methods.map {
      (
        "POST /stackmeter.v1.\($0)",
        MatrixRow(target: "/stackmeter.v1.\($0)", allowed: allowed, body: "{}")
      )
    })
}

private let handWrittenRows: [String: MatrixRow] = [
  "GET /healthz": MatrixRow(target: "/healthz", allowed: MatrixRow.everybody),
  "GET /readyz": MatrixRow(target: "/readyz", allowed: MatrixRow.everybody),
  "POST /v1/events": MatrixRow(
    target: "/v1/events", allowed: [.operator, .reporter], body: "[]"),
  "POST /v1/commerce/usage": MatrixRow(
    target: "/v1/commerce/usage", allowed: [.operator, .reporter],
    body: #"{"batch":"b1-0","site":"s","model":"capacity","records":[{"id":"r1-0"}]}"#),
  "POST /v1/heartbeats": MatrixRow(
    target: "/v1/heartbeats", allowed: [.operator, .reporter],
    body: #"{"source":"s","ended":true}"#),
  "GET /v1/sources": MatrixRow(target: "/v1/sources", allowed: [.operator]),
  "GET /v1/usage": MatrixRow(
    target: "/v1/usage", allowed: MatrixRow.seeing,
    others: [
      "/v1/usage?by=usage&granularity=monthly", "/v1/usage?by=reported&granularity=daily",
      "/v1/usage?asOf=2026-11-23T15:00:00Z&resourceGroup=g&location=l&tag=a:b&resourceUri=/r",
    ]),
  "GET /v1/usage/summary": MatrixRow(
    target: "/v1/usage/summary?subscription=\(tenantA)", allowed: [.operator, .provider, .tenantA],
    hidden: [.tenantB],
    others: [
      "/v1/usage/summary?subscription=\(tenantA)&by=reported&groupBy=day,tag:env,owner&top=3",
      "/v1/usage/summary?asOf=2026-11-23T15:00:00Z&subscription=\(tenantA)&resourceUriPrefix=/r",
    ]),
  "GET /v1/exports/usage": MatrixRow(
    target: "/v1/exports/usage?subscription=\(tenantA)", allowed: [.operator, .provider, .tenantA],
    hidden: [.tenantB],
    others: [
      "/v1/exports/usage?subscription=\(tenantA)&restatedSince=2026-11-23T10:00:00Z&format=ndjson",
      "/v1/exports/usage?subscription=\(tenantA)&granularity=daily&from=2026-11-22&tag=env",
    ]),
  "GET /v1/subscriptions": MatrixRow(target: "/v1/subscriptions", allowed: MatrixRow.seeing),
  "GET /v1/explain": MatrixRow(
    target: "/v1/explain?subscription=\(tenantA)&meter=m&usageHour=2026-11-23T14:00:00Z",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET /v1/meters": MatrixRow(target: "/v1/meters", allowed: MatrixRow.seeing),
  "GET /odata/v4": MatrixRow(target: "/odata/v4", allowed: MatrixRow.seeing),
  "GET /odata/v4/$metadata": MatrixRow(target: "/odata/v4/$metadata", allowed: MatrixRow.seeing),
  "GET /odata/v4/HourlyUsage": MatrixRow(
    target: "/odata/v4/HourlyUsage", allowed: MatrixRow.seeing),
  "GET /odata/v4/DailyUsage": MatrixRow(target: "/odata/v4/DailyUsage", allowed: MatrixRow.seeing),
  "GET /odata/v4/MonthlyUsage": MatrixRow(
    target: "/odata/v4/MonthlyUsage", allowed: MatrixRow.seeing),
  "GET /odata/v4/Charges": MatrixRow(target: "/odata/v4/Charges", allowed: MatrixRow.seeing),
  "GET /odata/v4/Meters": MatrixRow(target: "/odata/v4/Meters", allowed: MatrixRow.seeing),
  "GET /odata/v4/Subscriptions": MatrixRow(
    target: "/odata/v4/Subscriptions", allowed: MatrixRow.seeing),
  "GET /v1/windows": MatrixRow(target: "/v1/windows", allowed: MatrixRow.seeing),
  "GET /v1/charges": MatrixRow(
    target: "/v1/charges?subscription=\(tenantA)&period=2026-11",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET /v1/budgets": MatrixRow(target: "/v1/budgets", allowed: MatrixRow.seeing),
  "GET /v1/statements": MatrixRow(
    target: "/v1/statements?subscription=\(tenantA)", allowed: [.operator, .provider, .tenantA],
    hidden: [.tenantB]),
  "GET /v1/statements/draft": MatrixRow(
    target: "/v1/statements/draft?subscription=\(tenantA)&period=2026-11",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  // Query tells whose it is.
  "GET /v1/statements/{id}": MatrixRow(
    target: "/v1/statements/2026-000001", allowed: MatrixRow.seeing),
  "GET /v1/statements/{id}/explain": MatrixRow(
    target: "/v1/statements/2026-000001/explain?line=1&events=true", allowed: MatrixRow.seeing),
  "GET /v1/exports/focus": MatrixRow(
    target: "/v1/exports/focus?period=2026-11&subscription=\(tenantA)",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET /v1/exports/focus/metadata": MatrixRow(
    target: "/v1/exports/focus/metadata", allowed: MatrixRow.seeing),
  "GET /v1/showback": MatrixRow(
    target: "/v1/showback?period=2026-11&groupBy=tag:env&subscription=\(tenantA)",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET /v1/reconciliation": MatrixRow(
    target: "/v1/reconciliation?period=2026-11&subscription=\(tenantA)",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET /v1/ratecards": MatrixRow(target: "/v1/ratecards", allowed: [.operator]),
  "GET /v1/ratecards/{id}": MatrixRow(target: "/v1/ratecards/1", allowed: [.operator]),
  "GET /v1/status": MatrixRow(target: "/v1/status", allowed: [.operator]),
  "GET /v1/quarantine": MatrixRow(target: "/v1/quarantine", allowed: [.operator]),
  "GET /v1/quarantine/{id}": MatrixRow(target: "/v1/quarantine/7", allowed: [.operator]),
  "POST /v1/quarantine/redrive": MatrixRow(
    target: "/v1/quarantine/redrive?number=7", allowed: [.operator]),
  "POST /v1/quarantine/discard": MatrixRow(
    target: "/v1/quarantine/discard?number=7", allowed: [.operator]),
  "GET /livez": MatrixRow(target: "/livez", allowed: MatrixRow.everybody),
  "OPTIONS /v1/events": MatrixRow(target: "/v1/events", allowed: MatrixRow.everybody),
  "GET /openapi.json": MatrixRow(target: "/openapi.json", allowed: MatrixRow.everybody),
  "GET /metrics": MatrixRow(target: "/metrics", allowed: [.operator]),
  "GET /metadata/endpoints": MatrixRow(
    target: "/metadata/endpoints?api-version=2015-01-01", allowed: MatrixRow.everybody),
  "GET /subscriptions": MatrixRow(
    target: "/subscriptions?api-version=2016-06-01", allowed: MatrixRow.seeing),
  "GET /subscriptions/{id}": MatrixRow(
    target: "/subscriptions/\(tenantA)?api-version=2016-06-01",
    allowed: [.operator, .provider, .tenantA],
    hidden: [.tenantB]),
  "GET /providers/Microsoft.Commerce.Admin/operations": MatrixRow(
    target: "/providers/Microsoft.Commerce.Admin/operations?api-version=2015-06-01-preview",
    allowed: MatrixRow.seeing),
  "GET /providers/Microsoft.Commerce/operations": MatrixRow(
    target: "/providers/Microsoft.Commerce/operations?api-version=2015-06-01-preview",
    allowed: MatrixRow.seeing),
  "POST \(providerPath)/updateEncryption": MatrixRow(
    target: "/subscriptions/p1/providers/Microsoft.Commerce.Admin/updateEncryption\(azure)",
    allowed: [.operator]),
  "GET \(providerPath)/locations/{location}/subscriberUsageAggregates": MatrixRow(
    target:
      "/subscriptions/p1/providers/Microsoft.Commerce.Admin/locations/x/subscriberUsageAggregates"
      + azure, allowed: [.operator, .provider]),
  "GET \(tenantPath)/locations/{location}/subscriberUsageAggregates": MatrixRow(
    target: "/subscriptions/p1/providers/Microsoft.Commerce/locations/x/subscriberUsageAggregates"
      + azure, allowed: [.operator, .provider]),
  "GET \(tenantPath)/UsageAggregates": MatrixRow(
    target: "/subscriptions/\(tenantA)/providers/Microsoft.Commerce/UsageAggregates\(azure)",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET \(tenantPath)/RateCard": MatrixRow(
    target: "/subscriptions/\(tenantA)/providers/Microsoft.Commerce/RateCard\(azure)"
      + "&$filter=OfferDurableId%20eq%20'MS-AZR-0003P'%20and%20Currency%20eq%20'EUR'"
      + "%20and%20Locale%20eq%20'en-US'%20and%20RegionInfo%20eq%20'DE'",
    allowed: [.operator, .provider, .tenantA], hidden: [.tenantB]),
  "GET \(providerPath)/subscriberUsageAggregates": MatrixRow(
    target:
      "/subscriptions/p1/providers/Microsoft.Commerce.Admin/subscriberUsageAggregates\(azure)",
    allowed: [.operator, .provider]),
  "GET \(tenantPath)/subscriberUsageAggregates": MatrixRow(
    target: "/subscriptions/p1/providers/Microsoft.Commerce/subscriberUsageAggregates\(azure)",
    allowed: [.operator, .provider]),
  "GET \(providerPath)/locations/subscriberUsageAggregates": MatrixRow(
    target:
      "/subscriptions/P1/providers/Microsoft.Commerce.Admin/locations/subscriberUsageAggregates"
      + azure, allowed: [.operator, .provider]),
  "GET \(tenantPath)/locations/subscriberUsageAggregates": MatrixRow(
    target: "/subscriptions/p1/providers/Microsoft.Commerce/locations/subscriberUsageAggregates"
      + azure, allowed: [.operator, .provider]),
]

extension RunningGateway {
  /// Adds a key, which is good from now on, and gives its token.
  func addKey(
    role: APIKey.Role, subscriptions: [String] = [], provider: String = "", sources: [String] = [],
    expires: Instant? = nil
  ) throws -> String {
    let (key, token) = try APIKeys.create(
      role: role, subscriptions: subscriptions, provider: provider, sources: sources,
      expires: expires)
    try APIKeys.update(file: keysPath) { (keys) throws(APIKeysError) in try keys.add(key) }
    clock.advance(by: .seconds(1))
    return token
  }
}

@Suite(.timeLimit(.minutes(2))) struct CallerMatrixTests {
  @Test func `every route has its row, and every row its route`() async throws {
    try await withTable { table in
      let routes = Set(table.routes.map { "\($0.method.rawValue) \($0.path.text)" })
      for route in routes.subtracting(rows.keys).sorted() {
        Issue.record("\(route) has no row in the matrix of callers")
      }
      for row in Set(rows.keys).subtracting(routes).sorted() {
        Issue.record("the matrix of callers: there is no route \(row)")
      }
    }
  }

  @Test func `every route answers every caller as the matrix says`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.subscriptions = [Subscription(id: tenantA, state: .active)] }
      let tokens: [MatrixCaller: String?] = [
        .none: nil, .garbage: "sm_k1_" + String(repeating: "A", count: 43),
        .expired: try gateway.addKey(role: .operator, expires: RunningGateway.start),
        .reporter: try gateway.addKey(role: .reporter, sources: ["s"]),
        .tenantA: gateway.tenantToken,
        .tenantB: try gateway.addKey(role: .tenant, subscriptions: ["b"]),
        .provider: try gateway.addKey(role: .provider, provider: "P1"),
        .operator: gateway.operatorToken,
      ]
      for (name, row) in rows.sorted(by: { $0.key < $1.key }) {
        let method = String(name.prefix { $0 != " " })
        for (target, caller) in ([row.target] + row.others).flatMap({ target in
          MatrixCaller.allCases.map { (target, $0) }
        }) {
          let answer = try await gateway.send(
            method, target, token: tokens[caller] ?? nil,
            headers: row.body.isEmpty ? [] : ["Content-Type: application/json"],
            body: Array(row.body.utf8))
          let place = "\(target) as \(caller.rawValue): \(answer.status) \(answer.text.prefix(200))"
          if row.allowed.contains(caller) {
            #expect(answer.status != 401 && answer.status != 403, "\(place)")
            #expect(!answer.text.contains("SubscriptionNotFound"), "\(place)")
          } else if row.hidden.contains(caller) {
            #expect(answer.status == 404, "\(place)")
            #expect(answer.text.contains("SubscriptionNotFound"), "\(place)")
          } else if [.none, .garbage, .expired].contains(caller) {
            #expect(answer.status == 401, "\(place)")
          } else {
            #expect(answer.status == 403, "\(place)")
          }
        }
      }
      // Nobody's question went on under another name.
      let callers = gateway.query.with { script in
        script.usageRequests.map(\.caller) + script.summaryRequests.map(\.caller)
          + script.ratedCallers.filter { $0 != .operator } + script.windowRequests.map(\.caller)
          + script.subscriptionRequests.map(\.caller) + script.exportRequests.map(\.caller)
      }
      #expect(
        Set(callers) == [
          .operator, .tenant(subscriptions: [tenantA]), .tenant(subscriptions: ["b"]),
          .provider("p1"),
        ])
    }
  }

  @Test func `a provider's path names the provider, and another's is not there`() async throws {
    try await withGateway { gateway in
      let token = try gateway.addKey(role: .provider, provider: "P1")
      let path = "/providers/Microsoft.Commerce.Admin/subscriberUsageAggregates\(azure)"
      for other in ["p2", "nobody", tenantA] {
        let answer = try await gateway.send("GET", "/subscriptions/\(other)\(path)", token: token)
        #expect(answer.status == 404)
        #expect(answer["error.code"] == .string("SubscriptionNotFound"))
      }
      #expect(gateway.query.with { $0.usageRequests.isEmpty })
    }
  }

  @Test func `a reporter reports for its sources only, and a foreign one is named`() async throws {
    try await withGateway { gateway in
      let token = try gateway.addKey(role: .reporter, sources: ["s1", "s2"])
      func event(_ source: String) -> String {
        """
        {"specversion":"1.0","type":"stackmeter.usage.v1","id":"1","source":"\(source)","subject":"a",
        "data":{"meter":"m","quantity":1,"resourceUri":"/r","startTime":"2026-11-23T14:00:00Z",
        "endTime":"2026-11-23T15:00:00Z"}}
        """
      }
      func report(_ sources: [String]) async throws -> HTTPAnswer {
        try await gateway.send(
          "POST", "/v1/events", token: token, headers: ["Content-Type: application/json"],
          body: Array("[\(sources.map(event).joined(separator: ","))]".utf8))
      }
      #expect(try await report(["s1", "s2"]).status == 202)
      let calls = gateway.collector.with { $0.calls.count }
      for foreign in ["s3", "S1", "s1 "] {
        let answer = try await report(["s1", foreign])
        #expect(answer.status == 403)
        #expect(answer["code"] == .string("SourceNotAllowed"))
        #expect(answer.text.contains(foreign))
      }
      func beat(_ source: String) async throws -> Int {
        try await gateway.send(
          "POST", "/v1/heartbeats", token: token,
          body: Array(#"{"source":"\#(source)","ended":true}"#.utf8)
        ).status
      }
      #expect(try await beat("s2") == 200)
      #expect(try await beat("s3") == 403)
      // Nothing of what was refused went on.
      #expect(gateway.collector.with { $0.calls.count } == calls)
      #expect(gateway.collector.with { $0.heartbeats.map(\.source) } == ["s2"])
    }
  }

  @Test func `a key stops when its time has come`() async throws {
    try await withGateway { gateway in
      let expires = RunningGateway.start.advanced(by: .seconds(10))
      let token = try gateway.addKey(role: .operator, expires: expires)
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 200)
      gateway.clock.advance(by: .seconds(9))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 401)
    }
  }
}
