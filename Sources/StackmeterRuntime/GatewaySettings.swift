/// How the gateway protects itself and its callers: TLS, limits, the audit log.
package struct GatewaySettings: Hashable, Sendable {
  /// The certificate chain and the key of HTTPS, as PEM files; both empty for plain HTTP.
  package var certificate: String
  package var key: String
  /// The authorities of client certificates, as a PEM file; empty where none are asked for.
  package var clientAuthorities: String
  /// `optional`, where a token does instead, or `required`.
  package var clientCertificates: String
  /// How many questions one caller may ask in a minute; 0 for any number.
  package var queriesPerMinute: Int
  /// How many requests with events and heartbeats one caller may send in a minute; 0 for any number.
  package var ingestsPerMinute: Int
  /// What the audit log may take on the disk.
  package var auditMebibytesMax: Int

  /// Notes what is wrong in `reader`.
  init(_ reader: inout SettingsReader) {
    certificate = reader.text("gateway.tls.certificate", default: "", mayBeEmpty: true)
    key = reader.text("gateway.tls.key", default: "", mayBeEmpty: true)
    clientAuthorities = reader.text("gateway.tls.clientAuthorities", default: "", mayBeEmpty: true)
    clientCertificates = reader.text("gateway.tls.clientCertificates", default: "optional")
    queriesPerMinute = reader.integer(
      "gateway.rateLimit.queriesPerMinute", in: 0...10_000_000, default: 6000)
    ingestsPerMinute = reader.integer(
      "gateway.rateLimit.ingestsPerMinute", in: 0...10_000_000, default: 60_000)
    auditMebibytesMax = reader.integer("gateway.auditMebibytesMax", in: 1...65_536, default: 256)
    if certificate.isEmpty != key.isEmpty {
      reader.refuse(
        "gateway.tls.\(key.isEmpty ? "key" : "certificate")",
        "is needed where gateway.tls.\(key.isEmpty ? "certificate" : "key") is set")
    }
    if !clientAuthorities.isEmpty && certificate.isEmpty {
      reader.refuse("gateway.tls.clientAuthorities", "needs gateway.tls.certificate and key")
    }
    if !["optional", "required"].contains(clientCertificates) {
      reader.refuse("gateway.tls.clientCertificates", "must be optional or required")
    } else if clientCertificates == "required" && clientAuthorities.isEmpty {
      reader.refuse(
        "gateway.tls.clientCertificates", "required needs gateway.tls.clientAuthorities")
    }
  }
}
