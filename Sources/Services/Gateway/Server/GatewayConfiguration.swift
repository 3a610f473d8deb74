package import StackmeterRuntime

/// Where the gateway listens and who may call it.
package struct GatewayConfiguration: Hashable, Sendable {
  package var host: String
  /// 0 for a free port.
  package var port: Int
  /// The file of hashed API keys, see `APIKeys`.
  package var apiKeysPath: String
  /// The tokens of an identity provider that are taken; nil for none.
  package var tokens: TokenConfiguration?
  /// Nil for plain HTTP.
  package var tls: TLSFiles?
  package var queryLimit: RateLimit
  package var ingestLimit: RateLimit
  /// Where the audit log is; nil for none.
  package var auditDirectory: String?
  package var auditBytesMax: Int
  /// The operator, by the name that finance knows; empty for none.
  package var issuer = ""
  package var connections = ConnectionLimits()
  /// How long the answers in progress may take once the gateway was asked to stop.
  package var drainMax: Duration

  package init(
    host: String, port: Int, apiKeysPath: String, tokens: TokenConfiguration? = nil,
    tls: TLSFiles? = nil, queryLimit: RateLimit = RateLimit(requests: 0),
    ingestLimit: RateLimit = RateLimit(requests: 0), auditDirectory: String? = nil,
    auditBytesMax: Int = 256 << 20, drainMax: Duration = .seconds(5)
  ) {
    self.host = host
    self.port = port
    self.apiKeysPath = apiKeysPath
    self.tokens = tokens
    self.tls = tls
    self.queryLimit = queryLimit
    self.ingestLimit = ingestLimit
    self.auditDirectory = auditDirectory
    self.auditBytesMax = auditBytesMax
    self.drainMax = drainMax
  }

  package init(_ settings: Settings) {
    self.init(
      host: settings.gatewayHost, port: settings.gatewayPort, apiKeysPath: settings.apiKeys,
      tokens: TokenConfiguration(settings.tokens),
      tls: settings.gateway.certificate.isEmpty
        ? nil
        : TLSFiles(
          certificate: settings.gateway.certificate, key: settings.gateway.key,
          clientAuthorities: settings.gateway.clientAuthorities,
          requiresClientCertificate: settings.gateway.clientCertificates == "required"),
      queryLimit: RateLimit(requests: settings.gateway.queriesPerMinute),
      ingestLimit: RateLimit(requests: settings.gateway.ingestsPerMinute),
      auditDirectory: settings.auditDirectory,
      auditBytesMax: settings.gateway.auditMebibytesMax << 20)
    issuer = settings.issuer
  }
}

/// Whose tokens are taken, and by which rules.
package struct TokenConfiguration: Hashable, Sendable {
  /// A file's path, or a URL.
  package var keys: String
  package var trustRoots: String
  package var rules: TokenRules

  package init(keys: String, trustRoots: String = "", rules: TokenRules) {
    self.keys = keys
    self.trustRoots = trustRoots
    self.rules = rules
  }

  /// Nil where no tokens are taken.
  init?(_ settings: TokenSettings) {
    guard !settings.keys.isEmpty else { return nil }
    self.init(
      keys: settings.keys, trustRoots: settings.trustRoots,
      rules: TokenRules(
        issuer: settings.issuer, audience: settings.audience,
        lifetimeMax: .seconds(settings.lifetimeSecondsMax), rolesClaim: settings.rolesClaim,
        operatorRole: settings.operatorRole, subscriptionsClaim: settings.subscriptionsClaim,
        providerClaim: settings.providerClaim, sourcesClaim: settings.sourcesClaim))
  }
}

/// What one client may cost the gateway.
enum GatewayLimits {
  /// The request line's target and all header fields together.
  static let headBytesMax = 16 << 10
  static let headerFieldsMax = 64
  /// The body of `POST /v1/events`. It is cut off while it arrives.
  static let eventsBodyBytesMax = 16 << 20
  /// The same with one event on each line, which is not gathered but reported in parts.
  static let eventLinesBodyBytesMax = 1 << 30
  /// One such line. A longer one is no event.
  static let eventLineBytesMax = 256 << 10
  /// A part is reported once it has so many bytes, or was begun so long ago.
  static let eventLinesPartBytes = 1 << 20
  static let eventLinesPartTime: Duration = .seconds(1)
  /// The refused events that are told of one by one where there may be any number; the others are counted.
  static let eventsRejectedMax = 1000
  /// A message of a service's method, as JSON.
  static let rpcBodyBytesMax = 4 << 20
  /// Calls of services' methods that are worked on at once. The next is refused at once.
  static let rpcRequestsMax = 16
  /// How long such a call may take.
  static let rpcTimeMax: Duration = .seconds(10)
  /// A heartbeat.
  static let heartbeatBodyBytesMax = 4096
  /// How long any body is waited for in all, beside the time that its bytes are given by the slowest rate.
  static let bodyGraceMax: Duration = .seconds(10)
  static let bodyBytesPerSecondMin = 1024
  /// Requests with events that are worked on at once. The next is refused at once.
  static let eventRequestsMax = 16
  /// Connections that are accepted beyond `ConnectionLimits.connectionsMax` while others are closed to make room.
  static let connectionsSpare = 64
  /// About how many bytes the events of one batch for the collector have: half of what a message may.
  static let callBytesMax = 2 << 20
  /// Exports that are made at once. The next is refused at once.
  static let exportsMax = 4
  /// Rows of a page of Azure's API. Its clients count on it.
  static let azurePageRows = 1000
  /// Calls of query that one such page is put together from: more than the longest rows need. A page of sums that
  /// takes more may be shorter.
  static let azurePagePartsMax = 16
  /// How old names and units of meters may be.
  static let meterCacheAge: Duration = .seconds(30)
}
