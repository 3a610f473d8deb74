import StackmeterCore
import Testing

@testable import GatewayServer

/// `/metrics` in Prometheus' text format.
@Suite(.timeLimit(.minutes(1))) struct MetricsTests {
  @Test func `requests, events and connections are counted`() async throws {
    try await withGateway { gateway in
      _ = try await gateway.send("GET", "/healthz", token: nil)
      _ = try await gateway.send("GET", "/v1/meters", token: nil)
      _ = try await gateway.get("/nothing/here")
      gateway.collector.with { $0.results["b"] = .duplicate(position: 1) }
      let lines = ["a", "b", "c"].map {
        #"{"specversion":"1.0","type":"stackmeter.usage.v1","id":"\#($0)","source":"cloud","#
          + #""subject":"abc","time":"2026-11-23T15:00:00Z","#
          + #""data":{"meter":"cpu","quantity":1,"resourceUri":"/r"}}"#
      }
      _ = try await gateway.send(
        "POST", "/v1/events", token: gateway.operatorToken,
        headers: ["Content-Type: application/x-ndjson"],
        body: Array((lines.joined(separator: "\n") + "\nbad").utf8))
      let answer = try await gateway.get("/metrics")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
      let text = answer.text
      for line in [
        #"stackmeter_gateway_requests_total{route="GET /healthz",status="2xx"} 1"#,
        #"stackmeter_gateway_requests_total{route="GET /v1/meters",status="4xx"} 1"#,
        #"stackmeter_gateway_requests_total{route="none",status="4xx"} 1"#,
        #"stackmeter_gateway_request_duration_seconds_bucket{route="POST /v1/events",le="+Inf"} 1"#,
        #"stackmeter_gateway_request_duration_seconds_count{route="POST /v1/events"} 1"#,
        #"stackmeter_gateway_events_total{outcome="accepted"} 2"#,
        #"stackmeter_gateway_events_total{outcome="duplicate"} 1"#,
        #"stackmeter_gateway_events_total{outcome="rejected"} 1"#,
        #"stackmeter_gateway_connections_dropped_total{reason="slow_head"} 0"#,
      ] {
        #expect(text.contains("\n\(line)\n"), "\(line)\n\(text)")
      }
      #expect(text.hasSuffix("\n"))
      // Nobody's name: neither whose key it was nor what was asked for.
      #expect(!text.contains("nothing/here") && !text.contains(RunningGateway.subscription))
    }
  }

  @Test func `buckets add up, and every family is whole`() async throws {
    try await withGateway { gateway in
      for _ in 0..<5 { _ = try await gateway.send("GET", "/livez", token: nil) }
      let lines = try await gateway.get("/metrics").text.split(separator: "\n")
      var counts: [Int] = []
      var families: [Substring] = []
      for line in lines {
        if line.hasPrefix("# TYPE ") { families.append(line.split(separator: " ")[2]) }
        if line.hasPrefix("#") { continue }
        #expect(families.last.map { line.hasPrefix($0) } == true, "\(line)")
        if line.contains("_bucket{route=\"GET /livez\"") {
          counts.append(Int(line.split(separator: " ").last!)!)
        }
      }
      #expect(Set(families).count == families.count)
      #expect(counts.count == GatewayMetrics.bucketMicroseconds.count + 1)
      #expect(counts == counts.sorted() && counts.last == 5)
    }
  }

  @Test func `they are for operators`() async throws {
    try await withGateway { gateway in
      let nobody = try await gateway.send("GET", "/metrics", token: nil)
      let tenant = try await gateway.getAsTenant("/metrics")
      #expect(nobody.status == 401)
      #expect(tenant.status == 403)
    }
  }
}
