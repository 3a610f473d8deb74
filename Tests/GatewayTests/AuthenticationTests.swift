import GatewayServer
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Testing

private let azurePath =
  "/subscriptions/\(RunningGateway.subscription)/providers/Microsoft.Commerce/UsageAggregates"
private let azureQuery =
  "?api-version=2015-06-01-preview&reportedStartTime=2026-11-22&reportedEndTime=2026-11-23"

@Suite(.timeLimit(.minutes(1))) struct AuthenticationTests {
  static let guarded = [
    "/v1/usage", "/v1/usage/summary", "/v1/meters", "/v1/windows", "/v1/status",
    azurePath + azureQuery,
    "/subscriptions/x/providers/Microsoft.Commerce.Admin/subscriberUsageAggregates" + azureQuery,
  ]

  @Test func `a request without a good token is refused on every path`() async throws {
    try await withGateway { gateway in
      for path in AuthenticationTests.guarded {
        for token in [nil, "wrong", "sm_k1_" + String(repeating: "A", count: 43)] {
          let answer = try await gateway.send("GET", path, token: token)
          #expect(answer.status == 401, "\(path)")
          #expect(answer.headers["www-authenticate"] == "Bearer")
        }
      }
      let post = try await gateway.send("POST", "/v1/events", token: nil, body: [0x5B, 0x5D])
      #expect(post.status == 401)
      #expect(gateway.collector.with { $0.calls.isEmpty })
      #expect(gateway.query.with { $0.usageRequests.isEmpty })
    }
  }

  @Test func `a refusal is a problem on native paths and Azure's envelope on Azure's`() async throws
  {
    try await withGateway { gateway in
      let native = try await gateway.send("GET", "/v1/meters", token: nil)
      #expect(native.headers["content-type"] == "application/problem+json")
      #expect(native["status"] == .number("401"))
      #expect(native["title"] == .string("Unauthorized"))
      let azure = try await gateway.send("GET", azurePath, token: nil)
      #expect(azure["error.code"] == .string("AuthenticationFailed"))
    }
  }

  @Test func `a token in the URL, of another scheme or sent twice is no token`() async throws {
    try await withGateway { gateway in
      let token = gateway.operatorToken
      let inURL = try await gateway.send("GET", "/v1/meters?access_token=\(token)", token: nil)
      #expect(inURL.status == 401)
      let basic = try await gateway.send(
        "GET", "/v1/meters", token: nil, headers: ["Authorization: Basic \(token)"])
      #expect(basic.status == 401)
      let twice = try await gateway.send(
        "GET", "/v1/meters", token: token, headers: ["Authorization: Bearer \(token)"])
      #expect(twice.status == 401)
      let lowerCase = try await gateway.send(
        "GET", "/v1/meters", token: nil, headers: ["authorization: bearer \(token)"])
      #expect(lowerCase.status == 200)
    }
  }

  @Test func `a tenant may not report, see the status or ask the provider API`() async throws {
    try await withGateway { gateway in
      let post = try await gateway.send(
        "POST", "/v1/events", token: gateway.tenantToken,
        headers: ["Content-Type: application/json"], body: Array("[]".utf8))
      #expect(post.status == 403)
      #expect(try await gateway.getAsTenant("/v1/status").status == 403)
      let provider = try await gateway.getAsTenant(
        "/subscriptions/x/providers/Microsoft.Commerce.Admin/subscriberUsageAggregates\(azureQuery)"
      )
      #expect(provider.status == 403)
      #expect(provider["error.code"] == .string("AuthorizationFailed"))
    }
  }

  @Test func `foreign and absent subscriptions answer alike`() async throws {
    try await withGateway { gateway in
      for path in [
        "/subscriptions/foreign/providers/Microsoft.Commerce/UsageAggregates\(azureQuery)",
        "/v1/usage?subscription=foreign", "/v1/usage/summary?subscription=foreign",
      ] {
        let answer = try await gateway.getAsTenant(path)
        #expect(answer.status == 404, "\(path)")
        #expect(answer.text.contains("SubscriptionNotFound"))
      }
      #expect(gateway.query.with { $0.usageRequests.isEmpty && $0.summaryRequests.isEmpty })
    }
  }

  @Test func `the caller travels in every question`() async throws {
    try await withGateway { gateway in
      _ = try await gateway.get("/v1/usage")
      _ = try await gateway.getAsTenant("/v1/usage")
      _ = try await gateway.getAsTenant("/v1/usage/summary")
      let tenant = Caller.tenant(subscriptions: [RunningGateway.subscription])
      #expect(gateway.query.with { $0.usageRequests.map(\.caller) } == [.operator, tenant])
      #expect(gateway.query.with { $0.summaryRequests.map(\.caller) } == [tenant])
    }
  }

  @Test func `a new key works and a revoked one is refused after a second`() async throws {
    try await withGateway { gateway in
      let (key, token) = try APIKeys.create(role: .operator)
      try APIKeys.update(file: gateway.keysPath) { (keys) throws(APIKeysError) in try keys.add(key)
      }
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 401)
      gateway.clock.advance(by: .seconds(1))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 200)
      let wasThere = try APIKeys.update(file: gateway.keysPath) { (keys) throws(APIKeysError) in
        keys.remove(id: key.id)
      }
      #expect(wasThere)
      gateway.clock.advance(by: .seconds(1))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 401)
      #expect(try await gateway.get("/v1/meters").status == 200)
    }
  }

  @Test func `a key file that breaks leaves the last good keys in force`() async throws {
    try await withGateway { gateway in
      writeFile(gateway.keysPath, "{")
      gateway.clock.advance(by: .seconds(1))
      let answer = try await gateway.get("/v1/meters")
      #expect(answer.status == 200)
    }
  }
}
