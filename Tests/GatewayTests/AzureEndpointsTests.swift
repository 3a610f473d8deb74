import GatewayServer
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

/// What scripts and tools ask beside usage.
@Suite(.timeLimit(.minutes(1))) struct AzureEndpointsTests {
  private static let tenant = Caller.tenant(subscriptions: [RunningGateway.subscription])

  @Test func `the endpoints are told without a token, and lead to where they were asked`()
    async throws
  {
    try await withGateway { gateway in
      for path in ["/metadata/endpoints", "/Metadata/Endpoints/"] {
        let answer = try await gateway.send(
          "GET", "\(path)?api-version=1.0", token: nil, headers: ["X-Forwarded-Proto: https"])
        #expect(answer.status == 200)
        let base = "https://metering.example:8420/"
        #expect(
          answer.text == """
            {"galleryEndpoint":"\(base)","graphEndpoint":"\(base)","portalEndpoint":"\(base)",\
            "authentication":{"loginEndpoint":"\(base)","audiences":["\(base)"]}}
            """)
      }
    }
  }

  @Test func `where tokens of an issuer are taken, scripts are told to log in there`() async throws
  {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/jwks.json"
    writeFile(path, try TestIssuer.keySet())
    try await withGateway(tokens: TokenConfiguration(keys: path, rules: TestIssuer.rules)) {
      gateway in
      let answer = try await gateway.send(
        "GET", "/metadata/endpoints?api-version=1.0", token: nil)
      #expect(
        answer["authentication.loginEndpoint"] == .string(TestIssuer.rules.issuer))
      #expect(answer["authentication.audiences.0"] == .string(TestIssuer.rules.audience))
      #expect(answer["portalEndpoint"] == .string("http://metering.example:8420/"))
    }
  }

  @Test(arguments: [
    "/metadata/endpoints", "/subscriptions", "/subscriptions/x",
    "/providers/Microsoft.Commerce.Admin/operations",
  ])
  func `every path needs an api-version`(path: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get(path)
      #expect(answer.status == 400)
      #expect(answer["error.code"] == .string("NoApiVersion"))
    }
  }

  @Test func `an operator is listed every subscription in Azure's words, page by page`()
    async throws
  {
    try await withGateway { gateway in
      gateway.query.with {
        $0.subscriptions = [
          Subscription(
            id: "a", displayName: "Team A", owner: "ann", tags: #"{"env":"prod"}"#, state: .active),
          Subscription(id: "b", state: .unassigned), Subscription(id: "c", state: .suspended),
          Subscription(id: "d", state: .deleted),
        ]
        $0.nextAfter = "d"
      }
      let first = try await gateway.get("/subscriptions?api-version=2015-01-01&$skiptoken=")
      func row(_ id: String, _ name: String, _ state: String, _ tags: String = "{}") -> String {
        #"{"id":"/subscriptions/\#(id)","subscriptionId":"\#(id)","displayName":"\#(name)","#
          + #""state":"\#(state)","tags":\#(tags)}"#
      }
      let rows = [
        row("a", "Team A", "Enabled", #"{"env":"prod"}"#), row("b", "b", "Enabled"),
        row("c", "c", "Disabled"), row("d", "d", "Deleted"),
      ]
      let link =
        "http://metering.example:8420/subscriptions?api-version=2015-01-01&%24skiptoken=d"
      #expect(first.text == #"{"value":[\#(rows.joined(separator: ","))],"nextLink":"\#(link)"}"#)
      gateway.query.with { $0.nextAfter = "" }
      let last = try await gateway.get("/subscriptions?api-version=2015-01-01&%24skiptoken=D")
      #expect(last["nextLink"] == nil)
      let requests = gateway.query.with { $0.subscriptionRequests }
      #expect(
        requests == [
          ListSubscriptionsRequest(caller: .operator),
          ListSubscriptionsRequest(caller: .operator, after: "d"),
        ])
    }
  }

  @Test func `a tenant is listed its own subscriptions, known or not`() async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.nextAfter = "" }
      let id = RunningGateway.subscription
      let unknown = try await gateway.getAsTenant("/subscriptions?api-version=1")
      #expect(unknown["value.0.subscriptionId"] == .string(id))
      #expect(unknown["value.0.displayName"] == .string(id))
      #expect(unknown["nextLink"] == nil)
      gateway.query.with {
        $0.subscriptions = [Subscription(id: id, displayName: "Mine", state: .suspended)]
      }
      let known = try await gateway.getAsTenant("/Subscriptions/?api-version=1")
      #expect(known["value"]?.array?.count == 1)
      #expect(known["value.0.displayName"] == .string("Mine"))
      let behind = try await gateway.getAsTenant("/subscriptions?api-version=1&$skiptoken=\(id)")
      #expect(behind.text == #"{"value":[]}"#)
      #expect(
        gateway.query.with { $0.subscriptionRequests }
          == Array(repeating: ListSubscriptionsRequest(caller: Self.tenant, ids: [id]), count: 2))
    }
  }

  @Test func `a tenant with more than a page of subscriptions walks them all once`() async throws {
    try await withGateway { gateway in
      let ids = (0..<1500).map { "s-\(10_000 + $0)" }
      let (key, token) = try APIKeys.create(role: .tenant, subscriptions: ids)
      try APIKeys.update(file: gateway.keysPath) { (keys) throws(APIKeysError) in
        try keys.add(key)
      }
      gateway.clock.advance(by: .seconds(1))
      gateway.query.with {
        $0.nextAfter = ""
        $0.subscriptions = [Subscription(id: ids[700], displayName: "Named", state: .active)]
      }
      var walked: [String] = []
      var target = "/subscriptions?api-version=1"
      while true {
        let answer = try await gateway.send("GET", target, token: token)
        try #require(answer.status == 200, "\(answer.text)")
        walked += (answer["value"]?.array ?? []).compactMap {
          JSONObject($0, path: "")?["subscriptionId"]?.string
        }
        guard let link = answer["nextLink"]?.string else { break }
        target = String(link.dropFirst("http://metering.example:8420".count))
      }
      #expect(walked == ids)
    }
  }

  @Test func `one subscription is shown, and foreign and absent ones answer alike`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.subscriptions = [Subscription(id: "sub-2", displayName: "Two", state: .active)]
      }
      let shown = try await gateway.get("/subscriptions/SUB-2?api-version=1")
      #expect(shown["id"] == .string("/subscriptions/sub-2"))
      #expect(shown["displayName"] == .string("Two"))
      gateway.query.with { $0.subscriptions = [] }
      let own = try await gateway.getAsTenant(
        "/subscriptions/\(RunningGateway.subscription)?api-version=1")
      #expect(own["state"] == .string("Enabled"))
      let absent = try await gateway.get("/subscriptions/nobody?api-version=1")
      let foreign = try await gateway.getAsTenant("/subscriptions/nobody?api-version=1")
      #expect(absent.status == 404 && absent.body == foreign.body)
      #expect(foreign["error.code"] == .string("SubscriptionNotFound"))
    }
  }

  @Test func `the operations are those that are served`() async throws {
    try await withGateway { gateway in
      for provider in ["Microsoft.Commerce.Admin", "microsoft.commerce"] {
        let answer = try await gateway.getAsTenant(
          "/providers/\(provider)/operations?api-version=2015-06-01-preview")
        #expect(answer.status == 200)
        #expect(answer["value.0.name"] == .string("Microsoft.Commerce.Admin/operations/read"))
        #expect(answer["value.0.isDataAction"] == .bool(false))
        for member in ["provider", "resource", "operation", "description"] {
          #expect(answer["value.0.display.\(member)"]?.string?.isEmpty == false)
        }
        #expect(!answer.text.contains("updateEncryption"))
      }
    }
  }

  @Test func `an update of an encryption that there is not is refused, never said to be done`()
    async throws
  {
    try await withGateway { gateway in
      let path =
        "/subscriptions/x/providers/Microsoft.Commerce.Admin/updateEncryption?api-version=1"
      let answer = try await gateway.send("POST", path, token: gateway.operatorToken)
      #expect(answer.status == 400)
      #expect(answer["error.code"] == .string("OperationNotSupported"))
      let tenant = try await gateway.send("POST", path, token: gateway.tenantToken)
      #expect(tenant.status == 403)
      let read = try await gateway.get(path)
      #expect(read.status == 405)
      #expect(read.headers["allow"] == "POST")
      #expect(read["error.code"] == .string("MethodNotAllowed"))
    }
  }
}
