internal import StackmeterCore

/// A JSON Web Token in its compact form (RFC 7515, 7519), taken apart. Nothing in it is proved yet.
struct SignedToken {
  let keyID: String
  let algorithm: String
  let claims: JSONObject
  /// What the signature is over: the first two parts with the point between them.
  let signed: [UInt8]
  let signature: [UInt8]

  /// Takes exactly three parts of canonical base64url, and JSON without duplicate members. Of the header only `alg`,
  /// `kid`, `typ` and `crit` count: a key, or the place of one, that a token brings along (`jwk`, `jku`, `x5u`, `x5c`)
  /// is never looked at.
  init(_ text: String) throws(TokenRefusal) {
    guard text.utf8.count <= TokenLimits.tokenBytesMax else { throw .tooLong }
    let parts = text.utf8.split(
      separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .malformed("it must have three parts") }
    let header = try SignedToken.object(parts[0], "the header")
    claims = try SignedToken.object(parts[1], "the claims")
    guard let signature = Base64URL.bytes(String(Substring(parts[2]))), !signature.isEmpty else {
      throw .malformed("the signature is not base64url")
    }
    self.signature = signature
    signed = Array(text.utf8[..<parts[1].endIndex])
    guard header["crit"] == nil else { throw .header("crit names what is not understood here") }
    if let type = header["typ"] {
      guard let type = type.string?.asciiLowercased,
        ["jwt", "at+jwt", "application/jwt", "application/at+jwt"].contains(type)
      else { throw .header("typ must be JWT or at+jwt") }
    }
    guard let algorithm = header["alg"]?.string else { throw .header("alg is needed") }
    guard let keyID = header["kid"]?.string, !keyID.isEmpty,
      keyID.utf8.count <= TokenLimits.keyIDBytesMax
    else { throw .header("kid must be a text of 1 to \(TokenLimits.keyIDBytesMax) bytes") }
    self.algorithm = algorithm
    self.keyID = keyID
  }

  private static func object(
    _ part: Substring.UTF8View, _ name: String
  ) throws(TokenRefusal) -> JSONObject {
    guard let bytes = Base64URL.bytes(String(Substring(part))) else {
      throw .malformed("\(name) is not base64url")
    }
    do {
      let value = try JSONValue(parsing: bytes, limits: TokenLimits.json)
      guard let object = JSONObject(value, path: "") else {
        throw TokenRefusal.malformed("\(name) must be an object")
      }
      return object
    } catch let error as JSONError {
      throw .malformed("\(name): \(error)")
    } catch let refusal as TokenRefusal {
      throw refusal
    } catch {
      throw .malformed("\(name): \(error)")
    }
  }
}
