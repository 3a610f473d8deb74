internal import Glibc
internal import StackmeterRuntime

/// A real gateway before a collector of the same run, and a token for it.
final class GatewayProcess: Sendable {
  let port: Int
  let token: String
  private let process: ChildProcess

  private init(port: Int, token: String, process: ChildProcess) {
    self.port = port
    self.token = token
    self.process = process
  }

  /// Starts one, and waits until it answers.
  static func start(directory: BenchDirectory, catalog: String) async throws -> GatewayProcess {
    guard let port = FreePort.find().map({ Int($0) }) else {
      throw BenchFailure("find", "a free port", errno: errno)
    }
    var environment = CollectorProcess.environment(directory: directory, catalog: catalog)
    environment["STACKMETER_GATEWAY_PORT"] = "\(port)"
    // What is measured is how much it can take, not how much it lets a caller send.
    environment["STACKMETER_GATEWAY_RATE_LIMIT_QUERIES_PER_MINUTE"] = "0"
    environment["STACKMETER_GATEWAY_RATE_LIMIT_INGESTS_PER_MINUTE"] = "0"
    environment["STACKMETER_GATEWAY_API_KEYS"] = "\(directory.path)/keys.json"
    let made = try directory.start(
      "stackmeter", ["token", "create", "--role", "operator"], environment: environment)
    let status = try await made.waitForExit()
    let output = directory.log("stackmeter")
    guard status == .exited(0), let token = output.split(separator: "\n").first else {
      throw BenchFailure("stackmeter token create ended with \(status): \(output)")
    }
    let process = try directory.start("stackmeter-gateway", environment: environment)
    let begin = ContinuousClock.now
    while true {
      let isServing = await blocking {
        (try? HTTPConnection(port: port).exchange("GET", "/healthz", headers: [], body: []))?
          .status == 200
      }
      if isServing { return GatewayProcess(port: port, token: String(token), process: process) }
      if let status = process.exitStatus {
        throw BenchFailure(
          "the gateway ended with \(status): \(directory.log("stackmeter-gateway"))")
      }
      guard ContinuousClock.now - begin < CollectorProcess.startMax else {
        throw BenchFailure("the gateway does not answer after \(CollectorProcess.startMax)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  var figures: ProcessFigures { ProcessFigures(pid: process.pid) }

  func stop() async throws {
    process.signal(SIGKILL)
    _ = try await process.waitForExit()
  }
}
