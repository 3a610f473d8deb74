internal import Glibc
internal import StackmeterRPC
internal import StackmeterRuntime

/// A real service of a run that is not the collector: the aggregator, or query.
final class ServiceProcess: Sendable {
  let socketPath: String
  private let process: ChildProcess

  private init(socketPath: String, process: ChildProcess) {
    self.socketPath = socketPath
    self.process = process
  }

  /// Starts it, and waits until it serves. `settings` are more of its environment.
  static func start(
    _ service: String, directory: BenchDirectory, catalog: String, settings: [String: String] = [:]
  ) async throws -> ServiceProcess {
    let program = "stackmeter-\(service)"
    let environment = CollectorProcess.environment(directory: directory, catalog: catalog)
    let started = ServiceProcess(
      socketPath: "\(directory.runPath)/\(service).sock",
      process: try directory.start(program, environment: environment.merging(settings) { $1 }))
    let begin = ContinuousClock.now
    while true {
      let isServing = try await withRPCChannel(socketPath: started.socketPath) {
        await HealthClient($0).isServing()
      }
      if isServing { return started }
      if let status = started.process.exitStatus {
        throw BenchFailure("the \(service) ended with \(status): \(directory.log(program))")
      }
      guard ContinuousClock.now - begin < CollectorProcess.startMax else {
        throw BenchFailure("the \(service) does not serve after \(CollectorProcess.startMax)")
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  var figures: ProcessFigures { ProcessFigures(pid: process.pid) }

  func kill() async throws {
    process.signal(SIGKILL)
    _ = try await process.waitForExit()
  }
}
