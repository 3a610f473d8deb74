import StackmeterCore
import Testing

@testable import GatewayServer

/// Requests on whose end two readers could disagree: each is refused, and its connection closed, so that nothing behind
/// it is taken for a request.
@Suite(.timeLimit(.minutes(1))) struct SmugglingTests {
  private static let post = "POST /healthz HTTP/1.1\r\nHost: a\r\n"
  /// What an attacker would have somebody else's request be.
  private static let hidden = "GET /v1/meters HTTP/1.1\r\nHost: a\r\n\r\n"

  @Test(arguments: [
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "Content-Length: 3, 4\r\n\r\nabc", "Content-Length: +3\r\n\r\nabc",
    "Content-Length: 3 4\r\n\r\nabc", "Content-Length: 0x3\r\n\r\nabc",
    "Content-Length: 3;\r\n\r\nabc", "Content-Length: \r\n\r\nabc", "Content-Length: -1\r\n\r\n",
    "Content-Length: 99999999999999999999999\r\n\r\n",
    "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: gzip\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    " folded: yes\r\n\r\n", "X: a\r\n folded\r\n\r\n", "X: a\r\n\tfolded\r\n\r\n",
    "X: a\nY: b\r\n\r\n", "X: a\r\n\n", "X\r\n\r\n", ": a\r\n\r\n", "X y: a\r\n\r\n",
    "X: a\u{0}b\r\n\r\n", "X: a\rb\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5 \r\nabcde\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefg\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc",
    "Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
  ])
  func `a request whose end is in doubt is refused and ends its connection`(
    headers: String
  ) async throws {
    try await withGateway { gateway in
      let bytes = Array((Self.post + headers + Self.hidden).utf8)
      let received = try await conversation(port: gateway.port, bytes)
      let text = String(decoding: received, as: UTF8.self)
      // A path that takes no body may have been answered before its body was found to be none.
      let statuses = text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
      #expect(statuses.allSatisfy { $0 == "400" || $0 == "405" }, "\(headers): \(text)")
      #expect(!text.contains("AuthenticationFailed"), "\(headers): \(text)")
      #expect(try await gateway.send("GET", "/healthz", token: nil).status == 200)
    }
  }

  @Test func `requests without doubt go on on their connection`() async throws {
    try await withGateway { gateway in
      let get = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
      let bytes = Array(
        (get + "\r\n" + get + "Content-Length: 0\r\n\r\n" + get + "Connection: close\r\n\r\n").utf8)
      let text = String(
        decoding: try await conversation(port: gateway.port, bytes), as: UTF8.self)
      #expect(text.ranges(of: "HTTP/1.1 200 OK").count == 3, "\(text)")
    }
  }
}
