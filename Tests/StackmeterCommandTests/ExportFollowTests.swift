internal import ArgumentParser
internal import GRPCCore
internal import Glibc
internal import QueryClient
internal import StackmeterCore
internal import StackmeterDelivery
internal import StackmeterRPC
internal import StackmeterRuntime
internal import StackmeterTesting
internal import StackmeterWebhooks
internal import StackmeterWire
internal import Synchronization
internal import Testing

@testable import StackmeterCommand

/// Closed windows of two parts each, but for every third, which has no usage.
private final class FollowedUsage: RPCEndpoint {
  static let serviceName = QueryMethods.service
  static let first = Hour(index: 498_736)

  let closed = Mutex(5)

  func register<Transport: ServerTransport>(with routes: inout RPCRoutes<Transport>) {
    routes.unary(QueryMethods.exportUsage) { [self] request in
      let end = FollowedUsage.first.index + Int64(closed.withLock { $0 })
      let from = request.from ?? FollowedUsage.first
      let to = Hour(index: max(from.index, min(request.to?.index ?? end, end)))
      let isEmpty = from == to || from.index % 3 == 0
      let isFirst = request.pageToken.isEmpty
      return ExportUsageResponse(
        data: isEmpty ? [] : Array("\(from.index) \(isFirst ? "one" : "two")\n".utf8),
        rows: isEmpty ? 0 : isFirst ? 1 : 2, nextPageToken: isEmpty || !isFirst ? "" : "next",
        windows: from..<to)
    }
  }

  static func lines(_ windows: Range<Int64>) -> [String] {
    windows.map { first.index + $0 }.filter { $0 % 3 != 0 }.flatMap { ["\($0) one", "\($0) two"] }
  }
}

/// Takes messages at a real socket, and answers the first tries of each badly.
private final class FakeReceiver: Sendable {
  struct Message: Hashable {
    let headers: [String: String]
    let body: [UInt8]
  }

  let port: Int
  private let listener: Int32
  private let failures: Int
  private let state = Mutex((tries: [String: Int](), taken: [Message]()))

  init(failures: Int) throws {
    self.failures = failures
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw ClusterError("no listener: \(errno)") }
    port = Int(UInt16(bigEndian: address.sin_port))
    onThread {
      while true {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { return }
        while self.serve(connection) {}
        Glibc.close(connection)
      }
    }
  }

  var taken: [Message] { state.withLock { $0.taken } }

  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func serve(_ connection: Int32) -> Bool {
    var bytes: [UInt8] = []
    func more() -> Bool {
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = recv(connection, &chunk, chunk.count, 0)
      if count > 0 { bytes.append(contentsOf: chunk[..<count]) }
      return count > 0
    }
    let separator = Array("\r\n\r\n".utf8)
    var end: Int?
    while end == nil {
      guard more() else { return false }
      end = bytes.indices.first { bytes[$0...].starts(with: separator) }
    }
    var headers: [String: String] = [:]
    for line in String(decoding: bytes[..<end!], as: UTF8.self).split(separator: "\r\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(
        line[line.index(after: colon)...].drop { $0 == " " })
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    while bytes.count < end! + 4 + length { if !more() { return false } }
    let message = Message(headers: headers, body: Array(bytes[(end! + 4)...]))
    let isGood = state.withLock { state in
      let id = headers["webhook-id"] ?? ""
      state.tries[id, default: 0] += 1
      guard state.tries[id]! > failures else { return false }
      state.taken.append(message)
      return true
    }
    let answer = "HTTP/1.1 \(isGood ? 204 : 503) x\r\nContent-Length: 0\r\n\r\n"
    return send(connection, answer, answer.utf8.count, Int32(MSG_NOSIGNAL)) > 0
  }
}

