import Crypto
import CryptoExtras
import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

/// A set of keys that never changes.
private struct FixedKeys: KeySource {
  let keys: VerificationKeys

  func key(_ id: String) -> VerificationKey? { keys[id] }
}

private func refusal(
  of token: String, keySet: String? = nil, rules: TokenRules = TestIssuer.rules
) async throws -> TokenRefusal? {
  let verifier = TokenVerifier(
    keys: FixedKeys(keys: try VerificationKeys(json: Array((keySet ?? TestIssuer.keySet()).utf8))),
    rules: rules, clock: SimulatedClock(RunningGateway.start))
  do throws(TokenRefusal) {
    _ = try await verifier.principal(token)
    return nil
  } catch {
    return error
  }
}

private func caller(
  _ claims: String, rules: TokenRules = TestIssuer.rules
) throws(TokenRefusal) -> Caller {
  let value = try! JSONValue(parsing: Array(claims.utf8), limits: TokenLimits.json)
  return try rules.principal(JSONObject(value, path: "")!, now: RunningGateway.start).caller
}

@Suite struct TokenVerifierTests {
  @Test(arguments: ["r", "e", "d"]) func `a good token of each kind of key is taken`(id: String)
    async throws
  {
    let key = ["r": TestIssuer.rsa, "e": TestIssuer.p256, "d": TestIssuer.ed25519][id]!
    #expect(try await refusal(of: TestIssuer.token(key, id: id)) == nil)
  }

  @Test(arguments: [
    "none", "None", "nOnE", "NONE", "HS256", "RS512", "PS256", "es256", "RS256", "",
  ])
  func `a key verifies its own algorithm only, whatever the token says`(algorithm: String)
    async throws
  {
    let header = #"{"alg":"\#(algorithm)","kid":"e"}"#
    #expect(try await refusal(of: TestIssuer.token(header: header)) == .otherAlgorithm)
    let unsigned = TestIssuer.token(header: header, claims: TestIssuer.claims(), signature: [])
    #expect(try await refusal(of: unsigned) != nil)
  }

  @Test func `a public RSA key is no secret of HS256`() async throws {
    guard case .rsa(let key) = TestIssuer.rsa else { return }
    for secret in [
      key.publicKey.pemRepresentation, key.publicKey.pkcs1PEMRepresentation,
      key.publicKey.pemRepresentation + "\n",
    ] {
      let signed =
        Base64URL.text(#"{"alg":"HS256","kid":"r"}"#.utf8) + "."
        + Base64URL.text(TestIssuer.claims().utf8)
      let code = HMAC<SHA256>.authenticationCode(
        for: Array(signed.utf8), using: SymmetricKey(data: Array(secret.utf8)))
      #expect(
        try await refusal(of: "\(signed).\(Base64URL.text(Array(code)))") == .otherAlgorithm)
    }
  }

