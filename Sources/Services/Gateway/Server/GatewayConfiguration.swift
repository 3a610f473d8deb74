package import StackmeterRuntime

/// Where the gateway listens and who may call it.
package struct GatewayConfiguration: Hashable, Sendable {
  package var host: String
  /// 0 for a free port.
  package var port: Int
  /// The file of hashed API keys, see `APIKeys`.
  package var apiKeysPath: String
  /// How long the answers in progress may take once the gateway was asked to stop.
  package var drainMax: Duration

  package init(
    host: String, port: Int, apiKeysPath: String, drainMax: Duration = .seconds(5)
  ) {
    self.host = host
    self.port = port
    self.apiKeysPath = apiKeysPath
    self.drainMax = drainMax
  }

  package init(_ settings: Settings) {
    self.init(
      host: settings.gatewayHost, port: settings.gatewayPort, apiKeysPath: settings.apiKeys)
  }
}

/// What one client may cost the gateway.
enum GatewayLimits {
  /// The request line's target and all header fields together.
  static let headBytesMax = 16 << 10
  static let headerFieldsMax = 64
  /// The body of `POST /v1/events`. It is cut off while it arrives.
  static let eventsBodyBytesMax = 16 << 20
  /// How long such a body may take to arrive.
  static let eventsBodyTimeMax: Duration = .seconds(60)
  /// A heartbeat.
  static let heartbeatBodyBytesMax = 4096
  static let heartbeatBodyTimeMax: Duration = .seconds(10)
  /// Requests with events that are worked on at once. The next is refused at once.
  static let eventRequestsMax = 16
  static let connectionsMax = 1024
  /// A connection that sends nothing for so long is closed, in the middle of a request too.
  static let idleSeconds: Int64 = 20
  /// About how many bytes the events of one batch for the collector have: half of what a message may.
  static let callBytesMax = 2 << 20
  /// Rows of a page of Azure's API. Its clients count on it.
  static let azurePageRows: UInt32 = 1000
  /// How old names and units of meters may be.
  static let meterCacheAge: Duration = .seconds(30)
}
