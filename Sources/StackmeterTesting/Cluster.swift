internal import Glibc
package import StackmeterRPC
package import StackmeterRuntime
internal import Synchronization

/// The real programs, as processes in a directory of their own: started, killed and started again by name.
///
/// Every process is killed when the fixture ends. The programs are those that were built together with the
/// running test.
package final class Cluster: Sendable {
  package static let services = ["collector", "aggregator", "query", "gateway"]

  package let directory: String
  package let settings: Settings
  private let environment: [String: String]
  private let processes = Mutex<[String: ChildProcess]>([:])

  /// `overrides` are settings of the environment, such as `STACKMETER_COLLECTOR_LATENESS_LIMIT_DAYS`.
  package init(directory: String, overrides: [String: String] = [:]) throws {
    self.directory = directory
    var environment = processEnvironment().filter { !$0.key.hasPrefix("STACKMETER_") }
    environment["STACKMETER_RUN_DIRECTORY"] = "\(directory)/run"
    environment["STACKMETER_STATE_DIRECTORY"] = "\(directory)/state"
    environment["STACKMETER_METER_CATALOG"] = "\(Cluster.root)/deploy/config/meters.json"
    guard let port = FreePort.find() else { throw ClusterError("no free port: \(errno)") }
    environment["STACKMETER_GATEWAY_PORT"] = "\(port)"
    environment["STACKMETER_GATEWAY_API_KEYS"] = "\(directory)/keys.json"
    environment["STACKMETER_AGENT_MAPPING"] = "\(directory)/agent.json"
    environment.merge(overrides) { $1 }
    self.environment = environment
    settings = try Settings(SettingsReader(environment: environment, file: nil))
  }

  /// The top of the source tree.
  package static let root: String = {
    let parts = #filePath.split(separator: "/").dropLast(3)
    return "/" + parts.joined(separator: "/")
  }()

  /// Where the programs are: beside the running test.
  package static let programs: String = {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    let path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
  }()

  /// Starts a service; what it logs is appended to its log. `extra` is added to its environment.
  package func start(_ service: String, environment extra: [String: String] = [:]) throws {
    let log = open(logPath(service), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    defer { close(log) }
    let process = try ChildProcess(
      "\(Cluster.programs)/stackmeter-\(service)",
      environment: environment.merging(extra) { $1 }, standardOutput: .descriptor(log),
      standardError: .descriptor(log))
    processes.withLock { $0[service] = process }
  }

  /// Runs the command line with this cluster's settings, and gives what it printed.
  package func command(_ arguments: String...) async throws -> (status: ExitStatus, output: String)
  {
    try await command(arguments)
  }

  package func command(_ arguments: [String]) async throws -> (status: ExitStatus, output: String) {
    try await Cluster.run(
      "\(Cluster.programs)/stackmeter", arguments, environment: environment,
      outputPath: "\(directory)/output-\(arguments.first ?? "")")
  }

  /// Runs any program to its end; standard output and error come together.
  package static func run(
    _ executable: String, _ arguments: [String], environment: [String: String],
    outputPath: String
  ) async throws -> (status: ExitStatus, output: String) {
    let output = open(outputPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
    defer { close(output) }
    let process = try ChildProcess(
      executable, arguments, environment: environment, standardOutput: .descriptor(output),
      standardError: .descriptor(output))
    let status = try await process.waitForExit()
    return (status, String(decoding: try fileContent(outputPath), as: UTF8.self))
  }

  /// Returns once the service answers health checks.
  package func serving(_ services: String...) async throws {
    for service in services {
      _ = try await eventually {
        let isServing = try? await withRPCChannel(socketPath: settings.socketPath(service)) {
          await HealthClient($0).isServing()
        }
        return isServing == true ? true : nil
      }
    }
  }

  /// Calls one service.
  package func call<Answer: Sendable>(
    _ service: String, _ body: @Sendable (any RPCChannel) async throws -> Answer
  ) async throws -> Answer {
    try await withRPCChannel(socketPath: settings.socketPath(service), body)
  }

  /// Kills a service as a power cut would, and returns once it is gone.
  package func kill(_ service: String) async throws {
    guard let process = processes.withLock({ $0.removeValue(forKey: service) }) else { return }
    process.signal(SIGKILL)
    _ = try await process.waitForExit()
  }

  /// Asks a service to stop, and gives how it ended.
  package func stop(_ service: String) async throws -> ExitStatus {
    guard let process = processes.withLock({ $0.removeValue(forKey: service) }) else {
      return .exited(0)
    }
    process.signal(SIGTERM)
    return try await process.waitForExit()
  }

  /// Waits for a service to end by itself.
  package func waitForExit(_ service: String) async throws -> ExitStatus {
    guard let process = processes.withLock({ $0[service] }) else { return .exited(0) }
    return try await process.waitForExit()
  }

  package func isRunning(_ service: String) -> Bool {
    processes.withLock { $0[service] }.map { $0.exitStatus == nil } ?? false
  }

  /// The process of a service; nil where it was never started, or was killed.
  package func pid(_ service: String) -> Int32? {
    processes.withLock { $0[service]?.pid }
  }

  package func environmentOfServices() -> [String: String] { environment }

  package func log(_ service: String) -> String {
    (try? fileContent(logPath(service))).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  private func logPath(_ service: String) -> String { "\(directory)/\(service).log" }
}

/// What a fixture could not do.
package struct ClusterError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) {
    self.description = description
  }
}

/// Lends a cluster in a temporary directory, with no service started yet.
package func withCluster<Result>(
  overrides: [String: String] = [:], _ body: (Cluster) async throws -> Result
) async throws -> Result {
  try await withTemporaryDirectory { directory in
    let cluster = try Cluster(directory: directory, overrides: overrides)
    let result = try await body(cluster)
    for service in ["agent", "bridge"] + Cluster.services.reversed() {
      try await cluster.kill(service)
    }
    return result
  }
}

/// Asks until the answer is not nil; a test's time limit ends it otherwise.
package func eventually<Answer>(_ ask: () async throws -> Answer?) async throws -> Answer {
  while true {
    if let answer = try await ask() { return answer }
    try await Task.sleep(for: .milliseconds(20))
  }
}
