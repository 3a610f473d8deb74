import CollectorClient
import GRPCCore
import Logging
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Synchronization

/// In the place of a collector, serves a journal that was written beforehand, as far as it was released.
final class ScriptedCollector: RPCEndpoint {
  static let serviceName = CollectorMethods.service

  private let steps: [JournalChunk]
  private let released = Mutex(0)

  init(_ steps: [JournalChunk]) {
    self.steps = steps
  }

  /// Lets the first `count` steps be read.
  func release(_ count: Int) {
    released.withLock { $0 = max($0, count) }
  }

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.serverStreaming(CollectorMethods.readJournal) { request, writer in
      for (number, step) in self.steps.enumerated() where step.nextPosition > request.fromPosition {
        _ = try await eventually { self.released.withLock { $0 > number } ? true : nil }
        try await writer.write(step)
      }
      // A journal has no end.
      let _: Bool = try await eventually { nil }
    }
    routes.unary(CollectorMethods.confirmApplied) { _ in ConfirmAppliedResponse() }
  }

  /// Serves it at a socket while `body` runs.
  static func serving<Result>(
    _ steps: [JournalChunk], at socketPath: String,
    _ body: (ScriptedCollector) async throws -> Result
  ) async throws -> Result {
    let collector = ScriptedCollector(steps)
    let server = try RPCServer(
      socketPath: socketPath, endpoints: [collector],
      logger: Logger(label: "scripted") { _ in SwiftLogNoOpLogHandler() })
    let running = Task { try await server.run() }
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body(collector)) } catch { result = .failure(error) }
    server.stop()
    try await running.value
    return try result.get()
  }
}
