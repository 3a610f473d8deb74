import Hummingbird
import NIOCore
import NIOPosix
import StackmeterCore
import StackmeterTesting
import Testing

@testable import GatewayServer

/// Clients that are slow, many or rude, at a real socket: others stay served, and each limit is gone past.
@Suite(.timeLimit(.minutes(1))) struct SlowClientTests {
  private static let hasty = ConnectionLimits(
    headTimeMax: .milliseconds(200), writeTimeMax: .milliseconds(200), lingerMax: .milliseconds(200)
  )

  private func expectServed(_ gateway: RunningGateway) async throws {
    #expect(try await gateway.send("GET", "/healthz", token: nil).status == 200)
  }

  /// How often connections were ended for a reason, as the gateway itself counts it.
  private func dropped(_ gateway: RunningGateway, _ reason: String) async throws -> Int {
    let text = try await gateway.get("/metrics").text
    let name = "stackmeter_gateway_connections_dropped_total{reason=\"\(reason)\"} "
    let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
    return line.flatMap { Int($0.dropFirst(name.utf8.count)) } ?? -1
  }

  @Test(arguments: ["", "G", "GET /healthz HTTP/1.1\r\nHost: a\r\nX-More: "])
  func `a head that does not become whole in time ends its connection`(text: String) async throws {
    try await withGateway(limits: Self.hasty) { gateway in
      let received = try await conversation(port: gateway.port, Array(text.utf8))
      #expect(received.isEmpty)
      #expect(try await dropped(gateway, "slow_head") == 1)
      try await expectServed(gateway)
    }
  }

  @Test func `a head of which a byte comes now and then has no more time`() async throws {
    try await withGateway(limits: Self.hasty) { gateway in
      let head = Array("GET /healthz HTTP/1.1\r\nHost: a\r\nX: ".utf8)
      let received = try await conversation(port: gateway.port, head, drip: UInt8(ascii: "x"))
      #expect(received.isEmpty)
      #expect(try await dropped(gateway, "slow_head") == 1)
    }
  }

  @Test func `a second request of a connection has as much time as the first`() async throws {
    try await withGateway(limits: Self.hasty) { gateway in
      let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
      let received = try await conversation(
        port: gateway.port, Array((request + request + "GET /").utf8), drip: UInt8(ascii: "x"))
      let text = String(decoding: received, as: UTF8.self)
      #expect(text.ranges(of: "HTTP/1.1 200 OK").count == 2)
      #expect(try await dropped(gateway, "slow_head") == 1)
    }
  }

  @Test func `a connection that rests for long is closed`() async throws {
    let limits = ConnectionLimits(idleTimeMax: .milliseconds(200))
    try await withGateway(limits: limits) { gateway in
      let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
      let received = try await conversation(port: gateway.port, Array(request.utf8))
      #expect(String(decoding: received, as: UTF8.self).hasPrefix("HTTP/1.1 200 OK"))
      #expect(try await dropped(gateway, "slow_head") == 0)
    }
  }

  @Test func `where a body is answered before it came, the connection is closed`() async throws {
    try await withGateway(limits: Self.hasty) { gateway in
      for (head, status) in [
        ("POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n[", "401"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "200"),
      ] {
        let text = String(
          decoding: try await conversation(port: gateway.port, Array(head.utf8)), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(text)")
        #expect(text.lowercased().contains("\r\nconnection: close\r\n"), "\(text)")
        #expect(text.ranges(of: "HTTP/1.1 ").count == 1)
      }
      try await expectServed(gateway)
    }
  }

  @Test func `whoever does not read its answers is dropped`() async throws {
    try await withGateway(limits: Self.hasty) { gateway in
      let requests = String(
        repeating: "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", count: 400)
      try await withUnread(port: gateway.port, Array(requests.utf8)) {
        _ = try await eventually {
          try await dropped(gateway, "slow_reader") == 1 ? true : nil
        }
        try await expectServed(gateway)
      }
    }
  }

  @Test func `of too many connections the one that has waited longest makes room`() async throws {
    try await withGateway(limits: ConnectionLimits(connectionsMax: 8)) { gateway in
      try await withThrowingTaskGroup(of: [UInt8].self) { group in
        for _ in 0..<40 {
          group.addTask { try await conversation(port: gateway.port, Array("GET /".utf8)) }
        }
        _ = try await eventually { try await dropped(gateway, "too_many") >= 32 ? true : nil }
        for _ in 0..<20 { try await expectServed(gateway) }
        group.cancelAll()
      }
    }
  }

  @Test func `a body that comes too slowly is given up`() async throws {
    try await withGateway { gateway in
      let problem = await #expect(throws: HTTPProblem.self) {
        let (body, source) = RequestBody.makeStream()
        let drip = Task {
          while !Task.isCancelled {
            await source.yield(ByteBuffer(string: " "))
            try await Task.sleep(for: .milliseconds(10))
          }
        }
        defer { drip.cancel() }
        _ = try await body.reading(
          announced: nil,
          BodyLimits(bytesMax: 1 << 20, graceMax: .milliseconds(200), bytesPerSecondMin: 1024)
        ) { try await $0.collect() }
      }
      #expect(problem?.status == .requestTimeout)
      try await expectServed(gateway)
    }
  }
}
