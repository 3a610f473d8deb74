import GRPCCore
import Logging
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Synchronization

let callTimeout: Duration = .seconds(20)

/// Runs a server for as long as `body` does. It is stopped in order, and has ended when this returns.
func withServer<Result: Sendable>(
  _ socketPath: String, _ endpoint: EchoEndpoint = EchoEndpoint(), callsInFlightMax: Int = 256,
  log: LogRecord = LogRecord(), _ body: (RPCServer) async throws -> Result
) async throws -> Result {
  let server = try RPCServer(
    socketPath: socketPath, endpoints: [endpoint], logger: log.logger,
    callsInFlightMax: callsInFlightMax)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.run() }
    let result = try await body(server)
    server.stop()
    try await group.waitForAll()
    return result
  }
}

/// Lends a channel to a server that runs, and answers already, in a directory of its own.
func withServerAndChannel<Result: Sendable>(
  _ endpoint: EchoEndpoint = EchoEndpoint(), callsInFlightMax: Int = 256,
  log: LogRecord = LogRecord(),
  _ body: @Sendable (_ channel: any RPCChannel, _ socketPath: String) async throws -> Result
) async throws -> Result {
  try await withTemporaryDirectory { directory in
    let path = directory + "/s"
    return try await withServer(path, endpoint, callsInFlightMax: callsInFlightMax, log: log) {
      _ in
      try await withRPCChannel(socketPath: path) { channel in
        try await requireAnswer(channel)
        return try await body(channel, path)
      }
    }
  }
}

/// Calls until there is an answer, where the server may not listen yet.
func requireAnswer(_ channel: any RPCChannel) async throws {
  while true {
    do throws(RPCError) {
      _ = try await channel.call(HealthCalls.check, HealthCheckRequest(), timeout: callTimeout)
      return
    } catch {
      guard error.code == .unavailable else { throw error }
    }
    try Task.checkCancellation()
    await Task.yield()
  }
}

/// The error that a call ends with, or nil for an answer.
func rpcError<Result>(_ call: () async throws -> Result) async -> RPCError? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error as? RPCError
      ?? RPCError(code: .unknown, message: "not an RPC error: \(error)")
  }
}

/// Keeps what is logged.
final class LogRecord: Sendable {
  private let recorded = Mutex<[String]>([])

  /// Each entry's message and metadata in one line.
  var lines: [String] { recorded.withLock { $0 } }

  var logger: Logger {
    Logger(label: "test") { _ in Handler(record: self) }
  }

  private struct Handler: LogHandler {
    let record: LogRecord
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      record.recorded.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
    }
  }
}
