import GatewayServer
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import StackmeterWire
import Testing

/// A gateway that takes the tokens of `TestIssuer`, by a key set in a file.
private func withTokenGateway(
  _ body: @Sendable (RunningGateway, _ keySetPath: String) async throws -> Void
) async throws {
  let directory = try TemporaryDirectory()
  let path = directory.path + "/jwks.json"
  writeFile(path, try TestIssuer.keySet())
  try await withGateway(tokens: TokenConfiguration(keys: path, rules: TestIssuer.rules)) {
    try await body($0, path)
  }
}

@Suite(.timeLimit(.minutes(1))) struct TokenDoorTests {
  @Test func `an operator's and a tenant's token see what such keys see`() async throws {
    try await withTokenGateway { gateway, _ in
      let ours = try TestIssuer.token(TestIssuer.rsa, id: "r")
      #expect(try await gateway.send("GET", "/v1/status", token: ours).status == 200)
      let theirs = try TestIssuer.token(
        claims: TestIssuer.claims(["roles": nil, "stackmeter_subscriptions": "[\"S1\"]"]))
      #expect(try await gateway.send("GET", "/v1/status", token: theirs).status == 403)
      #expect(try await gateway.send("GET", "/v1/usage", token: theirs).status == 200)
      #expect(
        try await gateway.send("GET", "/v1/usage?subscription=s2", token: theirs).status == 404)
      #expect(
        gateway.query.with { $0.usageRequests.map(\.caller) } == [.tenant(subscriptions: ["s1"])])
      // API keys are taken beside them.
      #expect(try await gateway.get("/v1/status").status == 200)
    }
  }

  @Test func `every bad token gets the same answer`() async throws {
    try await withTokenGateway { gateway, _ in
      let none = try await gateway.send("GET", "/v1/meters", token: nil)
      #expect(none.status == 401)
      let stranger = try TestIssuer.token(id: "x")
      for token in [
        stranger, "a.b.c", "sm_k1_" + String(repeating: "A", count: 43), "x",
        try TestIssuer.token(claims: TestIssuer.claims(["exp": "1"])),
        try TestIssuer.token(claims: TestIssuer.claims(["aud": "\"x\""])),
        try TestIssuer.token(claims: TestIssuer.claims(["roles": nil])),
        try TestIssuer.token(header: #"{"alg":"none","kid":"e"}"#),
      ] {
        let answer = try await gateway.send("GET", "/v1/meters", token: token)
        #expect(answer.status == 401)
        #expect(answer.text == none.text)
        #expect(answer.headers["www-authenticate"] == "Bearer")
      }
    }
  }

  @Test func `a token expires while the gateway runs`() async throws {
    try await withTokenGateway { gateway, _ in
      let token = try TestIssuer.token()
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 200)
      gateway.clock.advance(by: .seconds(659))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 200)
      gateway.clock.advance(by: .seconds(1))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 401)
    }
  }

  @Test
  func `a key that leaves the file is refused within a second, and a broken file changes nothing`()
    async throws
  {
    try await withTokenGateway { gateway, path in
      let token = try TestIssuer.token()
      let other = try TestIssuer.token(TestIssuer.ed25519, id: "d")
      writeFile(path, "{")
      gateway.clock.advance(by: .seconds(1))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 200)
      writeFile(path, TestIssuer.keySet([try TestIssuer.ed25519.jwk(id: "d")]))
      gateway.clock.advance(by: .seconds(1))
      #expect(try await gateway.send("GET", "/v1/meters", token: token).status == 401)
      #expect(try await gateway.send("GET", "/v1/meters", token: other).status == 200)
    }
  }

  @Test func `a key set that cannot be read stops the start, and so does a bad address`()
    async throws
  {
    for keys in ["/nowhere/jwks.json", "http://login.example/keys"] {
      let error = await #expect(throws: SettingsError.self) {
        try await withGateway(tokens: TokenConfiguration(keys: keys, rules: TestIssuer.rules)) {
          _ in
        }
      }
      #expect(error?.problems.first?.hasPrefix("gateway.jwt.keys: ") == true)
    }
  }
}
