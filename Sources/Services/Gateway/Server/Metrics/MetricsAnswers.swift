internal import BridgeClient
internal import HTTPTypes
internal import StackmeterCore

/// `/metrics`: Prometheus' text format 0.0.4.
struct MetricsAnswers: Sendable {
  let metrics: GatewayMetrics
  let connections: Connections
  /// Nil where there is none.
  let bridge: BridgeClient?

  func metrics(_ request: GatewayRequest) async throws -> Reply {
    try request.refuseParameters()
    let bridge = try? await bridge?.status(timeout: BridgeClient.statusTimeout)
    var text = MetricsText()
    let (counts, connections) = (metrics.counts, connections.counts)
    let routes = counts.requests.sorted { $0.key < $1.key }
    text.family("requests_total", "counter", "Requests by route and class of status.") { text in
      for (route, requests) in routes {
        for (statusClass, count) in requests.byClass.sorted(by: { $0.key < $1.key }) {
          text.sample([("route", route), ("status", "\(statusClass)xx")], "\(count)")
        }
      }
    }
    text.family(
      "request_duration_seconds", "histogram",
      "From a request's head to the beginning of its answer."
    ) { text in
      for (route, requests) in routes {
        var count = 0
        for (bucket, added) in requests.buckets.enumerated() {
          count += added
          let limits = GatewayMetrics.bucketMicroseconds
          let limit = bucket < limits.count ? seconds(limits[bucket]) : "+Inf"
          text.sample(suffix: "_bucket", [("route", route), ("le", limit)], "\(count)")
        }
        text.sample(suffix: "_sum", [("route", route)], seconds(requests.microseconds))
        text.sample(suffix: "_count", [("route", route)], "\(requests.count)")
      }
    }
    text.family("events_total", "counter", "Reported events by what became of them.") { text in
      for outcome in GatewayMetrics.Outcome.allCases {
        text.sample([("outcome", outcome.rawValue)], "\(counts.events[outcome] ?? 0)")
      }
    }
    text.family("connections", "gauge", "Open connections.") { text in
      text.sample([], "\(connections.open)")
    }
    text.family("connections_opened_total", "counter", "Connections that were opened.") { text in
      text.sample([], "\(connections.opened)")
    }
    text.family(
      "connections_dropped_total", "counter", "Connections that the gateway ended, by why."
    ) { text in
      for reason in Connections.Reason.allCases {
        text.sample([("reason", reason.rawValue)], "\(connections.dropped[reason] ?? 0)")
      }
    }
    if let bridge { text.bridge(bridge) }
    return Reply(.ok, text.bytes, type: "text/plain; version=0.0.4; charset=utf-8")
  }

  /// Exactly: 1.5 seconds are 1500000 microseconds.
  private func seconds(_ microseconds: Int64) -> String {
    Quantity(attos: Int128(microseconds) * 1_000_000_000_000)?.description ?? "0"
  }
}

/// Writes families of samples, one after the other.
struct MetricsText {
  /// Of the names of families.
  var prefix = "stackmeter_gateway_"
  private(set) var bytes: [UInt8] = []
  private var name = ""

  mutating func family(
    _ name: String, _ type: String, _ help: String, _ samples: (inout MetricsText) -> Void
  ) {
    self.name = prefix + name
    line("# HELP \(self.name) \(help)")
    line("# TYPE \(self.name) \(type)")
    samples(&self)
  }

  mutating func sample(
    suffix: String = "", _ labels: [(name: String, value: String)], _ value: String
  ) {
    let pairs = labels.map { "\($0.name)=\"\(MetricsText.escaped($0.value))\"" }
    line("\(name)\(suffix)\(pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") \(value)")
  }

  private mutating func line(_ text: String) {
    bytes.append(contentsOf: text.utf8)
    bytes.append(UInt8(ascii: "\n"))
  }

  private static func escaped(_ value: String) -> String {
    value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}
