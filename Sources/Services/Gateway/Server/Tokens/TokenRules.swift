internal import StackmeterCore

/// What a token's claims must say, and whom they make of its bearer.
package struct TokenRules: Hashable, Sendable {
  /// Exactly the claim `iss`.
  package var issuer: String
  /// One of the claim `aud`.
  package var audience: String
  /// The longest time from `iat` to `exp`.
  package var lifetimeMax: Duration
  /// The claim with roles: an array of texts, or one text of words. A name that begins with a slash is a JSON pointer,
  /// such as `/realm_access/roles`.
  package var rolesClaim: String
  /// The role of operators.
  package var operatorRole: String
  /// The claim with a tenant's subscriptions: an array of texts, or one text.
  package var subscriptionsClaim: String
  /// The claim with a delegated provider's id.
  package var providerClaim: String
  /// The claim with a reporter's sources: an array of texts, or one text.
  package var sourcesClaim: String

  package init(
    issuer: String, audience: String, lifetimeMax: Duration = .seconds(3600),
    rolesClaim: String = "roles", operatorRole: String = "stackmeter.operator",
    subscriptionsClaim: String = "stackmeter_subscriptions",
    providerClaim: String = "stackmeter_provider", sourcesClaim: String = "stackmeter_sources"
  ) {
    self.issuer = issuer
    self.audience = audience
    self.lifetimeMax = lifetimeMax
    self.rolesClaim = rolesClaim
    self.operatorRole = operatorRole
    self.subscriptionsClaim = subscriptionsClaim
    self.providerClaim = providerClaim
    self.sourcesClaim = sourcesClaim
  }

  /// The bearer of claims whose signature is good.
  func principal(_ claims: JSONObject, now: Instant) throws(TokenRefusal) -> Principal {
    guard let found = claims["iss"]?.string, found.hasSameBytes(as: issuer) else {
      throw .claim("iss", "is not the issuer")
    }
    let audiences = try TokenRules.texts(claims["aud"], "aud")
    guard audiences.contains(where: { $0.hasSameBytes(as: audience) }) else {
      throw .claim("aud", "does not name this audience")
    }
    try checkTimes(claims, now)
    guard let subject = claims["sub"]?.string, !subject.isEmpty,
      subject.utf8.count <= TokenLimits.subjectBytesMax
    else { throw .claim("sub", "must be a text of 1 to \(TokenLimits.subjectBytesMax) bytes") }
    return Principal(caller: try caller(claims), name: "token:\(subject)")
  }

  private func checkTimes(_ claims: JSONObject, _ now: Instant) throws(TokenRefusal) {
    guard let expires = try TokenRules.time(claims, "exp") else { throw .claim("exp", "is needed") }
    guard let issued = try TokenRules.time(claims, "iat") else { throw .claim("iat", "is needed") }
    guard now < expires.advanced(by: TokenLimits.skew) else { throw .claim("exp", "has passed") }
    guard issued <= now.advanced(by: TokenLimits.skew) else {
      throw .claim("iat", "is in the future")
    }
    guard expires - issued <= lifetimeMax else {
      throw .claim("exp", "is more than \(lifetimeMax) after iat")
    }
    if let notBefore = try TokenRules.time(claims, "nbf"),
      notBefore > now.advanced(by: TokenLimits.skew)
    {
      throw .claim("nbf", "is in the future")
    }
  }

  private func caller(_ claims: JSONObject) throws(TokenRefusal) -> Caller {
    let roles = try TokenRules.texts(TokenRules.value(claims, rolesClaim), rolesClaim)
      .flatMap { $0.split(separator: " ") }
    if roles.contains(where: { String($0).hasSameBytes(as: operatorRole) }) { return .operator }
    let subscriptions = try names(claims, subscriptionsClaim, EventLimits.subscriptionBytesMax)
    let providers = try names(claims, providerClaim, EventLimits.subscriptionBytesMax)
    let sources = try names(claims, sourcesClaim, EventLimits.sourceBytesMax)
    switch (subscriptions.isEmpty, providers.isEmpty, sources.isEmpty) {
    case (false, true, true): return .tenant(subscriptions: subscriptions.map(\.asciiLowercased))
    case (true, false, true):
      guard providers.count == 1 else { throw .claim(providerClaim, "must name one provider") }
      return .provider(providers[0].asciiLowercased)
    case (true, true, false): return .reporter(sources: sources)
    default:
      throw .claim(
        rolesClaim,
        "is not an operator's, and not one alone of \(subscriptionsClaim), \(providerClaim) and "
          + "\(sourcesClaim) is there")
    }
  }

  private func names(
    _ claims: JSONObject, _ claim: String, _ bytesMax: Int
  ) throws(TokenRefusal) -> [String] {
    let names = try TokenRules.texts(TokenRules.value(claims, claim), claim)
    guard names.allSatisfy({ (1...bytesMax).contains($0.utf8.count) }) else {
      throw .claim(claim, "each text must have 1 to \(bytesMax) bytes")
    }
    return names
  }

  /// A member by its name or by a JSON pointer (RFC 6901) through objects.
  private static func value(_ claims: JSONObject, _ name: String) -> JSONValue? {
    guard name.hasPrefix("/") else { return claims[name] }
    var value = JSONValue.object(claims.members)
    for step in name.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
      let member = String(step.replacing("~1", with: "/").replacing("~0", with: "~"))
      guard let next = JSONObject(value, path: "")?[member] else { return nil }
      value = next
    }
    return value
  }

  /// The texts of an array, or one text; none where the claim is absent.
  private static func texts(
    _ value: JSONValue?, _ name: String
  ) throws(TokenRefusal) -> [String] {
    guard let value else { return [] }
    if let text = value.string { return [text] }
    let texts = value.array?.compactMap(\.string)
    guard let texts, texts.count == value.array?.count else {
      throw .claim(name, "must be a text or an array of texts")
    }
    return texts
  }

  /// Whole seconds since 1970, a fraction cut off. Digits and one point only: nothing that a float might make of it.
  private static func time(_ claims: JSONObject, _ name: String) throws(TokenRefusal) -> Instant? {
    guard let value = claims[name] else { return nil }
    guard case .number(let token) = value,
      token.utf8.allSatisfy({
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".")
      }),
      let seconds = Int64(token.prefix { $0 != "." }), seconds < 1 << 33
    else { throw .claim(name, "must be a number of seconds since 1970") }
    return Instant(seconds: seconds)
  }
}
