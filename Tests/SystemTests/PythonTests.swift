import StackmeterRuntime
import StackmeterTesting
import Testing

/// A client that is not ours: Python's grpcio, with stubs from our .proto files.
@Suite(.timeLimit(.minutes(3))) struct PythonTests {
  @Test func `grpcio calls every method of every service unchanged`() async throws {
    let python = try #require(
      processEnvironment()["STACKMETER_TEST_PYTHON"],
      "STACKMETER_TEST_PYTHON must name a Python with grpcio and grpcio-tools; deploy/test makes one"
    )
    try await withCluster { cluster in
      for service in ["collector", "aggregator", "query"] { try cluster.start(service) }
      try await cluster.serving("collector", "aggregator", "query")
      let (status, output) = try await Cluster.run(
        python,
        [
          "\(Cluster.root)/Tests/SystemTests/Python/every_method.py", Cluster.root,
          cluster.settings.runDirectory, cluster.directory,
        ], environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"],
        outputPath: "\(cluster.directory)/python.log")
      #expect(status == .exited(0), "\(output)")
      for line in try methods() { #expect(output.contains("\(line) ok"), "\(line): \(output)") }
    }
  }

  /// `Service.Method` of every rpc of every .proto file.
  private func methods() throws -> [String] {
    var methods: [String] = []
    for file in [
      "stackmeter/v1/collector.proto", "stackmeter/v1/aggregator.proto",
      "stackmeter/v1/query.proto",
      "grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
    ] {
      let text = String(decoding: try fileContent("\(Cluster.root)/proto/\(file)"), as: UTF8.self)
      var service = ""
      for line in text.split(separator: "\n") {
        let words = line.split(whereSeparator: { " ({".contains($0) })
        if words.first == "service" { service = String(words[1]) }
        if words.first == "rpc" { methods.append("\(service).\(words[1])") }
      }
    }
    #expect(methods.count == 25)
    return methods
  }
}
