internal import StackmeterCore

/// Who sent a request: what they may do, and what logs call them.
struct Principal: Hashable, Sendable {
  let caller: Caller
  /// `key:` and the id of an API key, `token:` and the subject of a token.
  let name: String

  /// Where a route is open to anyone: such routes ask nothing for a caller.
  static let anyone = Principal(caller: .operator, name: "anyone")
}

/// Verifies bearer tokens: by a key of the set that the token names, with that key's own algorithm, and by the rules.
struct TokenVerifier: Sendable {
  let keys: any KeySource
  let rules: TokenRules
  let clock: any WallClock

  func principal(_ text: String) async throws(TokenRefusal) -> Principal {
    let token = try SignedToken(text)
    guard let key = try await keys.key(token.keyID) else { throw .unknownKey }
    guard token.algorithm.hasSameBytes(as: key.algorithm.rawValue) else { throw .otherAlgorithm }
    guard key.verifies(token.signature, of: token.signed) else { throw .badSignature }
    return try rules.principal(token.claims, now: clock.now())
  }
}

/// Where verification keys come from.
protocol KeySource: Sendable {
  /// The key of an id; nil where the set has none. Throws `keysAreStale` where nothing may be verified any more.
  func key(_ id: String) async throws(TokenRefusal) -> VerificationKey?
}
