import GRPCCore
import GRPCNIOTransportHTTP2Posix
import StackmeterRPC
import StackmeterTesting
import StackmeterWire
import Testing

@Suite(.timeLimit(.minutes(2))) struct HostilePeerTests {
  /// Sends bytes as they are, and gives back what comes.
  private struct BytesCoding: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
      Bytes(message)
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
      bytes.withUnsafeBytes { Array($0) }
    }
  }

  /// Lends a call that sends any bytes as its request.
  private func withBytesCall(
    _ body:
      @Sendable (_ call: @Sendable (MethodDescriptor, [UInt8]) async -> RPCError?) async throws ->
      Void
  ) async throws {
    try await withServerAndChannel { channel, path in
      try await withGRPCClient(
        transport: .http2NIOPosix(
          target: .unixDomainSocket(path: path, authority: "localhost"),
          transportSecurity: .plaintext)
      ) { client in
        try await body { method, bytes in
          await rpcError {
            try await client.unary(
              request: ClientRequest(message: bytes), descriptor: method,
              serializer: BytesCoding(), deserializer: BytesCoding(), options: .defaults
            ) { response in try response.message }
          }
        }
      }
      // Others never notice.
      #expect(
        try await channel.call(EchoMethods.echo, .numbered(3), timeout: callTimeout)
          == .numbered(3))
    }
  }

  @Test func `bytes that are not the message are an invalid argument that names it`() async throws {
    try await withBytesCall { call in
      for (bytes, message) in [
        ([0x0B], "malformed stackmeter.v1.JournalChunk at byte 1"),
        ([0x0A, 5, 1], "malformed stackmeter.v1.JournalChunk at byte 2"),
        ([0x0D, 1, 2, 3, 4], "malformed stackmeter.v1.JournalChunk at byte 1"),
        (Array(repeating: 0xFF, count: 100), "malformed stackmeter.v1.JournalChunk at byte 10"),
      ] as [([UInt8], String)] {
        let error = await call(EchoMethods.echo.descriptor, bytes)
        #expect(error?.code == .invalidArgument && error?.message == message, "\(bytes)")
      }
      let text = await call(HealthCalls.check.descriptor, [0x0A, 3, 0x61, 0, 0x62])
      #expect(text?.code == .invalidArgument)
      #expect(text?.message == "service: holds the character NUL")
    }
  }

  @Test func `bytes that would take too much memory or are too many are refused`() async throws {
    try await withBytesCall { call in
      let flood = Array(repeatElement([0xF8, 0x01, 0x00] as [UInt8], count: 700_000).joined())
      let error = await call(EchoMethods.echo.descriptor, flood)
      #expect(error?.code == .outOfRange)
      #expect(error?.message.contains("memory budget") == true)
      let tooMany = [UInt8](repeating: 0, count: RPCLimits.messageBytesMax + 1)
      let large = await call(EchoMethods.echo.descriptor, tooMany)
      #expect(large?.code == .outOfRange, "\(String(describing: large))")
    }
  }

  @Test func `a method or a service that is not here is unimplemented`() async throws {
    try await withBytesCall { call in
      for (service, method) in [(EchoMethods.service, "Other"), ("x.Y", "Echo")] {
        let descriptor = MethodDescriptor(fullyQualifiedService: service, method: method)
        #expect(await call(descriptor, [])?.code == .unimplemented)
      }
    }
  }

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private static let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]

  /// What ends in the server hanging up.
  private static let garbage: [(String, [UInt8])] = [
    ("an HTTP/1.1 request", Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)),
    ("NULs", Array(repeating: 0, count: 4096)),
    ("bytes of all values", (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 167) }),
    ("the start of TLS", [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3] + Array(repeating: 7, count: 64)),
    (
      "a preface and then a frame of 16 MB",
      preface + settings + [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1]
    ),
    ("a preface and then data for no stream", preface + settings + [0, 0, 1, 0, 0, 0, 0, 0, 0, 7]),
    (
      "a preface and then headers that do not unpack",
      preface + settings + [0, 0, 4, 1, 5, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]
    ),
  ]

  @Test func `garbage ends in a closed connection, and no one else notices`() async throws {
    try await withServerAndChannel { channel, path in
      for (name, bytes) in Self.garbage {
        let connection = try RawConnection(path)
        connection.send(bytes)
        let isHungUp = connection.isHungUp()
        #expect(isHungUp, "\(name)")
        let answer = try await channel.call(
          EchoMethods.echo, .numbered(1), timeout: callTimeout)
        #expect(answer == .numbered(1), "\(name)")
      }
    }
  }

  @Test func `a peer that stays silent or stops in the middle holds up no one`() async throws {
    try await withServerAndChannel { channel, path in
      let silent = try RawConnection(path)
      let half = try RawConnection(path)
      half.send(Array(Self.preface.prefix(12)))
      let frame = try RawConnection(path)
      frame.send(Self.preface + Self.settings + [0, 1, 0, 1, 4])
      for number in 0..<20 as Range<UInt64> {
        let answer = try await channel.call(
          EchoMethods.echo, .numbered(number), timeout: callTimeout)
        #expect(answer == .numbered(number))
      }
      _ = consume silent
      _ = consume half
      _ = consume frame
    }
  }

  @Test func `a thousand connections that go at once leave the server as it was`() async throws {
    try await withServerAndChannel { channel, path in
      for _ in 0..<1000 { _ = try RawConnection(path) }
      #expect(
        try await channel.call(EchoMethods.echo, .numbered(9), timeout: callTimeout)
          == .numbered(9))
      try await withRPCChannel(socketPath: path) { try await requireAnswer($0) }
    }
  }
}
