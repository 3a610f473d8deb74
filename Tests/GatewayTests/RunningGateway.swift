import CollectorClient
import GatewayServer
import Glibc
import Logging
import QueryClient
import StackmeterCore
import StackmeterTesting
import StackmeterWire
import Synchronization

/// Writes a whole file with the mode of key files.
func writeFile(_ path: String, _ text: String, mode: mode_t = 0o600) {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
  precondition(descriptor >= 0, "the test's own file can be made")
  _ = fchmod(descriptor, mode)
  let bytes = Array(text.utf8)
  let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
  precondition(written == bytes.count, "the test's own file can be written")
  close(descriptor)
}

/// A gateway that really listens, with scripted services behind it.
struct RunningGateway {
  static let subscription = "6f1c0a8e-0000-4000-8000-000000000001"
  /// Five minutes past 15:00 UTC.
  static let start = Instant(parsing: "2026-11-23T15:05:00Z")!

  let port: Int
  let query: ScriptedQuery
  let collector: ScriptedCollector
  let clock: SimulatedClock
  /// The test's own files.
  let directory: String
  let keysPath: String
  let operatorToken: String
  let tenantToken: String

  /// One request with a token, or without.
  func send(
    _ method: String, _ target: String, token: String?, headers: [String] = [], body: [UInt8] = []
  ) async throws -> HTTPAnswer {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: metering.example:8420\r\n"
    if let token { head += "Authorization: Bearer \(token)\r\n" }
    for header in headers { head += header + "\r\n" }
    if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
    let answer = try await exchange(port: port, Array((head + "\r\n").utf8) + body)
    guard let answer else { throw NoAnswer() }
    return answer
  }

  func get(_ target: String) async throws -> HTTPAnswer {
    try await send("GET", target, token: operatorToken)
  }

  func getAsTenant(_ target: String) async throws -> HTTPAnswer {
    try await send("GET", target, token: tenantToken)
  }

  struct NoAnswer: Error {}
}

func withGateway(
  tokens: TokenConfiguration? = nil, limits: ConnectionLimits = ConnectionLimits(),
  configure: (inout GatewayConfiguration, _ directory: String) throws -> Void = { _, _ in },
  _ body: @Sendable (RunningGateway) async throws -> Void
) async throws {
  let directory = try TemporaryDirectory()
  let keysPath = directory.path + "/keys.json"
  let ours = try APIKeys.create(role: .operator, note: "tests")
  let theirs = try APIKeys.create(role: .tenant, subscriptions: [RunningGateway.subscription])
  try APIKeys.update(file: keysPath) { (keys) throws(APIKeysError) in
    try keys.add(ours.key)
    try keys.add(theirs.key)
  }
  let (query, collector) = (ScriptedQuery(), ScriptedCollector())
  query.with { $0.status.openWindow = RunningGateway.start.hour }
  let clock = SimulatedClock(RunningGateway.start)
  var draft = GatewayConfiguration(
    host: "127.0.0.1", port: 0, apiKeysPath: keysPath, tokens: tokens)
  draft.connections = limits
  try configure(&draft, directory.path)
  let configuration = draft
  try await withInProcessChannel(
    endpoints: [query, collector, ScriptedRating(query: query)]
  ) { channel in
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    let gateway = try Gateway(
      configuration: configuration,
      query: QueryClient(channel), collector: CollectorClient(channel), clock: clock,
      logger: Logger(label: "gateway") { _ in SwiftLogNoOpLogHandler() },
      onListening: { continuation.yield($0) })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { continuation.finish() }
        try await gateway.run()
      }
      for await port in ports {
        try await body(
          RunningGateway(
            port: port, query: query, collector: collector, clock: clock,
            directory: directory.path, keysPath: keysPath,
            operatorToken: ours.token, tenantToken: theirs.token))
        break
      }
      group.cancelAll()
      try await group.waitForAll()
    }
  }
}
