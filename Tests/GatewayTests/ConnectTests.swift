import GRPCCore
import HTTPTypes
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

@testable import GatewayServer

extension RunningGateway {
  fileprivate func call(
    _ method: String, _ body: String = "{}", token: String? = nil,
    type: String = "application/json", headers: String...
  ) async throws -> HTTPAnswer {
    try await call(method, Array(body.utf8), token: token, type: type, headers)
  }

  fileprivate func call(
    _ method: String, _ body: [UInt8], token: String? = nil, type: String = "application/json",
    _ headers: [String] = []
  ) async throws -> HTTPAnswer {
    try await send(
      "POST", "/stackmeter.v1.\(method)", token: token ?? operatorToken,
      headers: ["Content-Type: \(type)"] + headers, body: body)
  }
}

/// The services' methods in the Connect protocol's unary form, at a real socket.
@Suite(.timeLimit(.minutes(1))) struct ConnectTests {
  /// What clients may not call, and why.
  private static let hidden = [
    "Collector/ReportStream": "a stream", "Collector/ReadJournal": "a stream",
    "Collector/ConfirmApplied": "for the aggregator", "Collector/FindUsage": "for query",
    "Billing/ApplyRateCard": "for the command", "Billing/CloseStatements": "for the command",
    "Billing/WritePosting": "for the command",
    "Billing/ShareCost": "for the command",
    "Query/ExportUsage": "parts of a file, which the gateway puts together",
    "Aggregator/GetStatus": "the gateway does not call it", "Aggregator/Restate": "for the command",
    "Bridge/GetStatus": "it is in the status", "Bridge/SetRegistration": "for the command",
    "Bridge/Control": "for the command", "Bridge/ListDeadLetters": "for the command",
  ]

  @Test func `every method of the contract is exposed or hidden for a reason`() throws {
    var methods: Set<String> = []
    for file in ["collector", "aggregator", "query", "rating", "bridge"] {
      let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
      let text = String(
        decoding: try fileContent("\(root)/proto/stackmeter/v1/\(file).proto"), as: UTF8.self)
      var service = ""
      for line in text.split(separator: "\n") {
        let words = line.split { " ({".contains($0) }
        if words.first == "service" { service = String(words[1]) }
        guard words.first == "rpc" else { continue }
        let name = "\(service)/\(words[1])"
        methods.insert(name)
        let exposed = ExposedMethod.all.first { $0.method.path == "stackmeter.v1.\(name)" }
        #expect((exposed == nil) == (Self.hidden[name] != nil), "\(name)")
        guard let exposed else { continue }
        // Request and response as the file has them.
        let types = line.split { "()".contains($0) }.map(String.init)
        #expect(exposed.method.request.name == "stackmeter.v1.\(types[1])", "\(name)")
        #expect(exposed.method.response.name == "stackmeter.v1.\(types[3])", "\(name)")
      }
    }
    #expect(methods.count == ExposedMethod.all.count + Self.hidden.count)
    #expect(methods.isSuperset(of: Self.hidden.keys))
  }

  @Test func `what a tenant may call names its caller or tells nobody's usage`() {
    for exposed in ExposedMethod.all where exposed.access == .caller {
      #expect(
        exposed.method.request.hasCaller || exposed.method.path == "stackmeter.v1.Query/ListMeters",
        "\(exposed.method.path)")
    }
    for exposed in ExposedMethod.all where exposed.access == .anyone {
      Issue.record("\(exposed.method.path) is open to anyone")
    }
  }

  @Test func `a call is answered in JSON`() async throws {
    try await withGateway { gateway in
      gateway.query.with {
        $0.meters = [
          Meter(
            id: "cpu", name: "CPU", unit: "s", category: "Compute", resourceProvider: "",
            aggregation: .sum, isBillable: true)
        ]
      }
      let answer = try await gateway.call(
        "Query/ListMeters", headers: "Connect-Protocol-Version: 1", "Connect-Timeout-Ms: 5000")
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.headers["content-type"] == "application/json")
      #expect(
        answer.text
          == #"{"meters":[{"id":"cpu","name":"CPU","unit":"s","category":"Compute","#
          + #""aggregation":"sum","billable":true}]}"#
      )
    }
  }

  @Test func `events are reported as rows and each has its outcome`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.call(
        "Collector/Report",
        """
        {"events":[{"id":"a","source":"s","series":{"subscription":"x","meter":"cpu",
        "resource_uri":"/r"},"usageStart":"3600000000000","usageEnd":3600000000000,
        "quantity":{"units":1}}]}
        """)
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer["results.0.outcome"] == .string("OUTCOME_ACCEPTED"))
      #expect(gateway.collector.with { $0.calls }.first?.first?.quantity == Quantity(1))
    }
  }

  @Test func `encoded messages are taken too`() async throws {
    try await withGateway { gateway in
      let request = ListSubscriptionsRequest(caller: .operator, ids: ["a"])
      let answer = try await gateway.call(
        "Query/ListSubscriptions", request.packed(), token: gateway.tenantToken,
        type: "application/proto")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/proto")
      #expect(
        gateway.query.with { $0.subscriptionRequests.map(\.caller) }
          == [.tenant(subscriptions: [RunningGateway.subscription])])
      let garbage = try await gateway.call(
        "Query/ListSubscriptions", [0xFF, 0xFF], type: "application/proto")
      #expect(garbage.status == 400)
      #expect(garbage["code"] == .string("invalid_argument"))
    }
  }

  @Test(arguments: [
    "{}", #"{"caller":{"role":"ROLE_OPERATOR"}}"#,
    #"{"caller":{"role":2,"subscriptions":["other"]}}"#,
  ])
  func `a tenant is a tenant, whatever it says`(body: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.call(
        "Query/ListSubscriptions", body, token: gateway.tenantToken)
      #expect(answer.status == 200)
      #expect(
        gateway.query.with { $0.subscriptionRequests.map(\.caller) }
          == [.tenant(subscriptions: [RunningGateway.subscription])])
    }
  }

  @Test func `a tenant may call nothing that is for operators`() async throws {
    try await withGateway { gateway in
      for exposed in ExposedMethod.all where exposed.access == .operatorOnly {
        let name = String(exposed.method.path.dropFirst("stackmeter.v1.".utf8.count))
        let answer = try await gateway.call(name, token: gateway.tenantToken)
        #expect(answer.status == 403, "\(name)")
        #expect(answer["code"] == .string("permission_denied"))
      }
      let nobody = try await gateway.send("POST", "/stackmeter.v1.Query/ListMeters", token: nil)
      #expect(nobody.status == 401)
      #expect(nobody["code"] == .string("unauthenticated"))
    }
  }

  @Test(arguments: [
    ("Query/ListUsage", "", 400, "invalid_argument"),
    ("Query/ListUsage", "{", 400, "invalid_argument"),
    ("Query/ListUsage", "[]", 400, "invalid_argument"),
    ("Query/ListUsage", #"{"a":1}"#, 400, "invalid_argument"),
    ("Query/ListUsage", #"{"meters":[],"meters":[]}"#, 400, "invalid_argument"),
    ("Query/Nothing", "{}", 404, "unimplemented"), ("Nobody/Nothing", "{}", 404, "unimplemented"),
    ("Collector/ReadJournal", "{}", 404, "unimplemented"),
    ("Collector/ConfirmApplied", "{}", 404, "unimplemented"),
    ("Aggregator/Restate", "{}", 404, "unimplemented"),
  ])
  func `what cannot be called is told with Connect's code`(
    method: String, body: String, status: Int, code: String
  ) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.call(method, body)
      #expect(answer.status == status, "\(answer.text)")
      #expect(answer["code"] == .string(code))
      #expect(answer["message"]?.string?.isEmpty == false)
      #expect(answer.headers["content-type"]?.hasPrefix("application/json") == true)
    }
  }

  @Test(arguments: [
    (RPCError.Code.cancelled, 499, "canceled"), (.invalidArgument, 400, "invalid_argument"),
    (.deadlineExceeded, 504, "deadline_exceeded"), (.notFound, 404, "not_found"),
    (.permissionDenied, 403, "permission_denied"), (.resourceExhausted, 429, "resource_exhausted"),
    (.failedPrecondition, 400, "failed_precondition"), (.outOfRange, 400, "out_of_range"),
    (.unavailable, 503, "unavailable"), (.internalError, 500, "internal"),
    (.unknown, 500, "internal"), (.dataLoss, 500, "internal"),
  ])
  func `what a service says is told with its code and its status`(
    code: RPCError.Code, status: Int, name: String
  ) async throws {
    try await withGateway { gateway in
      gateway.query.with { $0.failure = RPCError(code: code, message: "the words") }
      let answer = try await gateway.call("Query/ListMeters")
      #expect(answer.status == status)
      #expect(answer["code"] == .string(name))
      #expect((answer.headers["retry-after"] != nil) == ([429, 503, 504, 499].contains(status)))
    }
  }

  @Test(arguments: [
    "Connect-Protocol-Version: 2", "Connect-Timeout-Ms: x", "Connect-Timeout-Ms: -1",
    "Connect-Timeout-Ms: 12345678901",
  ])
  func `headers of the protocol are checked`(header: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.call("Query/ListMeters", headers: header)
      #expect(answer.status == 400)
      #expect(answer["code"] == .string("invalid_argument"))
    }
  }

  @Test func `the client's time is over when it says so`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.call("Query/ListMeters", headers: "Connect-Timeout-Ms: 0")
      #expect(answer.status == 504)
      #expect(answer["code"] == .string("deadline_exceeded"))
    }
  }

  @Test(arguments: [
    "text/plain", "application/connect+json", "application/grpc", "application/grpc-web+proto",
  ])
  func `other forms of the protocol are 415`(type: String) async throws {
    try await withGateway { gateway in
      let answer = try await gateway.call("Query/ListMeters", type: type)
      #expect(answer.status == 415)
      #expect(answer.headers["accept-post"] == "application/json, application/proto")
    }
  }

  @Test func `a message past its limits is refused`() async throws {
    try await withGateway { gateway in
      let announced = try await gateway.send(
        "POST", "/stackmeter.v1.Query/ListMeters", token: gateway.operatorToken,
        headers: [
          "Content-Type: application/json",
          "Content-Length: \(GatewayLimits.rpcBodyBytesMax + 1)",
        ])
      #expect(announced.status == 413)
      #expect(announced["code"] == .string("resource_exhausted"))
      for body in [
        String(repeating: "[", count: 1_000_000),
        #"{"meters":["# + String(repeating: "0,", count: JSONLimits.message.valuesMax) + "0]}",
        #"{"meters":[""# + String(repeating: "m", count: 65_537) + #""]}"#,
      ] {
        let answer = try await gateway.call("Query/ListUsage", body)
        #expect(answer.status == 400)
        #expect(answer["code"] == .string("invalid_argument"))
      }
    }
  }
}
