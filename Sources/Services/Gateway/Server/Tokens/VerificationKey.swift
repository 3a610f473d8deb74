internal import Crypto
internal import CryptoExtras
internal import StackmeterCore

/// A public key, and the one algorithm that it verifies.
struct VerificationKey: Sendable {
  enum Algorithm: String, CaseIterable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA with P-256 and SHA-256.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
  }

  private enum Key {
    case rsa(_RSA.Signing.PublicKey)
    case p256(P256.Signing.PublicKey)
    case ed25519(Curve25519.Signing.PublicKey)
  }

  private let key: Key

  var algorithm: Algorithm {
    switch key {
    case .rsa: .rs256
    case .p256: .es256
    case .ed25519: .edDSA
    }
  }

  /// Whether a signature in the form of JSON Web Signature (RFC 7518) is this key's over these bytes.
  func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
    switch key {
    case .rsa(let key):
      let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
      return key.isValidSignature(signature, for: bytes, padding: .insecurePKCS1v1_5)
    case .p256(let key):
      guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else {
        return false
      }
      return key.isValidSignature(signature, for: bytes)
    case .ed25519(let key):
      return key.isValidSignature(signature, for: bytes)
    }
  }

  /// Why a member of a key set is not used.
  struct Unusable: Error {
    let problem: String
  }

  /// Reads one key of a set (RFC 7517): RSA of 2,048 bits and more, EC on P-256, or OKP with Ed25519. The algorithm
  /// follows from the kind; an `alg` that says another one makes the key unusable.
  init(_ object: JSONObject) throws(Unusable) {
    guard object["d"] == nil else {
      throw Unusable(problem: "it is a private key; the set must have the other half only")
    }
    if let use = object["use"], use != .string("sig") {
      throw Unusable(problem: "its use is not sig")
    }
    if let operations = object["key_ops"], operations.array?.contains(.string("verify")) != true {
      throw Unusable(problem: "its key_ops are without verify")
    }
    let kind = object["kty"]?.string ?? ""
    switch (kind, object["crv"]?.string ?? "") {
    case ("RSA", _): key = .rsa(try VerificationKey.rsa(object))
    case ("EC", "P-256"): key = .p256(try VerificationKey.p256(object))
    case ("OKP", "Ed25519"): key = .ed25519(try VerificationKey.ed25519(object))
    default:
      throw Unusable(problem: "it is none of RSA, EC with P-256 and OKP with Ed25519")
    }
    if let named = object["alg"] {
      let isEd25519 = algorithm == .edDSA && named == .string("Ed25519")
      guard named == .string(algorithm.rawValue) || isEd25519 else {
        throw Unusable(problem: "its alg is not \(algorithm.rawValue)")
      }
    }
  }

  private static func rsa(_ object: JSONObject) throws(Unusable) -> _RSA.Signing.PublicKey {
    let (modulus, exponent) = (try bytes(object, "n"), try bytes(object, "e"))
    let bits = (modulus.first.map { 8 - $0.leadingZeroBitCount } ?? 0) + (modulus.count - 1) * 8
    guard TokenLimits.modulusBits.contains(bits) else {
      throw Unusable(
        problem: "its modulus has \(bits) bits; \(TokenLimits.modulusBits.lowerBound) to "
          + "\(TokenLimits.modulusBits.upperBound) are taken")
    }
    guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent) else {
      throw Unusable(problem: "its n and e are no RSA key")
    }
    return key
  }

  private static func p256(_ object: JSONObject) throws(Unusable) -> P256.Signing.PublicKey {
    let (x, y) = (try bytes(object, "x"), try bytes(object, "y"))
    // The initializer checks that the point is on the curve.
    guard x.count == 32, y.count == 32,
      let key = try? P256.Signing.PublicKey(x963Representation: [4] + x + y)
    else { throw Unusable(problem: "its x and y are no point of P-256") }
    return key
  }

  private static func ed25519(
    _ object: JSONObject
  ) throws(Unusable) -> Curve25519.Signing.PublicKey {
    let x = try bytes(object, "x")
    guard x.count == 32, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x) else {
      throw Unusable(problem: "its x is no key of Ed25519")
    }
    return key
  }

  private static func bytes(_ object: JSONObject, _ name: String) throws(Unusable) -> [UInt8] {
    guard let text = object[name]?.string, let bytes = Base64URL.bytes(text), !bytes.isEmpty else {
      throw Unusable(problem: "its \(name) is not base64url")
    }
    return bytes
  }
}
