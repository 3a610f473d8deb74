import CollectorClient
import GatewayServer
import Logging
import QueryClient
import ServiceLifecycle
import StackmeterCore
import StackmeterRPC
import StackmeterRuntime
import StackmeterTesting
import Synchronization
import Testing

/// Keeps what is logged.
private final class LogRecord: Sendable {
  let lines = Mutex<[(message: String, metadata: Logger.Metadata)]>([])

  var logger: Logger { Logger(label: "gateway") { _ in Handler(record: self) } }

  private struct Handler: LogHandler {
    let record: LogRecord
    var logLevel = Logger.Level.info
    var metadata = Logger.Metadata()

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let line = (event.message.description, event.metadata ?? [:])
      record.lines.withLock { $0.append(line) }
    }
  }
}

private func gateway(
  channel: any RPCChannel, port: Int, keysPath: String, host: String = "127.0.0.1",
  logger: Logger = LogRecord().logger,
  onListening: @escaping @Sendable (Int) async -> Void = { _ in }
) throws(SettingsError) -> Gateway {
  try Gateway(
    configuration: GatewayConfiguration(
      host: host, port: port, apiKeysPath: keysPath, drainMax: .milliseconds(50)),
    query: QueryClient(channel), collector: CollectorClient(channel),
    clock: SimulatedClock(RunningGateway.start),
    logger: logger, onListening: onListening)
}

@Suite(.timeLimit(.minutes(1))) struct StartupTests {
  @Test func `a port in use is an error that names it`() async throws {
    try await withGateway { running in
      try await withInProcessChannel(endpoints: []) { channel in
        let second = try gateway(
          channel: channel, port: running.port, keysPath: running.keysPath)
        let error = await #expect(throws: GatewayError.self) { try await second.run() }
        #expect(error == .addressInUse(host: "127.0.0.1", port: running.port))
        #expect(error?.description.contains("\(running.port)") == true)
      }
      #expect(try await running.get("/v1/meters").status == 200)
    }
  }

  @Test func `a host that is none of this machine's is an error that names it`() async throws {
    try await withGateway { running in
      try await withInProcessChannel(endpoints: []) { channel in
        let second = try gateway(
          channel: channel, port: 0, keysPath: running.keysPath, host: "192.0.2.1")
        let error = await #expect(throws: GatewayError.self) { try await second.run() }
        #expect(error?.description.contains("192.0.2.1") == true)
      }
    }
  }

  @Test func `keys that cannot be read stop the start with every problem`() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/keys.json"
    try await withInProcessChannel(endpoints: []) { channel in
      let missing = #expect(throws: SettingsError.self) {
        _ = try gateway(channel: channel, port: 0, keysPath: path)
      }
      #expect(missing?.description.contains(path) == true)
      writeFile(path, #"{"keys": [{"id": "", "role": "x"}]}"#)
      let broken = #expect(throws: SettingsError.self) {
        _ = try gateway(channel: channel, port: 0, keysPath: path)
      }
      #expect(broken?.problems.count == 3)
    }
  }

  @Test func `the gateway logs where it listens, and a graceful stop lets it end`() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/keys.json"
    writeFile(path, #"{"keys": []}"#)
    try await withInProcessChannel(endpoints: []) { channel in
      let (ports, continuation) = AsyncStream<Int>.makeStream()
      let log = LogRecord()
      let service = try gateway(channel: channel, port: 0, keysPath: path, logger: log.logger) {
        continuation.yield($0)
      }
      let group = ServiceGroup(
        services: [service], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        for await port in ports {
          let answer = try await exchange(
            port: port, Array("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
          #expect(answer?.status == 200)
          let lines = log.lines.withLock { $0 }
          #expect(lines.map(\.message) == ["listening"])
          #expect(lines.first?.metadata == ["host": "127.0.0.1", "port": "\(port)"])
          break
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
    }
  }

  @Test func `a request that never ends does not hold up a stop`() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/keys.json"
    let (key, token) = try APIKeys.create(role: .operator)
    try APIKeys.update(file: path) { (keys) throws(APIKeysError) in try keys.add(key) }
    try await withInProcessChannel(endpoints: []) { channel in
      let (ports, continuation) = AsyncStream<Int>.makeStream()
      let service = try gateway(channel: channel, port: 0, keysPath: path) {
        continuation.yield($0)
      }
      let group = ServiceGroup(
        services: [service], logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        for await port in ports {
          let endless =
            "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
            + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n["
          // It is answered by the end of the connection alone.
          tasks.addTask { _ = try? await exchange(port: port, Array(endless.utf8)) }
          let answer = try await exchange(
            port: port, Array("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
          #expect(answer?.status == 200)
          break
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
    }
  }
}