@Suite(.timeLimit(.minutes(1))) struct ExportFollowTests {
  private static let question = ExportUsageRequest(caller: .operator, format: .ndjson)

  /// What a sink has taken.
  private final class Recorder: ExportSink {
    struct Refusal: Error {}

    let lines = Mutex<[String]>([])
    /// Windows after which it breaks.
    let windowsMax = Mutex(Int.max)

    func take(_ window: Hour, _ parts: ExportParts) async throws {
      try windowsMax.withLock { left in
        guard left > 0 else { throw Refusal() }
        left -= 1
      }
      try await parts.read { _, part in
        self.lines.withLock {
          $0 += String(decoding: part.data, as: UTF8.self).split(separator: "\n").map(String.init)
        }
      }
    }
  }

  private func follow(
    _ usage: FollowedUsage, _ sink: some ExportSink, _ cursor: String
  ) async throws -> Hour {
    try await withInProcessChannel(endpoints: [usage]) { channel in
      try await ExportFollow(
        query: QueryClient(channel), question: Self.question, sink: sink,
        cursor: ExportPlace(path: cursor), isOnce: true
      ).run()
    }
  }

  @Test func `each closed window is taken once, over every end`() async throws {
    try await withTemporaryDirectory { directory in
      let usage = FollowedUsage()
      let sink = Recorder()
      let cursor = "\(directory)/cursor"
      sink.windowsMax.withLock { $0 = 2 }
      await #expect(throws: Recorder.Refusal.self) {
        _ = try await self.follow(usage, sink, cursor)
      }
      sink.windowsMax.withLock { $0 = .max }
      let next = try await follow(usage, sink, cursor)
      #expect(next == Hour(index: FollowedUsage.first.index + 5))
      #expect(sink.lines.withLock { $0 } == FollowedUsage.lines(0..<5))
      usage.closed.withLock { $0 = 9 }
      _ = try await follow(usage, sink, cursor)
      #expect(sink.lines.withLock { $0 } == FollowedUsage.lines(0..<9))
    }
  }

  @Test func `a directory has a whole file for each window with usage`() async throws {
    try await withTemporaryDirectory { directory in
      let usage = FollowedUsage()
      let sink = DirectorySink(directory: directory, isCompressed: false)
      _ = try await follow(usage, sink, "\(directory)/.cursor")
      for index in 0..<5 {
        let window = Hour(index: FollowedUsage.first.index + Int64(index))
        let path = "\(directory)/usage-\(window.digits).ndjson"
        let lines = FollowedUsage.lines(Int64(index)..<Int64(index) + 1)
        guard !lines.isEmpty else {
          #expect(access(path, F_OK) != 0)
          continue
        }
        #expect(
          String(decoding: try fileContent(path), as: UTF8.self)
            == lines.map { $0 + "\n" }.joined())
      }
    }
  }

  @Test func `a webhook takes each part under an id of its own, signed, until it answers well`()
    async throws
  {
    try await withTemporaryDirectory { directory in
      let receiver = try FakeReceiver(failures: 1)
      defer { receiver.stop() }
      let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
      let secret = try #require(WebhookSecret(text))
      let file = "\(directory)/secret"
      try DurableFile.write(Array("\(text)\n".utf8), to: file)
      let clock = SimulatedClock()
      let sink = WebhookSink(
        address: "http://127.0.0.1:\(receiver.port)/usage", secrets: WebhookSecretFile(path: file),
        clock: clock)
      let usage = FollowedUsage()
      usage.closed.withLock { $0 = 2 }
      _ = try await follow(usage, sink, "\(directory)/cursor")
      await sink.close()
      let bodies = receiver.taken.map {
        String(decoding: $0.body, as: UTF8.self).filter { $0 != "\n" }
      }
      #expect(bodies == FollowedUsage.lines(0..<2))
      for message in receiver.taken {
        let id = try #require(message.headers["webhook-id"])
        let expected = Webhook(id: id, sent: clock.now(), body: message.body).headers([secret])
        for header in expected { #expect(message.headers[header.name] == header.value) }
      }
      #expect(Set(receiver.taken.map { $0.headers["webhook-id"] }).count == bodies.count)
    }
  }

  @Test(arguments: [
    "", "\n", "whsec_", "whsec_%fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nmore",
    String(repeating: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", count: 3),
    String(repeating: " ", count: 5000),
  ])
  func `a file without a secret, or with more than two, is refused`(text: String) async throws {
    try await withTemporaryDirectory { directory in
      try DurableFile.write(Array(text.utf8), to: "\(directory)/secret")
      #expect(throws: SettingsError.self) {
        try WebhookSecretFile(path: "\(directory)/secret").secrets()
      }
    }
  }

  @Test func `a cursor that is none is told, and one export has it`() async throws {
    try await withTemporaryDirectory { directory in
      let place = ExportPlace(path: "\(directory)/cursor")
      #expect(try place.read() == nil)
      try DurableFile.write(Array("soon".utf8), to: place.path)
      #expect(throws: CommandFailure.self) { _ = try place.read() }
      try place.write(Hour(index: 498_736))
      #expect(try place.read() == Hour(index: 498_736))
      try place.lock()
      #expect(throws: CommandFailure.self) { try place.lock() }
    }
  }

  @Test func `options that do not go together are refused`() {
    func problem(_ arguments: String...) -> String {
      do {
        _ = try ExportCommand.parse(arguments)
        return ""
      } catch { return ExportCommand.message(for: error) }
    }
    #expect(problem("d", "--follow", "--gzip") == "")
    #expect(problem("-", "--follow", "--format", "ndjson", "--cursor", "c") == "")
    #expect(problem("d", "--once").contains("go with --follow"))
    #expect(problem("-", "--follow", "--format", "ndjson").contains("--cursor is missing"))
    #expect(problem("-", "--follow", "--cursor", "c").contains("ndjson is needed"))
    #expect(
      problem("https://x", "--follow", "--format", "ndjson", "--cursor", "c")
        .contains("--webhook-secret goes with"))
    #expect(problem("d", "--follow", "--end").contains("do not go with --follow"))
  }
}
