import Crypto
import CryptoExtras
import StackmeterCore

@testable import GatewayServer

/// An identity provider of tests: keys of every kind, and tokens as good or as bad as a test wants.
struct TestIssuer {
  static let issuer = "https://login.example/tenant"
  static let audience = "stackmeter"
  static let rules = TokenRules(issuer: issuer, audience: audience)
  /// The simulated clock of the tests starts here.
  static let now = RunningGateway.start.nanoseconds / Instant.nanosecondsPerSecond

  enum Key {
    case rsa(_RSA.Signing.PrivateKey)
    case p256(P256.Signing.PrivateKey)
    case ed25519(Curve25519.Signing.PrivateKey)

    var algorithm: String {
      switch self {
      case .rsa: "RS256"
      case .p256: "ES256"
      case .ed25519: "EdDSA"
      }
    }

    func signature(over bytes: [UInt8]) throws -> [UInt8] {
      switch self {
      case .rsa(let key):
        try Array(key.signature(for: bytes, padding: .insecurePKCS1v1_5).rawRepresentation)
      case .p256(let key): try Array(key.signature(for: bytes).rawRepresentation)
      case .ed25519(let key): try Array(key.signature(for: bytes))
      }
    }

    /// The public key as a member of a key set.
    func jwk(id: String, more: String = "") throws -> String {
      switch self {
      case .rsa(let key):
        let parts = try key.publicKey.getKeyPrimitives()
        return """
          {"kty":"RSA","kid":"\(id)","n":"\(Base64URL.text(parts.modulus))",\
          "e":"\(Base64URL.text(parts.publicExponent))"\(more)}
          """
      case .p256(let key):
        let point = Array(key.publicKey.x963Representation.dropFirst())
        return """
          {"kty":"EC","crv":"P-256","kid":"\(id)","x":"\(Base64URL.text(point.prefix(32)))",\
          "y":"\(Base64URL.text(point.suffix(32)))"\(more)}
          """
      case .ed25519(let key):
        return """
          {"kty":"OKP","crv":"Ed25519","kid":"\(id)",\
          "x":"\(Base64URL.text(key.publicKey.rawRepresentation))"\(more)}
          """
      }
    }
  }

  /// Making RSA keys takes its time, so there is one of them.
  static let rsa = Key.rsa(try! _RSA.Signing.PrivateKey(keySize: .bits2048))
  static let p256 = Key.p256(P256.Signing.PrivateKey())
  static let ed25519 = Key.ed25519(Curve25519.Signing.PrivateKey())

  static func keySet(_ keys: [String]) -> String { "{\"keys\":[\(keys.joined(separator: ","))]}" }

  /// Keys `r`, `e` and `d` of the three kinds.
  static func keySet() throws -> String {
    keySet([try rsa.jwk(id: "r"), try p256.jwk(id: "e"), try ed25519.jwk(id: "d")])
  }

  /// Good claims of an operator, but for those that are given: a member's JSON text, or nil to leave it out.
  static func claims(_ changes: KeyValuePairs<String, String?> = [:]) -> String {
    var members: [(String, String)] = [
      ("iss", "\"\(issuer)\""), ("aud", "\"\(audience)\""), ("sub", "\"me\""),
      ("iat", "\(now)"), ("exp", "\(now + 600)"), ("roles", "[\"stackmeter.operator\"]"),
    ]
    for (name, value) in changes {
      members.removeAll { $0.0 == name }
      if let value { members.append((name, value)) }
    }
    return "{\(members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}"
  }

  static func token(header: String, claims: String, signature: [UInt8]) -> String {
    "\(Base64URL.text(header.utf8)).\(Base64URL.text(claims.utf8)).\(Base64URL.text(signature))"
  }

  /// A token that is signed; by default a good one.
  static func token(
    _ key: Key = TestIssuer.p256, id: String = "e", header: String? = nil, claims: String? = nil
  ) throws -> String {
    let header = header ?? #"{"alg":"\#(key.algorithm)","kid":"\#(id)","typ":"JWT"}"#
    let signed = "\(Base64URL.text(header.utf8)).\(Base64URL.text((claims ?? self.claims()).utf8))"
    return "\(signed).\(Base64URL.text(try key.signature(over: Array(signed.utf8))))"
  }
}
