import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import StackmeterCore
import StackmeterTesting
import Synchronization
import Testing

@testable import GatewayServer

private let quiet = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

/// A key set's server as a test says: what it answers, and when.
private final class ScriptedKeys: Sendable {
  struct State {
    var answer: Result<String, VerificationKeysError>
    var questions = 0
    var waiting: [CheckedContinuation<Void, Never>] = []
    var isHeld = false
  }

  private let state: Mutex<State>

  init(_ answer: String) { state = Mutex(State(answer: .success(answer))) }

  var questions: Int { state.withLock { $0.questions } }

  func answer(_ answer: Result<String, VerificationKeysError>) {
    state.withLock { $0.answer = answer }
  }

  func hold() { state.withLock { $0.isHeld = true } }

  func release() {
    let waiting = state.withLock { state in
      state.isHeld = false
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  func download() async throws(VerificationKeysError) -> [UInt8] {
    await withCheckedContinuation { continuation in
      let isHeld = state.withLock { state in
        state.questions += 1
        if state.isHeld { state.waiting.append(continuation) }
        return state.isHeld
      }
      if !isHeld { continuation.resume() }
    }
    return Array(try state.withLock { $0.answer }.get().utf8)
  }
}

private func source(_ keys: ScriptedKeys, _ clock: SimulatedClock) -> KeySetURL {
  KeySetURL(place: "test", clock: clock, logger: quiet) {
    () async throws(VerificationKeysError) in try await keys.download()
  }
}

@Suite(.timeLimit(.minutes(1))) struct KeySetURLTests {
  private let old: String
  private let new: String
  private let clock = SimulatedClock(RunningGateway.start)

  init() throws {
    old = TestIssuer.keySet([try TestIssuer.p256.jwk(id: "old")])
    new = TestIssuer.keySet([
      try TestIssuer.p256.jwk(id: "old"), try TestIssuer.ed25519.jwk(id: "new"),
    ])
  }

  @Test func `unknown keys ask once in 30 seconds, however many tokens name them`() async throws {
    let keys = ScriptedKeys(old)
    let source = source(keys, clock)
    #expect(try await source.key("old") != nil)
    #expect(keys.questions == 1)
    for number in 0..<100 { #expect(try await source.key("x\(number)") == nil) }
    #expect(keys.questions == 1)
    clock.advance(by: .seconds(29))
    #expect(try await source.key("x") == nil)
    #expect(keys.questions == 1)
    clock.advance(by: .seconds(1))
    for number in 0..<100 { #expect(try await source.key("x\(number)") == nil) }
    #expect(keys.questions == 2)
  }

  @Test func `a key of a rotated set is found under load by one question that all wait for`()
    async throws
  {
    let keys = ScriptedKeys(old)
    let source = source(keys, clock)
    #expect(try await source.key("old") != nil)
    clock.advance(by: .seconds(30))
    keys.answer(.success(new))
    keys.hold()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<50 { group.addTask { try await source.key("new") != nil } }
      while keys.questions < 2 { await Task.yield() }
      // What is known is not held up.
      #expect(try await source.key("old") != nil)
      keys.release()
      var found = 0
      for try await isFound in group where isFound { found += 1 }
      #expect(found == 50)
    }
    #expect(keys.questions == 2)
  }

  @Test func `a key stays until the set drops it`() async throws {
    let keys = ScriptedKeys(new)
    let source = source(keys, clock)
    #expect(try await source.key("old") != nil)
    clock.advance(by: .seconds(3600))
    keys.answer(.failure(VerificationKeysError(description: "404")))
    #expect(try await source.key("x") == nil)
    #expect(try await source.key("old") != nil)
    clock.advance(by: .seconds(30))
    keys.answer(.success("garbage"))
    #expect(try await source.key("x") == nil)
    #expect(try await source.key("old") != nil)
    clock.advance(by: .seconds(30))
    keys.answer(.success(TestIssuer.keySet([try TestIssuer.ed25519.jwk(id: "new")])))
    #expect(try await source.key("x") == nil)
    #expect(try await source.key("old") == nil)
    #expect(try await source.key("new") != nil)
  }

  @Test func `without a good answer for 24 hours nothing is verified, until there is one`()
    async throws
  {
    let keys = ScriptedKeys(old)
    let source = source(keys, clock)
    #expect(try await source.key("old") != nil)
    keys.answer(.failure(VerificationKeysError(description: "404")))
    clock.advance(by: .seconds(24 * 3600))
    #expect(try await source.key("old") != nil)
    clock.advance(by: .seconds(1))
    await #expect(throws: TokenRefusal.keysAreStale) { try await source.key("old") }
    keys.answer(.success(old))
    clock.advance(by: .seconds(30))
    #expect(try await source.key("old") != nil)
  }

  @Test func `a set that was never read has no key, and is asked for again`() async throws {
    let keys = ScriptedKeys(old)
    keys.answer(.failure(VerificationKeysError(description: "refused")))
    let source = source(keys, clock)
    #expect(try await source.key("old") == nil)
    keys.answer(.success(old))
    #expect(try await source.key("old") == nil)
    clock.advance(by: .seconds(30))
    #expect(try await source.key("old") != nil)
  }
}

/// An HTTP server that answers every request with the same bytes; nothing where they are empty.
private func withServer(
  _ answer: String, _ body: (Int) async throws -> Void
) async throws {
  let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(Answerer(answer))
      }
    }
    .bind(host: "127.0.0.1", port: 0).get()
  try await body(server.localAddress?.port ?? 0)
  try await server.close()
}

private final class Answerer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let answer: String

