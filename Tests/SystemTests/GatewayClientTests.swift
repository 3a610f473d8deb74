import StackmeterCore
import StackmeterRuntime
import StackmeterTesting
import Testing

/// Clients that are not ours, against the gateway of a running cluster.
@Suite(.timeLimit(.minutes(4))) struct GatewayClientTests {
  @Test func `the CloudEvents SDK reports in every mode and it counts once`() async throws {
    try await withRunningGateway { gateway in
      let hour = Hour(index: SystemClock().now().hour.index - 1)
      let output = try await gateway.python(
        "cloudevents_client.py", gateway.url, gateway.operatorToken, "\(hour)")
      #expect(output.contains("cloudevents ok"), "\(output)")
    }
  }

  @Test func `the Connect client calls methods in both codecs and reads every error`() async throws
  {
    try await withRunningGateway { gateway in
      let hour = SystemClock().now().hour.index - 1
      let output = try await gateway.python(
        "connect_client.py", Cluster.root, gateway.url, gateway.operatorToken,
        gateway.tenantToken, "\(hour)", gateway.cluster.directory)
      #expect(output.contains("connect ok"), "\(output)")
    }
  }

  @Test func `the document of the API is valid, and fuzzing by it finds no mismatch`() async throws
  {
    try await withRunningGateway { gateway in
      let output = try await gateway.python(
        "openapi_client.py", gateway.url, gateway.operatorToken, gateway.tenantToken,
        gateway.cluster.directory)
      #expect(output.contains("openapi ok"), "\(output)")
    }
  }

  @Test func `the client python-odata reads documents, pages and filters, each caller its own`()
    async throws
  {
    try await withRunningGateway { gateway in
      let output = try await gateway.python(
        "odata_client.py", gateway.url, gateway.operatorToken, gateway.tenantToken,
        "\(SystemClock().now().hour.index)")
      #expect(output.contains("odata ok"), "\(output)")
    }
  }

  @Test func `slowhttptest in each of its modes leaves others served`() async throws {
    try await withRunningGateway { gateway in
      let output = try await gateway.python(
        "slow_clients.py", gateway.url, gateway.operatorToken, gateway.cluster.directory)
      #expect(output.contains("slow clients ok"), "\(output)")
    }
  }
}

/// All services, and whom the gateway knows.
struct ServedGateway {
  let cluster: Cluster
  let url: String
  let operatorToken: String
  /// Of the subscription sub-1.
  let tenantToken: String

  /// What a script of Tests/SystemTests/Python prints; it must succeed.
  func python(_ script: String, _ arguments: String...) async throws -> String {
    let python = try #require(
      processEnvironment()["STACKMETER_TEST_PYTHON"],
      "STACKMETER_TEST_PYTHON must name a Python with the packages of deploy/test, which makes one"
    )
    let (status, output) = try await Cluster.run(
      python, ["\(Cluster.root)/Tests/SystemTests/Python/\(script)"] + arguments,
      environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"],
      outputPath: "\(cluster.directory)/\(script).log")
    #expect(status == .exited(0), "\(output)")
    return output
  }
}

func withRunningGateway(_ body: (ServedGateway) async throws -> Void) async throws {
  try await withCluster { cluster in
    func token(_ arguments: String...) async throws -> String {
      let (status, output) = try await Cluster.run(
        "\(Cluster.programs)/stackmeter", ["token", "create"] + arguments,
        environment: cluster.environmentOfServices(), outputPath: "\(cluster.directory)/token")
      try #require(status == .exited(0), "\(output)")
      return output.split(separator: "\n").map(String.init).last ?? ""
    }
    let gateway = ServedGateway(
      cluster: cluster, url: "http://127.0.0.1:\(cluster.settings.gatewayPort)",
      operatorToken: try await token("--role", "operator"),
      tenantToken: try await token("--role", "tenant", "--subscription", "sub-1"))
    for service in Cluster.services { try cluster.start(service) }
    try await cluster.serving("collector", "aggregator", "query")
    _ = try await eventually {
      let (_, output) = try await Cluster.run(
        "/usr/bin/curl", ["-sS", "-m", "20", "-w", "%{http_code}", "\(gateway.url)/readyz"],
        environment: ["PATH": "/usr/bin"], outputPath: "\(cluster.directory)/curl")
      return output.hasSuffix("200") ? true : nil
    }
    try await body(gateway)
  }
}