  @Test(arguments: [
    "x", "E", "e ", "", "../../etc/passwd", "' OR 1=1 --", "e\u{0}", "https://evil.example/keys",
  ])
  func `an unknown key id is refused, whatever it looks like`(id: String) async throws {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("alg", string: "ES256")
      writer.member("kid", string: id)
    }
    let header = String(decoding: writer.bytes, as: UTF8.self)
    #expect(try await refusal(of: TestIssuer.token(header: header)) != nil)
  }

  @Test func `without a key id no key is tried`() async throws {
    for header in [
      #"{"alg":"ES256"}"#, #"{"alg":"ES256","kid":7}"#, #"{"alg":"ES256","kid":null}"#,
    ] {
      let refused = try await refusal(
        of: TestIssuer.token(header: header),
        keySet: TestIssuer.keySet([try TestIssuer.p256.jwk(id: "e")]))
      #expect(refused?.description.contains("kid") == true)
    }
  }

  @Test func `of keys with the same id none is used`() async throws {
    let keys = TestIssuer.keySet([
      try TestIssuer.p256.jwk(id: "e"), try TestIssuer.rsa.jwk(id: "e"),
      try TestIssuer.rsa.jwk(id: "e"), try TestIssuer.rsa.jwk(id: "r"),
    ])
    #expect(try await refusal(of: TestIssuer.token(), keySet: keys) == .unknownKey)
    #expect(
      try await refusal(of: TestIssuer.token(TestIssuer.rsa, id: "e"), keySet: keys) == .unknownKey)
    #expect(try await refusal(of: TestIssuer.token(TestIssuer.rsa, id: "r"), keySet: keys) == nil)
  }

  @Test func `a key that the token brings along counts for nothing`() async throws {
    let mine = TestIssuer.Key.p256(P256.Signing.PrivateKey())
    for more in [
      #""jwk":\#(try mine.jwk(id: "e"))"#, #""jku":"https://evil.example/keys""#,
      #""x5u":"https://evil.example/chain""#, #""x5c":["MII"]"#,
    ] {
      let header = #"{"alg":"ES256","kid":"e",\#(more)}"#
      #expect(try await refusal(of: TestIssuer.token(mine, header: header)) == .badSignature)
      #expect(try await refusal(of: TestIssuer.token(header: header)) == nil)
    }
  }

  @Test(arguments: [
    #"{"alg":"ES256","kid":"e","crit":["exp"],"exp":1}"#, #"{"alg":"ES256","kid":"e","crit":[]}"#,
    #"{"alg":"ES256","kid":"e","b64":false,"crit":["b64"]}"#,
    #"{"alg":"ES256","kid":"e","typ":"JWE"}"#, #"{"alg":"ES256","kid":"e","typ":1}"#,
    #"{"alg":"ES256","alg":"none","kid":"e"}"#, #"{"alg":"ES256","kid":"e"} "x"#,
    #"["alg"]"#, "", #"{"alg":["ES256"],"kid":"e"}"#,
  ])
  func `a header that asks for what is not understood, or is none, is refused`(header: String)
    async throws
  {
    #expect(try await refusal(of: TestIssuer.token(header: header)) != nil)
  }

  @Test func `empty, zero, short, long and foreign signatures are wrong`() async throws {
    let stranger = TestIssuer.Key.p256(P256.Signing.PrivateKey())
    #expect(try await refusal(of: TestIssuer.token(stranger)) == .badSignature)
    let good = try TestIssuer.token()
    let parts = good.split(separator: ".").map(String.init)
    let signature = Base64URL.bytes(parts[2])!
    for wrong in [
      [], [0], Array(repeating: 0, count: 64), Array(repeating: 255, count: 64),
      signature + [0], Array(signature.dropLast()),
      [0x30, 0x44] + signature,
    ] as [[UInt8]] {
      let token = "\(parts[0]).\(parts[1]).\(Base64URL.text(wrong))"
      #expect(try await refusal(of: token) != nil)
    }
    for (key, id) in [(TestIssuer.rsa, "r"), (TestIssuer.ed25519, "d")] {
      let parts = try TestIssuer.token(key, id: id).split(separator: ".").map(String.init)
      for wrong in [Array(repeating: 0, count: 64), Array(repeating: 0, count: 256)] as [[UInt8]] {
        let token = "\(parts[0]).\(parts[1]).\(Base64URL.text(wrong))"
        #expect(try await refusal(of: token) == .badSignature)
      }
    }
  }

  @Test func `every changed bit of a token is noticed`() async throws {
    let token = Array(try TestIssuer.token().utf8)
    for place in stride(from: 0, to: token.count, by: 3) {
      var changed = token
      changed[place] ^= 1
      #expect(
        try await refusal(of: String(decoding: changed, as: UTF8.self)) != nil, "\(place)")
    }
  }

  @Test func `a token has three parts of canonical base64url`() async throws {
    let good = try TestIssuer.token()
    let parts = good.split(separator: ".").map(String.init)
    for wrong in [
      good + ".", "." + good, good + "." + parts[2], "\(parts[0])..\(parts[1]).\(parts[2])",
      "\(parts[0]).\(parts[1])", parts[0], "", "..", "...", good + "=", good + "==", good + "\n",
      " " + good, good.replacing(".", with: "..", maxReplacements: 1),
      "\(parts[0])=.\(parts[1]).\(parts[2])", good.replacing("-", with: "+") + "+",
      "\(parts[0]).\(parts[1]).\(parts[2].dropLast())_",
    ] {
      #expect(try await refusal(of: wrong) != nil, "\(wrong)")
    }
  }

  @Test func `a token past the limit is refused before it is looked at`() async throws {
    let padding = String(repeating: "x", count: TokenLimits.tokenBytesMax)
    #expect(
      try await refusal(of: TestIssuer.token(claims: TestIssuer.claims(["x": "\"\(padding)\""])))
        == .tooLong)
    #expect(try await refusal(of: String(repeating: "A", count: 1 << 20)) == .tooLong)
  }

  @Test func `claims that stand twice are refused`() async throws {
    let twice = String(TestIssuer.claims().dropLast()) + #","sub":"you"}"#
    #expect(try await refusal(of: TestIssuer.token(claims: twice)) != nil)
  }

  @Test(
    arguments: [
      ("iss", nil), ("iss", "\"https://login.example/tenant/\""),
      ("iss", "[\"https://login.example/tenant\"]"),
      ("aud", nil), ("aud", "\"other\""), ("aud", "[]"),
      ("aud", "[\"stackmeter2\",\"Stackmeter\"]"),
      ("aud", "{}"), ("aud", "[\"stackmeter\",1]"),
      ("exp", nil), ("exp", "-1"), ("exp", "0"), ("exp", "1e99"), ("exp", "1.8e9"),
      ("exp", "\"9999999999\""),
      ("exp", "null"), ("exp", "99999999999999999999"), ("exp", "\(TestIssuer.now - 60)"),
      ("exp", "\(TestIssuer.now + 3601)"), ("exp", "9223372036"),
      ("iat", nil), ("iat", "\(TestIssuer.now + 61)"), ("iat", "\(TestIssuer.now - 3001)"),
      ("iat", "true"),
      ("nbf", "\(TestIssuer.now + 61)"), ("nbf", "\"0\""),
      ("sub", nil), ("sub", "\"\""), ("sub", "1"),
      ("roles", nil), ("roles", "[]"), ("roles", "[\"operator\"]"),
      ("roles", "\"Stackmeter.operator\""),
      ("roles", "{\"stackmeter.operator\":true}"), ("roles", "[[\"stackmeter.operator\"]]"),
    ] as [(String, String?)])
  func `a token with a claim that is not as it must be is refused`(name: String, value: String?)
    async throws
  {
    let token = try TestIssuer.token(claims: TestIssuer.claims([name: value]))
    guard case .claim = try await refusal(of: token) else {
      Issue.record("\(name) \(value ?? "absent") was taken")
      return
    }
  }

  @Test(arguments: [
    ("aud", "[\"other\",\"stackmeter\"]"), ("exp", "\(TestIssuer.now - 59)"),
    ("exp", "\(TestIssuer.now + 600).9"), ("exp", "\(TestIssuer.now + 3600)"),
    ("iat", "\(TestIssuer.now + 60)"), ("nbf", "\(TestIssuer.now + 60)"), ("nbf", "0"),
    ("roles", "\"x stackmeter.operator y\""), ("roles", "[\"x\",\"stackmeter.operator\"]"),
  ])
  func `at the edge of what is allowed a token is taken`(name: String, value: String) async throws {
    let token = try TestIssuer.token(claims: TestIssuer.claims([name: value]))
    #expect(try await refusal(of: token) == nil)
  }

  @Test func `the subscriptions of a token make a tenant, and none make nobody`() throws {
    let claims = { TestIssuer.claims(["roles": nil, "stackmeter_subscriptions": $0]) }
    #expect(try caller(claims("[\"AA\",\"b\"]")) == .tenant(subscriptions: ["aa", "b"]))
    #expect(try caller(claims("\"AA\"")) == .tenant(subscriptions: ["aa"]))
    for none in ["[]", "[\"\"]", "[1]", "{}", "null"] {
      #expect(throws: TokenRefusal.self) { try caller(claims(none)) }
    }
  }

  @Test func `claims have the names that the rules say, also within other claims`() throws {
    var rules = TestIssuer.rules
    rules.rolesClaim = "/realm_access/roles"
    rules.operatorRole = "admin"
    rules.subscriptionsClaim = "https://example/a~1b"
    let deep = #"{"roles":["admin"]}"#
    #expect(try caller(TestIssuer.claims(["realm_access": deep]), rules: rules) == .operator)
    #expect(throws: TokenRefusal.self) {
      try caller(TestIssuer.claims(["roles": "[\"admin\"]"]), rules: rules)
    }
    let tenant = TestIssuer.claims(["https://example/a~1b": "[\"s\"]"])
    #expect(try caller(tenant, rules: rules) == .tenant(subscriptions: ["s"]))
  }

  @Test func `keys that are weak, private, for something else or broken are not used`() throws {
    let weak = TestIssuer.Key.rsa(try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024)))
    let ones = Base64URL.text([UInt8](repeating: 1, count: 32))
    let set = TestIssuer.keySet([
      try weak.jwk(id: "weak"), try TestIssuer.rsa.jwk(id: "private", more: #","d":"AQAB""#),
      try TestIssuer.rsa.jwk(id: "encrypts", more: #","use":"enc""#),
      try TestIssuer.rsa.jwk(id: "signs", more: #","key_ops":["sign"]"#),
      try TestIssuer.rsa.jwk(id: "other", more: #","alg":"RS512""#),
      try TestIssuer.p256.jwk(id: "confused", more: #","alg":"HS256""#),
      #"{"kty":"oct","kid":"secret","k":"AAAA"}"#,
      #"{"kty":"EC","crv":"P-256","kid":"off","x":"\#(ones)","y":"\#(ones)"}"#,
      #"{"kty":"EC","crv":"P-384","kid":"curve","x":"AA","y":"AA"}"#,
      #"{"kty":"OKP","crv":"Ed25519","kid":"short","x":"AA"}"#,
      #"{"kty":"RSA","kid":"even","n":"AA","e":"AA"}"#, "7", #"{"kty":"RSA"}"#,
      try TestIssuer.rsa.jwk(id: "good", more: #","alg":"RS256","use":"sig","key_ops":["verify"]"#),
      try TestIssuer.ed25519.jwk(id: "ed", more: #","alg":"EdDSA""#),
    ])
    let keys = try VerificationKeys(json: Array(set.utf8))
    #expect(keys.count == 2)
    #expect(keys["good"]?.algorithm == .rs256)
    #expect(keys["ed"]?.algorithm == .edDSA)
    #expect(keys.problems.count == 13)
  }

  @Test(arguments: ["", "[]", "{}", #"{"keys":{}}"#, #"{"keys":[]"#, "<html>"])
  func `what is no key set is an error`(text: String) {
    #expect(throws: VerificationKeysError.self) { try VerificationKeys(json: Array(text.utf8)) }
  }

  @Test func `a key set past the limit is an error`() throws {
    let key = try TestIssuer.p256.jwk(id: "e")
    let many = TestIssuer.keySet(Array(repeating: key, count: TokenLimits.keysMax + 1))
    #expect(throws: VerificationKeysError.self) { try VerificationKeys(json: Array(many.utf8)) }
  }
}