  init(_ answer: String) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !answer.isEmpty else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
  }
}

@Suite(.timeLimit(.minutes(1))) struct KeySetDownloadTests {
  private func content(
    _ answer: String, timeMax: Duration = TokenLimits.downloadTimeMax
  ) async throws -> Result<String, VerificationKeysError> {
    var result = Result<String, VerificationKeysError>.failure(.init(description: "not asked"))
    try await withServer(answer) { port in
      let download = try KeySetDownload(
        try #require(KeySetAddress("http://127.0.0.1:\(port)/keys?v=1")), timeMax: timeMax)
      do throws(VerificationKeysError) {
        result = .success(String(decoding: try await download.content(), as: UTF8.self))
      } catch {
        result = .failure(error)
      }
    }
    return result
  }

  @Test func `the body of a good answer is the content, chunked or not`() async throws {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    #expect(try await content(whole) == .success("{}"))
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    #expect(try await content(chunked) == .success("{}"))
  }

  @Test(arguments: [
    "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    "garbage\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + String(repeating: "x", count: 70_000),
  ])
  func `errors, redirects, garbage and what is too long are no content`(answer: String)
    async throws
  {
    guard case .failure = try await content(answer) else {
      Issue.record("it was taken")
      return
    }
  }

  @Test func `a server that hangs is given up, before it answers and in the middle`() async throws {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"] {
      let start = ContinuousClock.now
      guard case .failure = try await content(answer, timeMax: .milliseconds(200)) else {
        Issue.record("it was taken")
        return
      }
      #expect(ContinuousClock.now - start < .seconds(5))
    }
  }

  @Test func `nobody listening is a failure`() async throws {
    var closed = 0
    try await withServer("") { closed = $0 }
    let download = try KeySetDownload(try #require(KeySetAddress("http://127.0.0.1:\(closed)/")))
    await #expect(throws: VerificationKeysError.self) { try await download.content() }
  }

  @Test func `an address is https, or http of this host`() {
    let good = KeySetAddress("https://login.example:8443/keys?a=b")
    #expect(good?.host == "login.example")
    #expect(good?.port == 8443)
    #expect(good?.target == "/keys?a=b")
    #expect(KeySetAddress("https://login.example")?.target == "/")
    #expect(KeySetAddress("https://login.example?a")?.target == "/?a")
    #expect(KeySetAddress("http://[::1]:80/")?.host == "::1")
    #expect(KeySetAddress("http://localhost/")?.port == 80)
    for wrong in [
      "http://login.example/keys", "ftp://localhost/", "https:///keys", "https://a@b/",
      "https://a:0/",
      "https://a:x/", "https://a/#f", "https://[::1", "https://a b/", "",
    ] {
      #expect(KeySetAddress(wrong) == nil, "\(wrong)")
    }
  }
}
