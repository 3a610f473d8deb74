import HTTPTypes
import Hummingbird
import StackmeterCore
import Testing

@testable import GatewayServer

@Suite(.timeLimit(.minutes(1))) struct HostileInputTests {
  /// After whatever was sent, the gateway still answers others.
  private func expectAlive(_ gateway: RunningGateway) async throws {
    #expect(try await gateway.send("GET", "/healthz", token: nil).status == 200)
  }

  @Test(arguments: [
    "garbage\r\n\r\n",
    "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: a\r\n folded: yes\r\n\r\n",
    "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
      + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ])
  func `what is not HTTP gets 400 or a closed connection`(text: String) async throws {
    try await withGateway { gateway in
      let answer = try await exchange(
        port: gateway.port, Array(text.utf8), closesAfterSending: true)
      #expect(answer == nil || answer?.status == 400, "\(answer?.status ?? 0)")
      try await expectAlive(gateway)
    }
  }

  @Test func `a request that breaks off in its head or its body harms nobody`() async throws {
    try await withGateway { gateway in
      let post =
        "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(gateway.operatorToken)\r\n"
        + "Content-Type: application/json\r\n"
      for text in [
        "GET /heal", "GET /healthz HTTP/1.1\r\nHos", post + "Content-Length: 100\r\n\r\n[",
        post + "Transfer-Encoding: chunked\r\n\r\n5\r\n[",
      ] {
        let answer = try await exchange(
          port: gateway.port, Array(text.utf8), closesAfterSending: true)
        #expect(answer == nil || answer?.status == 400)
      }
      #expect(gateway.collector.with { $0.calls.isEmpty })
      try await expectAlive(gateway)
    }
  }

  @Test func `a chunked body with garbage for a chunk's length gets 400`() async throws {
    try await withGateway { gateway in
      let answer = try await exchange(
        port: gateway.port,
        Array(
          ("POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
            + "\(gateway.operatorToken)\r\nContent-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\nzzz\r\n[]\r\n0\r\n\r\n").utf8))
      #expect(answer == nil || answer?.status == 400)
      try await expectAlive(gateway)
    }
  }

  @Test func `a head that is too large or has too many fields gets 400`() async throws {
    try await withGateway { gateway in
      for head in [
        "GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n"
          + (0..<100).map { "X\($0): a\r\n" }.joined() + "\r\n",
      ] {
        let answer = try await exchange(port: gateway.port, Array(head.utf8))
        #expect(answer?.status == 400)
        #expect(answer?.headers["content-type"] == "application/problem+json")
        #expect(answer?["detail"]?.string?.contains("\(GatewayLimits.headBytesMax)") == true)
      }
      try await expectAlive(gateway)
    }
  }

  @Test func `a body that says it is too large is refused before it is sent`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.send(
        "POST", "/v1/events", token: gateway.operatorToken,
        headers: ["Content-Type: application/json", "Content-Length: 16777217"])
      #expect(answer.status == 413)
      #expect(answer["detail"]?.string?.contains("16777216") == true)
    }
  }

  @Test func `a body that grows too large without saying so is cut off`() async throws {
    try await withGateway { gateway in
      let chunk = "100000\r\n" + String(repeating: " ", count: 1 << 20) + "\r\n"
      let answer = try await gateway.send(
        "POST", "/v1/events", token: gateway.operatorToken,
        headers: [
          "Content-Type: application/json",
          "Transfer-Encoding: chunked\r\n\r\n" + String(repeating: chunk, count: 17) + "0",
        ])
      #expect(answer.status == 413)
      try await expectAlive(gateway)
    }
  }

  @Test func `a body that does not arrive in time is given up`() async throws {
    let (body, source) = RequestBody.makeStream()
    let problem = await #expect(throws: HTTPProblem.self) {
      try await body.reading(
        announced: 100, BodyLimits(bytesMax: 1000, graceMax: .milliseconds(1))
      ) { try await $0.collect() }
    }
    #expect(problem?.status == .requestTimeout)
    source.finish()
  }

  @Test func `HEAD is answered as GET is, without the body`() async throws {
    try await withGateway { gateway in
      let bytes = Array("HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
      let head = try await exchange(port: gateway.port, bytes, isHead: true)
      #expect(head?.status == 200)
      #expect(head?.headers["content-length"] == "15")
    }
  }

  @Test func `an unknown path is 404 and a wrong method is 405 with what is allowed`() async throws
  {
    try await withGateway { gateway in
      for path in [
        "/", "/v1", "/V1/usage", "/v1/usage/x", "/healthz/..", "/%2e%2e/etc/passwd", "*",
      ] {
        let answer = try await gateway.get(path)
        #expect(answer.status == 404, "\(path)")
        #expect(answer["status"] == .number("404"))
      }
      let azure = try await gateway.get("/subscriptions/x/providers/Microsoft.Commerce/Else")
      #expect(azure["error.code"] == .string("ResourceNotFound"))
      let post = try await gateway.send("POST", "/v1/usage", token: gateway.operatorToken)
      #expect(post.status == 405)
      #expect(post.headers["allow"] == "GET, HEAD")
      let get = try await gateway.get("/v1/events")
      #expect(get.status == 405)
      #expect(get.headers["allow"] == "POST, OPTIONS")
    }
  }

  @Test func `every answer has its id and may not be sniffed or kept`() async throws {
    try await withGateway { gateway in
      let answer = try await gateway.get("/v1/meters")
      #expect(answer.headers["x-ms-request-id"]?.utf8.count == 36)
      #expect(answer.headers["x-content-type-options"] == "nosniff")
      #expect(answer.headers["cache-control"] == "no-store")
    }
  }

  @Test func `a client's own ids are repeated on Azure's paths where they are plain`() async throws
  {
    try await withGateway { gateway in
      let path = "/subscriptions/x/providers/Microsoft.Commerce/UsageAggregates"
      let answer = try await gateway.send(
        "GET", path, token: gateway.operatorToken,
        headers: ["x-ms-client-request-id: c-1", "x-ms-correlation-request-id: two words"])
      #expect(answer.headers["x-ms-client-request-id"] == "c-1")
      #expect(
        answer.headers["x-ms-correlation-request-id"] == answer.headers["x-ms-request-id"])
    }
  }
}
