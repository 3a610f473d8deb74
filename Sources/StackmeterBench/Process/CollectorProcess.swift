internal import CollectorClient
internal import GRPCCore
internal import Glibc
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterWire
internal import Synchronization

/// A real collector with data of its own.
final class CollectorProcess: Sendable {
  /// How long a collector may take until it serves.
  static let startMax: Duration = .seconds(120)

  private let directory: BenchDirectory
  private let environment: [String: String]
  private let process = Mutex<ChildProcess?>(nil)

  /// `catalog` is a file of meters.
  init(directory: BenchDirectory, catalog: String) {
    self.directory = directory
    environment = CollectorProcess.environment(directory: directory, catalog: catalog)
  }

  /// The settings of every service of a run.
  static func environment(directory: BenchDirectory, catalog: String) -> [String: String] {
    var environment = processEnvironment().filter { !$0.key.hasPrefix("STACKMETER_") }
    environment["STACKMETER_RUN_DIRECTORY"] = directory.runPath
    environment["STACKMETER_STATE_DIRECTORY"] = "\(directory.path)/state"
    environment["STACKMETER_METER_CATALOG"] = catalog
    return environment
  }

  var socketPath: String { "\(directory.runPath)/collector.sock" }
  var statePath: String { "\(directory.path)/state" }
  var pid: Int32 { process.withLock { $0?.pid ?? 0 } }
  var figures: ProcessFigures { ProcessFigures(pid: pid) }

  /// Starts it, waits until it serves, and says how long that took.
  @discardableResult
  func start() async throws -> Duration {
    let begin = ContinuousClock.now
    let started = try directory.start("stackmeter-collector", environment: environment)
    process.withLock { $0 = started }
    while true {
      // A connection of its own for each question: one that failed would wait before it tries again.
      let isServing = try await withRPCChannel(socketPath: socketPath) {
        await HealthClient($0).isServing()
      }
      if isServing { return ContinuousClock.now - begin }
      if let status = started.exitStatus {
        throw BenchFailure(
          "the collector ended with \(status): \(directory.log("stackmeter-collector"))")
      }
      guard ContinuousClock.now - begin < CollectorProcess.startMax else {
        throw BenchFailure("the collector does not serve after \(CollectorProcess.startMax)")
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Ends it as a power cut would, and returns once it is gone.
  func kill() async throws {
    guard let process = process.withLock({ $0.take() }) else { return }
    process.signal(SIGKILL)
    _ = try await process.waitForExit()
  }

  func status() async throws -> CollectorStatus {
    try await withRPCChannel(socketPath: socketPath) { channel in
      try await CollectorClient(channel).status()
    }
  }
}
