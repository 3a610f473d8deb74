/// Which tokens of an identity provider the gateway takes, and what they say of their bearer.
package struct TokenSettings: Hashable, Sendable {
  /// The key set: a file's path or a URL; empty where no tokens are taken.
  package var keys: String
  /// The certification authorities of such a URL, as a PEM file; empty for those of the host.
  package var trustRoots: String
  package var issuer: String
  package var audience: String
  package var lifetimeSecondsMax: Int
  package var rolesClaim: String
  package var operatorRole: String
  package var subscriptionsClaim: String
  package var providerClaim: String
  package var sourcesClaim: String

  /// Notes what is wrong in `reader`.
  init(_ reader: inout SettingsReader) {
    keys = reader.text("gateway.jwt.keys", default: "", mayBeEmpty: true)
    trustRoots = reader.text("gateway.jwt.trustRoots", default: "", mayBeEmpty: true)
    issuer = reader.text("gateway.jwt.issuer", default: "", mayBeEmpty: true)
    audience = reader.text("gateway.jwt.audience", default: "", mayBeEmpty: true)
    lifetimeSecondsMax = reader.integer(
      "gateway.jwt.lifetimeSecondsMax", in: 60...86_400, default: 3600)
    rolesClaim = reader.text("gateway.jwt.rolesClaim", default: "roles")
    operatorRole = reader.text("gateway.jwt.operatorRole", default: "stackmeter.operator")
    subscriptionsClaim = reader.text(
      "gateway.jwt.subscriptionsClaim", default: "stackmeter_subscriptions")
    providerClaim = reader.text("gateway.jwt.providerClaim", default: "stackmeter_provider")
    sourcesClaim = reader.text("gateway.jwt.sourcesClaim", default: "stackmeter_sources")
    guard !keys.isEmpty else { return }
    for (name, value) in [("issuer", issuer), ("audience", audience)] where value.isEmpty {
      reader.refuse("gateway.jwt.\(name)", "is needed where gateway.jwt.keys is set")
    }
  }
}
