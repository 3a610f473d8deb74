import Glibc
import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

/// The whole path with curl as the client: CloudEvents in, usage out.
@Suite(.timeLimit(.minutes(3))) struct GatewayDoorTests {
  @Test func `an event posted with curl is billed to its tenant and to nobody else`() async throws {
    try await withCluster { cluster in
      let operatorToken = try await token(cluster, "--role", "operator")
      let tenant = try await token(cluster, "--role", "tenant", "--subscription", "Sub-1")
      let stranger = try await token(cluster, "--role", "tenant", "--subscription", "sub-2")
      for service in Cluster.services { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let url = "http://127.0.0.1:\(cluster.settings.gatewayPort)"
      _ = try await eventually {
        try await curl(cluster, "\(url)/readyz").contains("200") ? true : nil
      }
      let start = Hour(index: SystemClock().now().hour.index - 1)
      let event = """
        {"specversion":"1.0","type":"stackmeter.usage.v1","id":"1","source":"curl",
        "subject":"/subscriptions/SUB-1","data":{"meter":"agent-cpu-core-seconds",
        "quantity":1.000000000000000001,"resourceUri":"/subscriptions/sub-1/vm",
        "startTime":"\(start)","endTime":"\(start.next)"}}
        """.split(separator: "\n").joined()
      let post = [
        "-X", "POST", "-H", "Content-Type: application/cloudevents+json", "--data-binary", event,
        "\(url)/v1/events",
      ]
      let bearer = ["-H", "Authorization: Bearer \(operatorToken)"]
      #expect(try await curl(cluster, bearer + post).contains(#""accepted":1"#))
      #expect(try await curl(cluster, bearer + post).contains(#""duplicates":1"#))
      #expect(try await curl(cluster, post).hasSuffix("401"))
      let asTenant = ["-H", "Authorization: Bearer \(tenant)"]
      #expect(try await curl(cluster, asTenant + post).hasSuffix("403"))
      let usage = try await eventually {
        let answer = try await curl(cluster, asTenant + ["\(url)/v1/usage"])
        return answer.contains("sub-1") ? answer : nil
      }
      #expect(usage.contains(#""quantity":"1.000000000000000001""#), "\(usage)")
      #expect(usage.contains(#""provisional":true"#), "\(usage)")
      let other = try await curl(
        cluster, ["-H", "Authorization: Bearer \(stranger)", "\(url)/v1/usage"])
      #expect(!other.contains("sub-1") && other.hasSuffix("200"), "\(other)")
      // Without a time it lists today, and the hour before this one may be yesterday's.
      let list = try await cluster.command("usage", "--json", "--from", "\(start)")
      #expect(list.status == .exited(0), "\(list.output)")
      #expect(list.output.contains("1.000000000000000001"), "\(list.output)")
    }
  }

  @Test func `the gateway goes on when what is behind it is killed`() async throws {
    try await withCluster { cluster in
      let operatorToken = try await token(cluster, "--role", "operator")
      for service in Cluster.services { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let url = "http://127.0.0.1:\(cluster.settings.gatewayPort)"
      let meters = ["-H", "Authorization: Bearer \(operatorToken)", "\(url)/v1/meters"]
      _ = try await eventually {
        try await curl(cluster, meters).hasSuffix("200") ? true : nil
      }
      try await cluster.kill("query")
      #expect(try await curl(cluster, meters).hasSuffix("503"))
      #expect(try await curl(cluster, ["\(url)/healthz"]).hasSuffix("200"))
      #expect(try await curl(cluster, ["\(url)/readyz"]).hasSuffix("503"))
      try cluster.start("query")
      _ = try await eventually {
        try await curl(cluster, meters).hasSuffix("200") ? true : nil
      }
    }
  }

  @Test func `a port in use ends the gateway with a sentence that names it`() async throws {
    try await withCluster { cluster in
      _ = try await token(cluster, "--role", "operator")
      try cluster.start("gateway")
      let url = "http://127.0.0.1:\(cluster.settings.gatewayPort)"
      _ = try await eventually {
        try await curl(cluster, ["\(url)/healthz"]).hasSuffix("200") ? true : nil
      }
      let (status, output) = try await Cluster.run(
        "\(Cluster.programs)/stackmeter-gateway", [],
        environment: cluster.environmentOfServices(),
        outputPath: "\(cluster.directory)/second.log")
      #expect(status == .exited(1))
      #expect(output.contains("\(cluster.settings.gatewayPort)"), "\(output)")
    }
  }

  /// The body and the status, one after the other.
  private func curl(_ cluster: Cluster, _ arguments: String...) async throws -> String {
    try await curl(cluster, arguments)
  }

  private func curl(_ cluster: Cluster, _ arguments: [String]) async throws -> String {
    try await Cluster.run(
      "/usr/bin/curl", ["-sS", "-m", "20", "-w", "%{http_code}"] + arguments,
      environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/curl"
    ).output
  }

  private func token(_ cluster: Cluster, _ arguments: String...) async throws -> String {
    let (status, output) = try await Cluster.run(
      "\(Cluster.programs)/stackmeter", ["token", "create"] + arguments,
      environment: cluster.environmentOfServices(), outputPath: "\(cluster.directory)/token")
    try #require(status == .exited(0), "\(output)")
    return output.split(separator: "\n").map(String.init).last ?? ""
  }
}
